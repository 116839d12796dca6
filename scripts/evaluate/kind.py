"""A measure before it is taken: which numbers of a model it is made of, an answer or a conversation a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.conversation.held_out import Case
from scripts.evaluate.evaluation import Measure

Loss = tuple[float, int]  # summed negative log-likelihood in nats, tokens


@dataclass
class Observed:
    """What one model did: losses of the true answers, the same behind another question, answers; None: not asked."""

    name: str
    answered_by: str
    losses: list[Loss] | None = None
    losses_elsewhere: list[Loss] | None = None
    general_losses: list[Loss] | None = None
    answers: list[str] | None = None
    general_answers: list[str] | None = None


Columns = Callable[[Sequence[Case], Observed], list[list[float]] | None]  # None: the model was not asked


@dataclass(frozen=True)
class Kind:
    """A measure before it is taken, and how a model's columns become its number."""

    key: str
    measure: Measure
    statistic: Callable[..., Any]
    columns: Columns


def over(
    score: Callable[[Case, str], float], of: str = "answers", among: Callable[[Case], bool] = lambda _: True
) -> Columns:
    """Returns the column of a measure that is a number an answer, for the cases that it is `among`."""

    def columns(cases: Sequence[Case], seen: Observed) -> list[list[float]] | None:
        answers: list[str] | None = getattr(seen, of)
        if answers is None:
            return None
        return [[float(score(case, given)) for case, given in zip(cases, answers, strict=True) if among(case)]]

    return columns
