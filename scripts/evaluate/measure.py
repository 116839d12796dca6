"""From losses and answers to measures: each for base and tuned, with intervals, and the paired difference."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.conversation.held_out import Case
from scripts.evaluate import judge, statistics, structured
from scripts.evaluate.evaluation import Measure
from scripts.evaluate.kind import Kind, Loss, Observed, over


@dataclass
class Asked:
    """What both models were asked: `cases` for losses, the first `answered` of them for answers, general questions."""

    cases: list[Case]
    answered: int
    general: list[Case]
    short_answer_words: int = 5
    options: dict[str, Any] = field(default_factory=dict)  # of statistics.estimate

    def elsewhere(self) -> list[Case]:
        """Returns every true answer behind the next case's question: what it costs when the question does not help."""
        following = [*self.cases[1:], *self.cases[:1]]
        return [
            dataclasses.replace(case, messages=other.messages)
            for case, other in zip(self.cases, following, strict=True)
        ]


def measure(asked: Asked, base: Observed | None, tuned: Observed) -> dict[str, Measure]:
    """Returns every measure by its key, in the order of a report."""
    return {kind.key: _measured(kind, cases, asked, base, tuned) for kind, cases in kinds(asked)}


def kinds(asked: Asked) -> list[tuple[Kind, Sequence[Case]]]:
    """Returns the measures with the cases that each is about."""
    answered = asked.cases[: asked.answered]
    few = asked.short_answer_words
    mean_words = sum(len(statistics.words(case.truth)) for case in answered) / max(1, len(answered))
    of_losses = (
        Kind("perplexity",
             Measure("perplexity of the true answer", "lower", 2, "over all its tokens, given the conversation"),
             statistics.perplexity, lambda cases, seen: _columns(seen.losses)),
        Kind("loss",
             Measure("loss of the true answer", "lower", 3, "nats a token: the logarithm of the perplexity"),
             statistics.share, lambda cases, seen: _columns(seen.losses)),
        Kind("question_gain",
             Measure("gain from the question", "higher", 3,
                     "nats a token that the true answer costs more behind another conversation's question; about 0 "
                     "means that the model answers without regard to what is asked"),
             statistics.share, _gain),
    )  # fmt: skip
    of_answers = (
        Kind("rouge_l",
             Measure("ROUGE-L", "higher", 3, "longest common subsequence of words with the true answer, F1"),
             statistics.mean, over(lambda case, given: statistics.rouge_l(case.truth, given))),
        Kind("exact_match",
             Measure("exact match", "higher", 1,
                     f"true answers of at most {few} words; case, articles and punctuation do not count", percent=True),
             statistics.mean, over(lambda case, given: judge.is_exact(case.truth, given),
                                    among=lambda case: len(statistics.words(case.truth)) <= few)),
        Kind("answer_words",
             Measure("words an answer", "", 1, f"the true answers have {mean_words:.1f} on average"),
             statistics.mean, over(lambda case, given: len(statistics.words(given)))),
        Kind("refusals",
             Measure("refusals", "lower", 1, "by the words with which the answer begins", percent=True),
             statistics.mean, over(lambda case, given: judge.is_refusal(given))),
        Kind("empty_answers",
             Measure("empty answers", "lower", 1, "without a letter or digit", percent=True),
             statistics.mean, over(lambda case, given: judge.is_empty(given))),
    )  # fmt: skip
    general = (
        Kind("general_right",
             Measure("general questions right", "higher", 1, "a right answer has one of the accepted words",
                     percent=True),
             statistics.mean, over(lambda case, given: judge.mentions(given, case.accepted), "general_answers")),
        Kind("general_loss",
             Measure("loss on general answers", "lower", 3, "nats a token; more than before is forgetting"),
             statistics.share, lambda cases, seen: _columns(seen.general_losses)),
    )  # fmt: skip
    of_json = structured.kinds(answered)
    about = ((of_losses, asked.cases), (of_json, answered), (of_answers, answered), (general, asked.general))
    return [(kind, cases) for some, cases in about for kind in some]


def _measured(kind: Kind, cases: Sequence[Case], asked: Asked, base: Observed | None, tuned: Observed) -> Measure:
    after, before = kind.columns(cases, tuned), kind.columns(cases, base) if base else None
    scale = 100 if kind.measure.percent else 1

    def statistic(*columns: Any) -> Any:
        return scale * kind.statistic(*columns)

    estimates: dict[str, Any] = {}
    for name, columns in (("base", before), ("tuned", after)):
        if columns and columns[0]:
            estimates[name] = statistics.estimate(statistic, *columns, **asked.options)
    if before and after and len(estimates) == 2:
        both = (*after, *before)
        estimates["difference"] = statistics.estimate(statistics.difference(statistic), *both, **asked.options)
        if kind.key == "perplexity":
            estimates["change_percent"] = statistics.estimate(_change_percent, *both, **asked.options)
    return dataclasses.replace(kind.measure, **estimates)


def _change_percent(*columns: Any) -> Any:
    half = len(columns) // 2
    return 100 * (statistics.perplexity(*columns[:half]) / statistics.perplexity(*columns[half:]) - 1)


def _columns(losses: list[Loss] | None) -> list[list[float]] | None:
    return None if losses is None else [[loss for loss, _ in losses], [float(tokens) for _, tokens in losses]]


def _gain(cases: Sequence[Case], seen: Observed) -> list[list[float]] | None:
    if seen.losses is None or seen.losses_elsewhere is None or len(cases) < 2:
        return None
    pairs = zip(seen.losses_elsewhere, seen.losses, strict=True)
    return [[elsewhere[0] - own[0] for elsewhere, own in pairs], [float(tokens) for _, tokens in seen.losses]]
