"""The gate: `evaluation.require` against what was measured. A requirement that was not measured is not met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scripts.evaluate.evaluation import Measure, Verdict
from scripts.evaluate.statistics import Estimate

Both = Any  # a `Measure` that both models have, so that none of its estimates is None; a type checker cannot see that


@dataclass(frozen=True)
class Rule:
    """A requirement: which measure it is about, how that is called, and whether a limit is met, in a sentence.

    One that looks at the tuned model `alone` needs no measure of the base model.
    """

    measure: str
    title: str
    judge: Callable[[str, Both, float], tuple[bool, str]]
    alone: bool = False


def judge(require: dict[str, Any], measures: dict[str, Measure]) -> list[Verdict]:
    """Returns a verdict for every requirement that is set; `false` and `null` ask for nothing."""
    asked = {name: limit for name, limit in require.items() if limit is not None and limit is not False}
    return [_verdict(name, limit, measures.get(RULES[name].measure)) for name, limit in asked.items()]


def _verdict(name: str, limit: Any, measure: Measure | None) -> Verdict:
    rule = RULES[name]
    if measure is None or (measure.tuned if rule.alone else measure.difference) is None:
        whose = "" if rule.alone else " of both models"
        return Verdict(name, False, f"{rule.title}{whose}: not measured, so {name} is not met")
    return Verdict(name, *rule.judge(rule.title, measure, limit))


def _perplexity(title: str, both: Both, limit: float) -> tuple[bool, str]:
    change = both.change_percent
    return change.high <= -limit, (
        f"{title} {both.tuned.value:.2f} against {both.base.value:.2f} of the base: {change.value:+.1f} % "
        f"({_interval(change, 1)}); required is -{limit:g} % or lower, with all of the interval"
    )


def _above(title: str, both: Both, _: float) -> tuple[bool, str]:
    required = "required is more than the base's, with all of the interval of the difference"
    return both.difference.low > 0, f"{_numbers(title, both)}; {required}"


def _not_below(title: str, both: Both, _: float) -> tuple[bool, str]:
    required = "required is that it is not below the base's by more than chance"
    return both.difference.high >= 0, f"{_numbers(title, both)}; {required}"


def _no_more(title: str, both: Both, _: float) -> tuple[bool, str]:
    return both.tuned.value <= both.base.value, (
        f"{title} {both.tuned.value:.1f} % against {both.base.value:.1f} % of the base, of {both.tuned.cases} answers; "
        "required is no more than the base"
    )


def _lost(title: str, both: Both, limit: float) -> tuple[bool, str]:
    lost = round((both.base.value - both.tuned.value) * both.base.cases / 100)
    return lost <= limit, (
        f"{title} right: {both.tuned.value:.0f} % against {both.base.value:.0f} % of the base, that is "
        f"{lost if lost > 0 else 'none'} lost of {both.base.cases}; allowed are {limit:g}"
    )


def _at_least(title: str, seen: Both, limit: float) -> tuple[bool, str]:
    tuned = seen.tuned
    base = f" against {seen.base.value:.1f} % of the base" if seen.base else ""
    return tuned.value >= limit, (
        f"{title} {tuned.value:.1f} %{base}, of {tuned.cases} answers; required is {limit:g} % or more"
    )


RULES = {
    "perplexity_below_base_percent": Rule("perplexity", "perplexity", _perplexity),
    "rouge_l_above_base": Rule("rouge_l", "ROUGE-L", _above),
    "question_gain_kept": Rule("question_gain", "gain from the question", _not_below),
    "no_more_empty_answers": Rule("empty_answers", "empty answers", _no_more),
    "no_more_refusals": Rule("refusals", "refusals", _no_more),
    "json_valid_at_least_percent": Rule("json_valid", "valid JSON", _at_least, alone=True),
    "json_exact_at_least_percent": Rule("json_exact", "exactly right as JSON", _at_least, alone=True),
    "general_answers_lost_at_most": Rule("general_right", "general questions", _lost),
}


def _numbers(title: str, both: Both) -> str:
    gap = both.difference
    return (
        f"{title} {both.tuned.value:.3f} against {both.base.value:.3f} of the base: {gap.value:+.3f} "
        f"({_interval(gap, 3)}), {gap.cases} cases"
    )


def _interval(estimate: Estimate, digits: int) -> str:
    return f"{estimate.low:+.{digits}f} to {estimate.high:+.{digits}f}"
