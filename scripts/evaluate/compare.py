"""Asks both models, base and tuned, the same questions, and makes an evaluation of what they did."""

from __future__ import annotations

import sys
import time
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
from scripts.evaluate.model_files import Weights
from scripts.files import ROOT
from scripts.targets import command
from scripts.values.read import Values


def evaluate(
    values: Values, version: str, folder: Path, client: Any, ask_endpoint: bool = True, root: Path = ROOT
) -> Evaluation:
    """Measures model version `version` and its base; `folder` keeps the files of both."""
    begun = time.monotonic()
    settings = values.data["evaluation"]
    model = model_version.name(values)
    cases = held_out.drawn(values.environment, max(settings["cases"], settings["loss_cases"]), settings["seed"], root)
    notes: list[str] = []
    endpoint = _serving(values, client, f"{model}:{version}", notes) if ask_endpoint else None
    name = settings.get("base_endpoint")
    base_endpoint = endpoint_module.require(values, client, name) if name else None
    if endpoint or base_endpoint:
        cases, left_out = held_out.askable(cases)
        notes += [f"{left_out[0].upper()}{left_out[1:]}."] if left_out else []
    asked = Asked(
        cases,
        min(settings["cases"], len(cases)),
        general.questions(),
        settings["short_answer_words"],
        {name: settings[name] for name in ("resamples", "confidence", "seed")},
    )
    base_weights = weights = None
    if settings["weights"]:
        weights = model_files.tuned(client, model, version, folder)
        base_weights = model_files.base(values, weights.folder, folder)
        trained = model_folder.metadata(weights.folder).get("result") or {}
        if trained.get("steps"):
            said = f"CAPPED: {trained['capped']}" if trained.get("capped") else f"{trained['steps']} steps"
            notes.append(f"Trained for {said}.")
    elif endpoint is None:
        raise UserError(
            f"{values.where('evaluation.weights')}: evaluation.weights is false, so only endpoints are asked, and none "
            f"serves {model}:{version} here; {command('deploy', values.environment)}, or set it to true"
        )
    else:
        notes.append("Perplexity and losses need the weights, and evaluation.weights is false.")
    # Whether the tuned model's template knows a system role; both models are asked alike.
    system_role = weights is None or model_folder.system_role_supported(weights.folder)
    base = _observe("base", base_weights, base_endpoint, system_role, asked, settings["max_new_tokens"])
    tuned = _observe("tuned", weights, endpoint, system_role, asked, settings["max_new_tokens"])
    assert tuned  # there are its weights or its endpoint
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
        notes=notes,
        measures=measures,
        gate=gate.judge(settings["require"], measures),
        examples=_beside(examples, base.answers if base else None, tuned.answers),
        general=_beside(asked.general, base.general_answers if base else None, tuned.general_answers),
    ).ended(time.monotonic() - begun)


def _serving(values: Values, client: Any, model: str, notes: list[str]) -> Endpoint | None:
    """Returns the environment's endpoint if it serves this very model version."""
    name = endpoint_module.name_of(values)
    endpoint = endpoint_module.find(client, name)
    if endpoint and endpoint.model != model:
        notes.append(f"Endpoint {name} serves {endpoint.model}, not {model}, so it was not asked.")
        return None
    return endpoint


def _observe(
    who: str, weights: Weights | None, endpoint: Endpoint | None, system_role: bool, asked: Asked, max_new_tokens: int
) -> Observed | None:
    """Asks one model: losses from its weights, answers from its endpoint where there is one; None without either."""
    wanted = [*asked.cases[: asked.answered], *asked.general]
    here = "its weights on this machine"
    if weights:
        from scripts.evaluate.loaded_model import Model

        seen = Observed(weights.name, here)
        model = Model(weights.folder, system_role)
        _say(f"{who}: losses of {len(asked.cases)} true answers")
        seen.losses = model.losses(asked.cases)
        seen.losses_elsewhere = model.losses(asked.elsewhere())
        seen.general_losses = model.losses(asked.general)
    elif endpoint:
        seen = Observed(endpoint.model, here)
    else:
        return None
    if endpoint:
        seen.answered_by = f"endpoint {endpoint.name}, deployment {endpoint.deployment}"
    _say(f"{who}: {len(wanted)} answers from {seen.answered_by}")
    answers = _from_endpoint(endpoint, wanted, max_new_tokens) if endpoint else model.answers(wanted, max_new_tokens)
    seen.answers, seen.general_answers = answers[: asked.answered], answers[asked.answered :]
    return seen


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
