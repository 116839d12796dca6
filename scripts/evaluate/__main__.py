"""`python -m scripts.evaluate`: base against tuned on held-out conversations, a report, and what the gate would say."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from scripts import files, state
from scripts.azure import client as client_module
from scripts.conversation import endpoint as endpoint_module
from scripts.errors import UserError, main
from scripts.evaluate import cases as cases_module
from scripts.evaluate import gate, measure, report, weights
from scripts.evaluate.measure import Asked, Observed
from scripts.files import ROOT
from scripts.values import facts, names, parameters
from scripts.values.read import Values, add_arguments, from_arguments

RUNS = ROOT / "runs"
FILE = "evaluation.json"


def evaluate(
    values: Values, version: str, folder: Path, client: Any, ask_endpoint: bool = True, root: Path = ROOT
) -> dict[str, Any]:
    """Measures model version `version` and its base, and returns the evaluation as plain data."""
    begun = time.monotonic()
    settings = values.data["evaluation"]
    model = model_name(values)
    cases = cases_module.held_out(
        values.environment, max(settings["cases"], settings["loss_cases"]), settings["seed"], root
    )
    asked = Asked(
        cases,
        min(settings["cases"], len(cases)),
        cases_module.general(),
        settings["short_answer_words"],
        {name: settings[name] for name in ("resamples", "confidence", "seed")},
    )
    notes: list[str] = []
    endpoint = _endpoint(values, client, f"{model}:{version}", notes) if ask_endpoint else None
    base, tuned = _observe(values, client, version, model, folder, asked, endpoint, notes)
    measures = {
        key: {"title": each.kind.title, "better": each.kind.better, "digits": each.kind.digits, "note": each.kind.note,
              "percent": each.kind.percent, **each.as_dict()}
        for key, each in measure.measure(asked, base, tuned).items()
    }  # fmt: skip
    evaluation = {
        "environment": values.environment,
        "model": model,
        "version": version,
        "base": base.name if base else "not asked",
        "data_version": state.data_version(values.environment, root),
        "asked": len(cases),
        "answered": asked.answered,
        "answered_by": {"base": base.answered_by if base else "nobody", "tuned": tuned.answered_by},
        "settings": {key: value for key, value in settings.items() if key != "require"},
        "notes": notes,
        "measures": measures,
        "gate": [dataclasses.asdict(each) for each in gate.judge(settings["require"], measures)],
        "examples": _side_by_side(asked, base, tuned, settings["side_by_sides"]),
        "general": _beside(asked.general, base.general_answers if base else None, tuned.general_answers),
    }
    return {**evaluation, "hash": fingerprint(evaluation), "seconds": round(time.monotonic() - begun, 1)}


def fingerprint(evaluation: dict[str, Any]) -> str:
    """Returns twelve digits that stand for an evaluation: what was asked of whom, and every number that came out."""
    kept = {key: value for key, value in evaluation.items() if key not in ("hash", "seconds", "gate")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]


def model_name(values: Values) -> str:
    """Returns the name under which the environment's tuned model is registered."""
    known = facts.load(values)
    return names.build(values, known, parameters.resolve(values, known)).model


def _observe(
    values: Values, client: Any, version: str, model: str, folder: Path, asked: Asked, endpoint: Any, notes: list[str]
) -> tuple[Observed | None, Observed]:
    """Asks both models, one after the other, so that only one is in memory."""
    settings = values.data["evaluation"]
    tuned_at = base_at = None
    if settings["weights"]:
        tuned_at = weights.tuned(client, model, version, folder)
        base_at = weights.base(values, tuned_at.folder, folder)
    elif endpoint is None:
        raise UserError(
            f"{values.where('evaluation.weights')}: evaluation.weights is false, so only endpoints are asked, and none "
            f"serves {model}:{version} here; make deploy ENV={values.environment}, or set it to true"
        )
    else:
        notes.append("Perplexity and losses need the weights, and evaluation.weights is false.")
    base_endpoint = settings.get("base_endpoint")
    serving_base = endpoint_module.require(values, client, base_endpoint) if base_endpoint else None
    system_role = weights.metadata(tuned_at.folder).get("system_role_supported", True) if tuned_at else True
    base = _one("base", base_at, serving_base, asked, settings, system_role) if base_at or serving_base else None
    return base, _one("tuned", tuned_at, endpoint, asked, settings, system_role)


def _one(
    who: str, at: weights.Weights | None, endpoint: Any, asked: Asked, settings: dict[str, Any], system_role: bool
) -> Observed:
    """Asks one model: losses from its weights, answers from its endpoint where there is one."""
    seen = Observed(at.name if at else endpoint.model, "")
    engine = None
    if at:
        from scripts.evaluate.engine import Model

        engine = Model(at.folder, system_role)
        _say(f"{who}: losses of {len(asked.cases)} true answers")
        seen.losses = engine.losses(asked.cases)
        seen.losses_elsewhere = engine.losses(asked.elsewhere())
        seen.general_losses = engine.losses(asked.general)
    wanted = [*asked.cases[: asked.answered], *asked.general]
    if endpoint:
        seen.answered_by = f"endpoint {endpoint.name}, deployment {endpoint.deployment}"
        _say(f"{who}: {len(wanted)} answers from {seen.answered_by}")
        answers = _from_endpoint(endpoint, wanted, settings["max_new_tokens"])
    else:
        seen.answered_by = "its weights on this machine"
        _say(f"{who}: {len(wanted)} answers from {seen.answered_by}")
        answers = engine.answers(wanted, settings["max_new_tokens"])
    seen.answers, seen.general_answers = answers[: asked.answered], answers[asked.answered :]
    return seen


def _from_endpoint(endpoint: Any, wanted: list[Any], max_new_tokens: int) -> list[str]:
    """Asks as many at a time as the deployment works on; the parameters are those of a greedy client."""
    from concurrent.futures import ThreadPoolExecutor

    ask = {"do_sample": False, "max_new_tokens": max_new_tokens}
    with endpoint_module.http_client(endpoint.timeout) as http, ThreadPoolExecutor(endpoint.places) as pool:
        return list(pool.map(lambda case: endpoint.ask(case.messages, ask, http).strip(), wanted))


def _endpoint(values: Values, client: Any, model: str, notes: list[str]) -> Any:
    """Returns the environment's endpoint if it serves this very model version."""
    name = endpoint_module.name_of(values)
    found = endpoint_module.find(values, client, name)
    if found and found.model != model:
        notes.append(f"Endpoint {name} serves {found.model}, not {model}, so it was not asked.")
        return None
    return found


def _side_by_side(asked: Asked, base: Observed | None, tuned: Observed, most: int) -> list[dict[str, Any]]:
    """The cases are in an order drawn by the seed, so the first ones are a sample."""
    answered = asked.cases[: min(most, asked.answered)]
    return _beside(answered, base.answers if base else None, tuned.answers)


def _beside(cases: list[Any], base: list[str] | None, tuned: list[str] | None) -> list[dict[str, Any]]:
    return [
        {
            "name": case.name,
            "question": asked_as_text(case.messages),
            "true": case.truth,
            "base": base[at] if base else None,
            "tuned": tuned[at] if tuned else None,
        }
        for at, case in enumerate(cases)
    ]


def asked_as_text(messages: list[dict[str, Any]]) -> str:
    """Returns the question, behind who said what before where it is not the first turn."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n".join(f"{message['role']}: {message.get('content')}" for message in messages)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def write(evaluation: dict[str, Any], folder: Path) -> list[Path]:
    """Writes evaluation.json, .md and .html into a folder; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        FILE: json.dumps(evaluation, indent=1, ensure_ascii=False) + "\n",
        "evaluation.md": report.markdown(evaluation),
        "evaluation.html": report.html(evaluation),
    }
    for name, content in contents.items():
        files.write(folder / name, content)
    return [folder / name for name in contents]


def version_of(options: argparse.Namespace) -> str:
    """Returns the model version that `--model-version` or the state folder names."""
    if options.model_version:
        return options.model_version
    if not options.folder:
        raise UserError(
            "which model version is meant is not known: give --model-version, or --folder .runs/<env>/<backend>"
        )
    return state.read(options.folder, "model-version", f"make register ENV={options.env} registers the model")


def add_version_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the two options that say which model version is meant."""
    parser.add_argument("--folder", type=Path, help="the run's state, for example .runs/dev/azure")
    parser.add_argument("--model-version", metavar="VERSION", help="instead of the one that the state names")


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.evaluate", description=__doc__)
    add_arguments(parser)
    add_version_arguments(parser)
    parser.add_argument("--engine", action="store_true", help="do not ask the endpoint even where one is deployed")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    version = version_of(options)
    folder = RUNS / version
    client = client_module.connect(values)
    evaluation = evaluate(values, version, folder, client, ask_endpoint=not options.engine)
    paths = write(evaluation, folder)
    if options.output == "json":
        print(json.dumps(evaluation, indent=1, ensure_ascii=False))
    else:
        print(report.terminal(evaluation))
        print(f"{', '.join(path.relative_to(ROOT).as_posix() for path in paths)}: written in {evaluation['seconds']} s")
    return 0


if __name__ == "__main__":
    from scripts.local.engine import threads

    threads.tune()
    main(run)
