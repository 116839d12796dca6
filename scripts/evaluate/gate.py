"""The gate: `evaluation.require` against what was measured. A requirement that was not measured is not met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scripts.evaluate.evaluation import Measure, Verdict
from scripts.evaluate.statistics import Estimate


@dataclass(frozen=True)
class Compared:
    """A measure that both models have, with the name that its sentences use."""

    title: str
    base: Estimate
    tuned: Estimate
    gap: Estimate  # tuned minus base
    change_percent: Estimate | None

    def numbers(self, digits: int) -> str:
        """Returns both numbers and their difference in words."""
        return (
            f"{self.title} {self.tuned.value:.{digits}f} against {self.base.value:.{digits}f} of the base: "
            f"{self.gap.value:+.{digits}f} ({_interval(self.gap, digits)}), {self.gap.cases} cases"
        )


@dataclass(frozen=True)
class Rule:
    """A requirement: which measure it is about, and whether that is met, in a sentence."""

    measure: str
    title: str
    judge: Callable[[Compared, float], tuple[bool, str]]


def judge(require: dict[str, Any], measures: dict[str, Measure]) -> list[Verdict]:
    """Returns a verdict for every requirement that is set; `false` and `null` ask for nothing."""
    asked = {name: limit for name, limit in require.items() if limit is not None and limit is not False}
    return [_verdict(name, limit, measures) for name, limit in asked.items()]


def _verdict(name: str, limit: Any, measures: dict[str, Measure]) -> Verdict:
    rule = RULES[name]
    measure = measures.get(rule.measure)
    if not measure or not (measure.base and measure.tuned and measure.difference):
        return Verdict(name, False, f"{rule.title} of both models: not measured, so {name} is not met")
    compared = Compared(rule.title, measure.base, measure.tuned, measure.difference, measure.change_percent)
    return Verdict(name, *rule.judge(compared, limit))


def _perplexity(both: Compared, limit: float) -> tuple[bool, str]:
    change = both.change_percent
    assert change is not None  # perplexity has it wherever both models have a number
    return change.high <= -limit, (
        f"perplexity {both.tuned.value:.2f} against {both.base.value:.2f} of the base: {change.value:+.1f} % "
        f"({_interval(change, 1)}); required is -{limit:g} % or lower, with all of the interval"
    )


def _above(both: Compared, _: float) -> tuple[bool, str]:
    required = "required is more than the base's, with all of the interval of the difference"
    return both.gap.low > 0, f"{both.numbers(3)}; {required}"


def _not_below(both: Compared, _: float) -> tuple[bool, str]:
    return both.gap.high >= 0, f"{both.numbers(3)}; required is that it is not below the base's by more than chance"


def _no_more(both: Compared, _: float) -> tuple[bool, str]:
    return both.tuned.value <= both.base.value, (
        f"{both.title} {both.tuned.value:.1f} % against {both.base.value:.1f} % of the base, of {both.tuned.cases} "
        "answers; required is no more than the base"
    )


def _lost(both: Compared, limit: float) -> tuple[bool, str]:
    lost = round((both.base.value - both.tuned.value) * both.base.cases / 100)
    return lost <= limit, (
        f"general questions right: {both.tuned.value:.0f} % against {both.base.value:.0f} % of the base, that is "
        f"{lost if lost > 0 else 'none'} lost of {both.base.cases}; allowed are {limit:g}"
    )


RULES = {
    "perplexity_below_base_percent": Rule("perplexity", "perplexity", _perplexity),
    "rouge_l_above_base": Rule("rouge_l", "ROUGE-L", _above),
    "question_gain_kept": Rule("question_gain", "gain from the question", _not_below),
    "no_more_empty_answers": Rule("empty_answers", "empty answers", _no_more),
    "no_more_refusals": Rule("refusals", "refusals", _no_more),
    "general_answers_lost_at_most": Rule("general_right", "general questions", _lost),
}


def _interval(estimate: Estimate, digits: int) -> str:
    return f"{estimate.low:+.{digits}f} to {estimate.high:+.{digits}f}"
