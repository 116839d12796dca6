"""The gate: `evaluation.require` against what was measured. A requirement that was not measured is not met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Numbers = dict[str, Any]  # of one measure: base, tuned, difference, change_percent -> value, low, high, cases


@dataclass(frozen=True)
class Verdict:
    """A requirement, whether it is met, and the numbers in a sentence."""

    requirement: str
    met: bool
    sentence: str


def judge(require: dict[str, Any], measures: dict[str, Numbers]) -> list[Verdict]:
    """Returns a verdict for every requirement that is set; `false` and `null` ask for nothing."""
    return [
        RULES[name](name, limit, measures)
        for name, limit in require.items()
        if limit is not None and limit is not False
    ]


def _perplexity(name: str, limit: float, measures: dict[str, Numbers]) -> Verdict:
    numbers = measures.get("perplexity", {})
    change = numbers.get("change_percent")
    if not change:
        return _unmeasured(name, "perplexity of both models")
    return Verdict(
        name,
        change["high"] <= -limit,
        f"perplexity {numbers['tuned']['value']:.2f} against {numbers['base']['value']:.2f} of the base: "
        f"{change['value']:+.1f} % ({_interval(change, 1)}); required is -{limit:g} % or lower, with all of the interval",
    )


def _above(key: str, title: str, digits: int) -> Callable[[str, Any, dict[str, Numbers]], Verdict]:
    def rule(name: str, limit: Any, measures: dict[str, Numbers]) -> Verdict:
        numbers = measures.get(key, {})
        gap = numbers.get("difference")
        if not gap:
            return _unmeasured(name, f"{title} of both models")
        return Verdict(name, gap["low"] > 0, f"{_both(title, numbers, digits)}; required is more than the base's, with all of "
                                             "the interval of the difference")  # fmt: skip

    return rule


def _not_below(key: str, title: str, digits: int) -> Callable[[str, Any, dict[str, Numbers]], Verdict]:
    def rule(name: str, limit: Any, measures: dict[str, Numbers]) -> Verdict:
        numbers = measures.get(key, {})
        gap = numbers.get("difference")
        if not gap:
            return _unmeasured(name, f"{title} of both models")
        return Verdict(name, gap["high"] >= 0, f"{_both(title, numbers, digits)}; required is that it is not below the base's "
                                               "by more than chance")  # fmt: skip

    return rule


def _no_more(key: str, title: str) -> Callable[[str, Any, dict[str, Numbers]], Verdict]:
    def rule(name: str, limit: Any, measures: dict[str, Numbers]) -> Verdict:
        numbers = measures.get(key, {})
        if not numbers.get("difference"):
            return _unmeasured(name, f"{title} of both models")
        base, tuned = numbers["base"], numbers["tuned"]
        met = tuned["value"] <= base["value"]
        return Verdict(name, met, f"{title} {tuned['value']:.1f} % against {base['value']:.1f} % of the base, of "
                                  f"{tuned['cases']} answers; required is no more than the base")  # fmt: skip

    return rule


def _lost(name: str, limit: float, measures: dict[str, Numbers]) -> Verdict:
    numbers = measures.get("general_right", {})
    if not numbers.get("difference"):
        return _unmeasured(name, "general questions of both models")
    base, tuned = numbers["base"], numbers["tuned"]
    lost = round((base["value"] - tuned["value"]) * base["cases"] / 100)
    return Verdict(
        name,
        lost <= limit,
        f"general questions right: {tuned['value']:.0f} % against {base['value']:.0f} % of the base, that is "
        f"{lost if lost > 0 else 'none'} lost of {base['cases']}; allowed are {limit:g}",
    )


RULES: dict[str, Callable[[str, Any, dict[str, Numbers]], Verdict]] = {
    "perplexity_below_base_percent": _perplexity,
    "rouge_l_above_base": _above("rouge_l", "ROUGE-L", 3),
    "question_gain_kept": _not_below("question_gain", "gain from the question", 3),
    "no_more_empty_answers": _no_more("empty_answers", "empty answers"),
    "no_more_refusals": _no_more("refusals", "refusals"),
    "general_answers_lost_at_most": _lost,
}


def _both(title: str, numbers: Numbers, digits: int) -> str:
    gap = numbers["difference"]
    return (
        f"{title} {numbers['tuned']['value']:.{digits}f} against {numbers['base']['value']:.{digits}f} of the base: "
        f"{gap['value']:+.{digits}f} ({_interval(gap, digits)}), {gap['cases']} cases"
    )


def _interval(estimate: dict[str, float], digits: int) -> str:
    return f"{estimate['low']:+.{digits}f} to {estimate['high']:+.{digits}f}"


def _unmeasured(name: str, what: str) -> Verdict:
    return Verdict(name, False, f"{what}: not measured, so {name} is not met")
