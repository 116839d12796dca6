"""`python -m scripts.promote`: tags a model version as promoted if its evaluation meets `evaluation.require`.

With --check it says whether that has happened: `make deploy` asks so where `evaluation.before_deploy` is true.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from scripts.azure import answers
from scripts.azure import client as client_module
from scripts.errors import FAILED, UNREACHABLE, UserError, main
from scripts.evaluate import evaluation, gate, model_version
from scripts.evaluate.evaluation import Evaluation
from scripts.targets import command
from scripts.values.read import Values, from_arguments, parser_of

TAG = "promoted"  # its value is the evaluation's fingerprint, which says on what grounds


def read(values: Values, version: str, folder: Path) -> Evaluation:
    """Returns a model version's evaluation; a `UserError` if it is missing, another model's, or changed by hand."""
    evaluated = evaluation.read(folder, version, values.environment)
    if (evaluated.model, evaluated.version) != (model_version.name(values), version):
        raise UserError(
            f"{folder / evaluation.FILE}: is about {evaluated.model}:{evaluated.version}, not {version}; "
            f"{command('evaluate', values.environment)} makes it"
        )
    return evaluated


def tags(evaluated: Evaluation) -> dict[str, str]:
    """Returns the tags of a promoted version: the evidence, and the numbers that a reader of the model list wants."""
    named = {TAG: evaluated.hash, "evaluation_data": evaluated.data_version}
    for key in ("perplexity", "rouge_l", "json_valid", "json_exact"):
        if measure := evaluated.measures.get(key):
            for who, estimate in (("base", measure.base), ("tuned", measure.tuned)):
                if estimate:
                    named[f"{key}_{who}"] = f"{estimate.value:.{measure.digits}f}"
    return named


def _registered(values: Values, version: str, client: Any) -> Any:
    """Returns the model version; a `UserError` that says what registers it where it is not there."""
    name, todo = model_version.name(values), f"{command('register', values.environment)} registers it"
    return answers.require(f"model {name}:{version}", todo, client.models.get, name, version)


def promote(values: Values, version: str, folder: Path, client: Any) -> list[str]:
    """Tags the version and returns what to print; a `UserError` with code 1 and all numbers where the gate refuses."""
    evaluated = read(values, version, folder)
    verdicts = gate.judge(values.data["evaluation"]["require"], evaluated.measures)
    said = [f"{verdict.requirement}: {verdict.sentence}" for verdict in verdicts]
    name = evaluated.model
    if not verdicts:
        raise UserError(
            f"{values.where('evaluation.require')}: evaluation.require asks for nothing, so a promotion would mean "
            "nothing; set at least one requirement"
        )
    failed = [line for verdict, line in zip(verdicts, said, strict=True) if not verdict.met]
    if failed:
        head = f"{name}:{version} is not promoted: {len(failed)} of {len(verdicts)} requirements are not met"
        raise UserError("\n".join([head, *failed]), FAILED)
    model = _registered(values, version, client)
    model.tags = {**(model.tags or {}), **tags(evaluated)}
    answers.order(f"model {name}:{version} cannot be tagged", client.models.create_or_update, model)
    return [*said, f"{name}:{version} is promoted ({TAG}={evaluated.hash})"]


def check(values: Values, version: str, client: Any) -> str:
    """Returns a sentence if the version is promoted; a `UserError` with code 1 if not."""
    name = model_version.name(values)
    model = _registered(values, version, client)
    evidence = (model.tags or {}).get(TAG)
    if not evidence:
        raise UserError(
            f"{name}:{version} is not promoted, and {values.where('evaluation.before_deploy')} demands it; "
            f"{command('evaluate promote', values.environment)}",
            FAILED,
        )
    return f"{name}:{version} is promoted ({TAG}={evidence})"


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = parser_of("promote", "Promote an evaluated model version.")
    model_version.add_arguments(parser)
    parser.add_argument("--check", action="store_true", help="only say whether it is promoted, if the values demand it")
    parser.add_argument("--warn", action="store_true", help="with --check: say that it is not promoted, and go on")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    if options.check and not values.data["evaluation"]["before_deploy"]:
        return 0
    client = client_module.connect(values)
    if options.check:
        try:
            print(check(values, model_version.from_arguments(options, values, client).version, client))
        except UserError as error:
            if not options.warn or error.code not in (FAILED, UNREACHABLE):
                raise
            print(f"warning: {error}", file=sys.stderr)
    else:
        meant = model_version.from_arguments(options, values, client)
        print("\n".join(promote(values, meant.version, meant.folder, client)))
    return 0


if __name__ == "__main__":
    main(run)
