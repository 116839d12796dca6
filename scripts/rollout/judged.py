"""What a round of questions says of a deployment beside the one that answers: errors, time, answers.

A model that is as good must not be refused by chance, and few questions say little. So answers are refused only where
the paired bootstrap over the questions leaves no doubt: the upper end of the 95 per cent interval of (the new one's
score less the share of the old one's that is asked for) lies below 0. Nonsense does so with a handful of questions. The
median time counts only where it differs by more than a blink; errors and empty answers are counted.
"""

from __future__ import annotations

import statistics as plain
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.conversation.held_out import Case
from scripts.evaluate import statistics, structured
from scripts.rollout.service import Reply

BLINK = 0.2  # seconds by which two medians may differ, whatever share that is


@dataclass(frozen=True)
class Limits:
    """What the values allow."""

    most_errors_percent: float
    most_slower_percent: float
    answers_at_least_percent: float

    @classmethod
    def of(cls, rollout: Mapping[str, Any]) -> Limits:
        """Reads `deployment.rollout` of the values."""
        return cls(**{key: rollout[key] for key in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Round:
    """Questions, what the new one replied to them, and what the old one did; no old ones where it is the first."""

    cases: Sequence[Case]
    new: Sequence[Reply]
    old: Sequence[Reply]
    live: str = ""  # the old one's name

    def fault(self, limits: Limits) -> str:
        """Returns which check failed, with its figures; empty where none did."""
        return self.errors(limits, len(self.cases)) or self._slower(limits) or self._worse(limits)

    def summary(self) -> str:
        """Returns the figures in a few words."""
        errors, (new, old) = len(self._failed()), self._medians()
        words = [
            f"{len(self.new)} questions, {errors} errors",
            f"median {new:.1f} s" + f" ({self.live} {old:.1f} s)" * bool(self.old),
        ]
        scores = self._scores()
        if scores and self.old:
            words.append(f"answers {plain.mean(scores[0]):.2f} ({self.live} {plain.mean(scores[1]):.2f}) of 1")
        return ", ".join(words)

    def _failed(self) -> list[str]:
        """Returns what was wrong with each reply that is none: an answer is empty only if the old one's is not, too."""
        olds = [*self.old, *[None] * len(self.new)]
        return [
            reply.error or "the answer was empty"
            for reply, old in zip(self.new, olds, strict=False)
            if reply.error or not (reply.text.strip() or (old and not old.error and not old.text.strip()))
        ]

    def errors(self, limits: Limits, of: int) -> str:
        """Returns the sentence where more questions went wrong than may, of so many that are asked in all."""
        failed = self._failed()
        if 100 * len(failed) <= limits.most_errors_percent * of:
            return ""
        allowed = f"most_errors_percent allows {limits.most_errors_percent:g} %"
        return f"errors: {len(failed)} of {len(self.new)} questions got no answer ({failed[0]}); {allowed}"

    def _medians(self) -> tuple[float, float]:
        times = [[reply.seconds for reply in replies if not reply.error] for replies in (self.new, self.old)]
        new, old = (plain.median(each) if each else 0.0 for each in times)
        return new, old

    def _slower(self, limits: Limits) -> str:
        new, old = self._medians()
        if not old or new - old <= BLINK or new <= old * (1 + limits.most_slower_percent / 100):
            return ""
        return (
            f"latency: the median is {new:.2f} s, {100 * (new / old - 1):.0f} % more than the {old:.2f} s of what "
            f"answers now ({len(self.new)} questions); most_slower_percent allows {limits.most_slower_percent:g} %"
        )

    def _scores(self) -> tuple[list[float], list[float]] | None:
        """Returns the scores of both where both answered a question that has a true answer."""
        pairs = [
            (score(case, new.text), score(case, old.text))
            for case, new, old in zip(self.cases, self.new, self.old, strict=False)
            if case.truth and not new.error and not old.error
        ]
        return ([each[0] for each in pairs], [each[1] for each in pairs]) if pairs else None

    def _worse(self, limits: Limits) -> str:
        scores = self._scores()
        if scores is None:
            return ""
        asked = limits.answers_at_least_percent / 100

        def missing(new: Any, old: Any) -> Any:
            return (new - asked * old).mean(-1)

        if statistics.estimate(missing, *scores).high >= 0:
            return ""
        new, old = map(plain.mean, scores)
        return (
            f"answers: {new:.2f} of 1 on the true answers where what answers now has {old:.2f} ({len(scores[0])} "
            f"questions; beyond chance); answers_at_least_percent wants {limits.answers_at_least_percent:g} % of that"
        )


def score(case: Case, given: str) -> float:
    """Returns how right an answer is, 0 to 1: whole JSON that is the true one, else ROUGE-L."""
    true = structured.read(case.truth)
    if true is None:
        return statistics.rouge_l(case.truth, given)
    found = structured.read(given.strip())
    return float(found is not None and found.whole == true.whole)
