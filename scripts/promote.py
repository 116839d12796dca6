"""`python -m scripts.promote`: tags a model version as promoted if its evaluation meets `evaluation.require`.

With --commit the lock gets it too, with the figures, so that a commit promotes: the rendered deployment names the
version, and a revert names the one before. With --check it says whether a version is promoted: `make deploy` asks so
where `evaluation.before_deploy` is true.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from scripts import terminal
from scripts.azure import answers, lock_file
from scripts.azure import client as client_module
from scripts.errors import FAILED, UNREACHABLE, UserError, main
from scripts.evaluate import evaluation, gate, model_version
from scripts.evaluate.evaluation import Evaluation, Measure, Verdict
from scripts.files import ROOT
from scripts.files import write as write_file
from scripts.strict_yaml import read_yaml
from scripts.targets import command
from scripts.values import facts, names, parameters
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


def commit(values: Values, evaluated: Evaluation, job: str, root: Path = ROOT) -> str:
    """Writes the version that was let through into the lock, with the required measures, and returns what to say."""
    path = lock_file.lock_path(values.environment, root)
    name = path.relative_to(root).as_posix()
    lock = read_yaml(path, name=name)[0] if path.exists() else {}
    asked = [gate.RULES[verdict.requirement].measure for verdict in _verdicts(values, evaluated)]
    lock["promoted"] = {
        "model": evaluated.model,
        "version": evaluated.version,
        "job": job,
        "evaluation": evaluated.hash,
        "data_version": evaluated.data_version,
        "measures": {key: _figures(evaluated.measures[key]) for key in dict.fromkeys(asked)},
    }
    write_file(path, lock_file.to_text(lock, values.environment))
    todo, deploys = (command(target, values.environment) for target in ("render", "deploy"))
    version = f"{evaluated.model}:{evaluated.version}"
    return f"{name}: {version}; {todo}, and commit both: {deploys} takes it then"


def _figures(measure: Measure) -> dict[str, float]:
    estimates = {"base": measure.base, "tuned": measure.tuned}
    return {who: round(each.value, measure.digits) for who, each in estimates.items() if each}


def _verdicts(values: Values, evaluated: Evaluation) -> list[Verdict]:
    return gate.judge(values.data["evaluation"]["require"], evaluated.measures)


def _registered(values: Values, version: str, client: Any) -> Any:
    """Returns the model version; a `UserError` that says what registers it where it is not there."""
    name, todo = model_version.name(values), f"{command('register', values.environment)} registers it"
    return answers.require(f"model {name}:{version}", todo, client.models.get, name, version)


def promote(values: Values, version: str, folder: Path, client: Any) -> list[str]:
    """Tags the version and returns what to print; a `UserError` with code 1 and all numbers where the gate refuses."""
    evaluated = read(values, version, folder)
    verdicts = _verdicts(values, evaluated)
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


def to_deploy(options: argparse.Namespace, values: Values, client: Any) -> str:
    """Returns the version that `make deploy` takes: the lock's, else the state's; see chain/model.py."""
    known = facts.load(values)
    promoted = names.promoted(known, names.build(values, known, parameters.resolve(values, known)))
    if promoted and options.stand_in:
        found = answers.ask(f"model {promoted.model}", client.models.get, promoted.model, promoted.version)
        if ((found and found.tags) or {}).get(TAG) != promoted.evaluation:
            promoted = None
    return promoted.version if promoted else str(model_version.from_arguments(options, values, client).version)


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = parser_of("promote", "Promote an evaluated model version.")
    model_version.add_arguments(parser)
    parser.add_argument("--commit", action="store_true", help="write the version into the lock too, to be committed")
    parser.add_argument("--stand-in", action="store_true", help="--check: the run's own where the lock's is not there")
    parser.add_argument("--check", action="store_true", help="only say whether it is promoted, if the values demand it")
    parser.add_argument("--warn", action="store_true", help="with --check: say that it is not promoted, and go on")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    if options.check and not values.data["evaluation"]["before_deploy"]:
        return 0
    client = client_module.connect(values)
    if options.check:
        try:
            print(check(values, to_deploy(options, values, client), client))
        except UserError as error:
            if not options.warn or error.code not in (FAILED, UNREACHABLE):
                raise
            print(f"warning: {error}", file=sys.stderr)
    else:
        meant = model_version.from_arguments(options, values, client)
        print("\n".join(promote(values, meant.version, meant.folder, client)))
        if options.commit:
            said = commit(values, read(values, meant.version, meant.folder), meant.job)
            print(terminal.wrapped(said, "  ", ""))
    return 0


if __name__ == "__main__":
    main(run)
