"""Asks both models, base and tuned, the same questions, and makes an evaluation of what they did."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts import state
from scripts.conversation import endpoint as endpoint_module
from scripts.conversation import held_out, model_folder
from scripts.conversation.endpoint import Endpoint
from scripts.conversation.held_out import Case
from scripts.errors import UserError
from scripts.evaluate import gate, general, measure, model_files, model_version
from scripts.evaluate.evaluation import Answers, Evaluation
from scripts.evaluate.measure import Asked, Observed
from scripts.files import ROOT
from scripts.values.read import Values


@dataclass
class Sides:
    """Where each model can be asked: `weights` for losses, an endpoint for answers; and what a reader has to know."""

    base: model_files.Weights | None = None
    tuned: model_files.Weights | None = None
    base_endpoint: Endpoint | None = None
    endpoint: Endpoint | None = None
    notes: list[str] = field(default_factory=list)


def evaluate(
    values: Values, version: str, folder: Path, client: Any, ask_endpoint: bool = True, root: Path = ROOT
) -> Evaluation:
    """Measures model version `version` and its base; `folder` keeps the files of both."""
    begun = time.monotonic()
    settings = values.data["evaluation"]
    model = model_version.name(values)
    cases = held_out.drawn(values.environment, max(settings["cases"], settings["loss_cases"]), settings["seed"], root)
    asked = Asked(
        cases,
        min(settings["cases"], len(cases)),
        general.questions(),
        settings["short_answer_words"],
        {name: settings[name] for name in ("resamples", "confidence", "seed")},
    )
    sides = _sides(values, client, model, version, folder, ask_endpoint)
    base, tuned = _observe(sides, asked, settings)
    measures = measure.measure(asked, base, tuned)
    examples = asked.cases[: min(settings["side_by_sides"], asked.answered)]  # in the seed's order, so a sample
    return Evaluation(
        environment=values.environment,
        model=model,
        version=version,
        base=base.name if base else "not asked",
        data_version=state.data_version(values.environment, root),
        asked=len(cases),
        answered=asked.answered,
        answered_by={"base": base.answered_by if base else "nobody", "tuned": tuned.answered_by},
        settings={key: value for key, value in settings.items() if key != "require"},
        notes=sides.notes,
        measures=measures,
        gate=gate.judge(settings["require"], measures),
        examples=_beside(examples, base.answers if base else None, tuned.answers),
        general=_beside(asked.general, base.general_answers if base else None, tuned.general_answers),
    ).ended(time.monotonic() - begun)


def _sides(values: Values, client: Any, model: str, version: str, folder: Path, ask_endpoint: bool) -> Sides:
    settings = values.data["evaluation"]
    sides = Sides()
    if ask_endpoint:
        sides.endpoint = _serving(values, client, f"{model}:{version}", sides.notes)
    if settings["weights"]:
        sides.tuned = model_files.tuned(client, model, version, folder)
        sides.base = model_files.base(values, sides.tuned.folder, folder)
    elif sides.endpoint is None:
        raise UserError(
            f"{values.where('evaluation.weights')}: evaluation.weights is false, so only endpoints are asked, and none "
            f"serves {model}:{version} here; make deploy ENV={values.environment}, or set it to true"
        )
    else:
        sides.notes.append("Perplexity and losses need the weights, and evaluation.weights is false.")
    if settings.get("base_endpoint"):
        sides.base_endpoint = endpoint_module.require(values, client, settings["base_endpoint"])
    return sides


def _serving(values: Values, client: Any, model: str, notes: list[str]) -> Endpoint | None:
    """Returns the environment's endpoint if it serves this very model version."""
    name = endpoint_module.name_of(values)
    endpoint = endpoint_module.find(client, name)
    if endpoint and endpoint.model != model:
        notes.append(f"Endpoint {name} serves {endpoint.model}, not {model}, so it was not asked.")
        return None
    return endpoint


def _observe(sides: Sides, asked: Asked, settings: dict[str, Any]) -> tuple[Observed | None, Observed]:
    """Asks both models, one after the other, so that only one is in memory."""
    tokens = settings["max_new_tokens"]
    system_role = model_folder.system_role_supported(sides.tuned.folder) if sides.tuned else True
    base = _one("base", sides.base, sides.base_endpoint, asked, tokens, system_role)
    tuned = _one("tuned", sides.tuned, sides.endpoint, asked, tokens, system_role)
    assert tuned is not None  # `_sides` has found weights or an endpoint
    return base, tuned


def _one(
    who: str,
    weights: model_files.Weights | None,
    endpoint: Endpoint | None,
    asked: Asked,
    max_new_tokens: int,
    system_role: bool,
) -> Observed | None:
    """Asks one model: losses from its weights, answers from its endpoint where there is one; None if it has neither."""
    seen = Observed(weights.name if weights else endpoint.model if endpoint else "", "")
    wanted = [*asked.cases[: asked.answered], *asked.general]
    answers: list[str] = []
    if weights:
        from scripts.evaluate.loaded_model import Model

        model = Model(weights.folder, system_role)
        _say(f"{who}: losses of {len(asked.cases)} true answers")
        seen.losses = model.losses(asked.cases)
        seen.losses_elsewhere = model.losses(asked.elsewhere())
        seen.general_losses = model.losses(asked.general)
        if not endpoint:
            seen.answered_by = "its weights on this machine"
            _say(f"{who}: {len(wanted)} answers from {seen.answered_by}")
            answers = model.answers(wanted, max_new_tokens)
    if endpoint:
        seen.answered_by = f"endpoint {endpoint.name}, deployment {endpoint.deployment}"
        _say(f"{who}: {len(wanted)} answers from {seen.answered_by}")
        answers = _from_endpoint(endpoint, wanted, max_new_tokens)
    seen.answers, seen.general_answers = answers[: asked.answered], answers[asked.answered :]
    return seen if seen.answered_by else None


def _from_endpoint(endpoint: Endpoint, wanted: list[Case], max_new_tokens: int) -> list[str]:
    """Asks as many at a time as the deployment works on; the parameters are those of a greedy client."""
    from concurrent.futures import ThreadPoolExecutor

    parameters = {"do_sample": False, "max_new_tokens": max_new_tokens}
    with endpoint_module.http_client(endpoint.timeout) as http, ThreadPoolExecutor(endpoint.places) as pool:
        return list(pool.map(lambda case: endpoint.ask(case.messages, parameters, http).strip(), wanted))


def _beside(cases: list[Case], base: list[str] | None, tuned: list[str] | None) -> list[Answers]:
    return [
        Answers(case.name, as_text(case.messages), case.truth, base[at] if base else None, tuned[at] if tuned else None)
        for at, case in enumerate(cases)
    ]


def as_text(messages: list[dict[str, Any]]) -> str:
    """Returns the question, behind who said what before where it is not the first turn."""
    if len(messages) == 1:
        return str(messages[0]["content"])
    return "\n".join(f"{message['role']}: {message.get('content')}" for message in messages)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
