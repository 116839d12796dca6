"""`python -m scripts.promote`: tags a model version as promoted if its evaluation meets `evaluation.require`.

With --check it says whether that has happened: `make deploy` asks so where `evaluation.before_deploy` is true.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from scripts.azure import answers
from scripts.azure import client as client_module
from scripts.errors import FAILED, MISSING, UserError, main
from scripts.evaluate import __main__ as evaluate
from scripts.evaluate import gate
from scripts.values.read import Values, add_arguments, from_arguments

TAG = "promoted"  # its value is the evaluation's fingerprint, which says on what grounds


def read(values: Values, version: str, folder: Path) -> dict[str, Any]:
    """Returns the evaluation of a model version; a `UserError` if missing, another model's, or changed by hand."""
    path = folder / evaluate.FILE
    advice = f"make evaluate ENV={values.environment} makes it"
    if not path.is_file():
        raise UserError(f"{path}: there is no evaluation of version {version} yet; {advice}", MISSING)
    try:
        evaluation: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        about, said = (evaluation["model"], evaluation["version"]), evaluation["hash"]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: is not what make evaluate writes; {advice}") from None
    if about != (evaluate.model_name(values), version):
        raise UserError(f"{path}: is about {about[0]}:{about[1]}, not {version}; {advice}")
    if evaluate.fingerprint(evaluation) != said:
        raise UserError(f"{path}: was changed after it was written, so it proves nothing; {advice}")
    return evaluation


def tags(evaluation: dict[str, Any]) -> dict[str, str]:
    """Returns the tags of a promoted version: the evidence, and the numbers that a reader of the model list wants."""
    found = {TAG: evaluation["hash"], "evaluation_data": evaluation["data_version"]}
    for key in ("perplexity", "rouge_l"):
        numbers = evaluation["measures"][key]
        for who in ("base", "tuned"):
            if who in numbers:
                found[f"{key}_{who}"] = f"{numbers[who]['value']:.{numbers['digits']}f}"
    return found


def promote(values: Values, version: str, folder: Path, client: Any) -> list[str]:
    """Tags the version and returns what to print; a `UserError` with code 1 and all numbers where the gate refuses."""
    evaluation = read(values, version, folder)
    verdicts = gate.judge(values.data["evaluation"]["require"], evaluation["measures"])
    said = [f"{each.requirement}: {each.sentence}" for each in verdicts]
    name = evaluation["model"]
    if not verdicts:
        raise UserError(
            f"{values.where('evaluation.require')}: evaluation.require asks for nothing, so a promotion would mean "
            "nothing; set at least one requirement"
        )
    if not all(each.met for each in verdicts):
        failed = [line for each, line in zip(verdicts, said, strict=True) if not each.met]
        head = f"{name}:{version} is not promoted: {len(failed)} of {len(verdicts)} requirements are not met"
        raise UserError("\n".join([head, *failed]), FAILED)
    model = answers.require(f"model {name}:{version}", "make register registers it", client.models.get, name, version)
    model.tags = {**(model.tags or {}), **tags(evaluation)}
    answers.order(f"model {name}:{version} cannot be tagged", client.models.create_or_update, model)
    return [*said, f"{name}:{version} is promoted ({TAG}={evaluation['hash']})"]


def check(values: Values, version: str, client: Any) -> str:
    """Returns a sentence if the version is promoted; a `UserError` with code 1 if not."""
    name = evaluate.model_name(values)
    model = answers.require(f"model {name}:{version}", "make register registers it", client.models.get, name, version)
    evidence = (model.tags or {}).get(TAG)
    if not evidence:
        raise UserError(
            f"{name}:{version} is not promoted, and {values.where('evaluation.before_deploy')} demands it; "
            f"make evaluate promote ENV={values.environment}",
            FAILED,
        )
    return f"{name}:{version} is promoted ({TAG}={evidence})"


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.promote", description="Promote an evaluated model version."
    )
    add_arguments(parser)
    evaluate.add_version_arguments(parser)
    parser.add_argument("--check", action="store_true", help="only say whether it is promoted, if the values demand it")
    parser.add_argument("--warn", action="store_true", help="with --check: say that it is not promoted, and go on")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    if options.check and not values.data["evaluation"]["before_deploy"]:
        return 0
    version = evaluate.version_of(options)
    client = client_module.connect(values)
    if options.check:
        try:
            print(check(values, version, client))
        except UserError as error:
            if not options.warn or error.code != FAILED:
                raise
            print(f"warning: {error}", file=sys.stderr)
    else:
        print("\n".join(promote(values, version, evaluate.RUNS / version, client)))
    return 0


if __name__ == "__main__":
    main(run)
