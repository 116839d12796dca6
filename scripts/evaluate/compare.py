"""Asks both models, base and tuned, the same questions, and makes an evaluation of what they did."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts import state
from scripts.conversation import endpoint as endpoint_module
from scripts.conversation import held_out, model_folder
from scripts.conversation.endpoint import Endpoint
from scripts.conversation.held_out import Case
from scripts.errors import UserError
from scripts.evaluate import gate, general, measure, model_files, model_version, structured
from scripts.evaluate.evaluation import Answers, Evaluation
from scripts.evaluate.kind import Observed
from scripts.evaluate.measure import Asked
from scripts.evaluate.model_files import Weights
from scripts.evaluate.progress import Progress
from scripts.files import ROOT
from scripts.targets import command
from scripts.values.read import Values

# A demo has to be short: three answers to look at, and enough for a line of figures.
BRIEF = {"cases": 24, "loss_cases": 0, "side_by_sides": 3}


def evaluate(
    values: Values, version: str, folder: Path, client: Any, ask_endpoint: bool = True, root: Path = ROOT,
    brief: bool = False,
) -> Evaluation:  # fmt: skip
    """Measures model version `version` and its base; `folder` keeps the files of both.

    A `brief` one asks a few questions and measures no losses.
    """
    begun = time.monotonic()
    settings = {**values.data["evaluation"], **(BRIEF if brief else {})}
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
    observing = _Observing(asked, settings["max_new_tokens"], system_role, losses=not brief)
    base, tuned = observing.both((base_weights, base_endpoint), (weights, endpoint))
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
        confusions=structured.confusions(asked.cases[: asked.answered], base, tuned),
    ).ended(time.monotonic() - begun)


def _serving(values: Values, client: Any, model: str, notes: list[str]) -> Endpoint | None:
    """Returns the environment's endpoint, for that deployment alone, if it serves this very model version."""
    name = endpoint_module.name_of(values)
    endpoint = endpoint_module.find(client, name)
    if endpoint and endpoint.model != model:
        notes.append(f"Endpoint {name} serves {endpoint.model}, not {model}, so it was not asked.")
        return None
    return replace(endpoint, only=True) if endpoint else None  # while traffic is split, others answer, too


Source = tuple[Weights | None, Endpoint | None]


class _Observing:
    """Asks a model after the other: losses from its weights, answers from its endpoint where there is one."""

    def __init__(self, asked: Asked, max_new_tokens: int, system_role: bool, losses: bool) -> None:
        self.asked, self.max_new_tokens, self.system_role = asked, max_new_tokens, system_role
        self.with_loss = [*asked.cases, *asked.elsewhere(), *asked.general] if losses else []
        self.wanted = [*asked.cases[: asked.answered], *asked.general]

    def both(self, base: Source, tuned: Source) -> tuple[Observed | None, Observed | None]:
        """Returns what each of them did; None for one without weights and endpoint."""
        work = sum(bool(weights) * len(self.with_loss) for weights, _ in (base, tuned))
        work += sum(any(source) * len(self.wanted) * Progress.ANSWER for source in (base, tuned))
        progress = Progress(work, sys.stderr)
        try:
            return self._one("base", *base, progress), self._one("tuned", *tuned, progress)
        finally:
            progress.end()

    def _one(self, who: str, weights: Weights | None, endpoint: Endpoint | None, progress: Progress) -> Observed | None:
        if not weights and not endpoint:
            return None
        seen = Observed(weights.name if weights else endpoint.model if endpoint else "", "its weights on this machine")
        if weights and (self.with_loss or not endpoint):
            from scripts.evaluate.loaded_model import Model

            model = Model(weights.folder, self.system_role)
        if weights and self.with_loss:
            progress.part(f"{who}: losses of {len(self.with_loss)} true answers")
            losses, count = model.losses(self.with_loss, progress.done), len(self.asked.cases)
            seen.losses, seen.losses_elsewhere = losses[:count], losses[count : 2 * count]
            seen.general_losses = losses[2 * count :]
        if endpoint:
            seen.answered_by = f"endpoint {endpoint.name}, deployment {endpoint.deployment}"
        where = f"endpoint {endpoint.name}" if endpoint else "its weights"
        progress.part(f"{who}: {len(self.wanted)} answers from {where}")

        def done(answers: float) -> None:
            progress.done(answers * Progress.ANSWER)

        if endpoint:
            answers = _from_endpoint(endpoint, self.wanted, self.max_new_tokens, done)
        else:
            answers = model.answers(self.wanted, self.max_new_tokens, done)
        seen.answers, seen.general_answers = answers[: self.asked.answered], answers[self.asked.answered :]
        return seen


def _from_endpoint(
    endpoint: Endpoint, wanted: list[Case], max_new_tokens: int, done: Callable[[float], None]
) -> list[str]:
    """Asks as many at a time as the deployment works on; the parameters are those of a greedy client."""
    from concurrent.futures import ThreadPoolExecutor

    parameters = {"do_sample": False, "max_new_tokens": max_new_tokens}
    with endpoint_module.http_client(endpoint.timeout) as http, ThreadPoolExecutor(endpoint.places) as pool:
        answers = []
        for answer in pool.map(lambda case: endpoint.ask(case.messages, parameters, http).strip(), wanted):
            answers.append(answer)
            done(1)
        return answers


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
