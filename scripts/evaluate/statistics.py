"""The arithmetic of an evaluation: ROUGE-L, perplexity and intervals by the bootstrap, over the conversations."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Estimate:
    """A statistic of `cases` conversations, and the interval that it would mostly fall into with other ones."""

    value: float
    low: float
    high: float
    cases: int


def words(text: str) -> list[str]:
    """Returns a text's words in lower case; the same ones as the package rouge-score takes for ASCII text."""
    return _WORD.findall(text.lower())


def rouge_l(truth: str, given: str) -> float:
    """Returns ROUGE-L (F1 of the longest common subsequence of words, not stemmed), 0 to 1; two empty texts are 1."""
    wanted, got = words(truth), words(given)
    if not wanted or not got:
        return float(wanted == got)
    row = [0] * (len(got) + 1)
    for word in wanted:
        corner = 0
        for at, other in enumerate(got, 1):
            corner, row[at] = row[at], corner + 1 if word == other else max(row[at], row[at - 1])
    return 2 * row[-1] / (len(wanted) + len(got))


def mean(values: Any) -> Any:
    """Returns the mean over the last axis."""
    return values.mean(-1)


def share(counted: Any, of: Any) -> Any:
    """Returns the sum of one column by the sum of another: a mean a token where the columns are losses and tokens."""
    return counted.sum(-1) / of.sum(-1)


def perplexity(loss: Any, tokens: Any) -> Any:
    """Returns the perplexity of all tokens; `loss` is the summed negative log-likelihood a conversation, in nats."""
    import numpy

    return numpy.exp(share(loss, tokens))


def difference(statistic: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the statistic of (tuned minus base), which takes the tuned model's columns and then the base model's."""

    def paired(*columns: Any) -> Any:
        half = len(columns) // 2
        return statistic(*columns[:half]) - statistic(*columns[half:])

    return paired


def estimate(
    statistic: Callable[..., Any], *columns: Any, resamples: int = 2000, confidence: float = 95, seed: int = 0
) -> Estimate:
    """Returns a statistic with its percentile bootstrap interval of `confidence` percent.

    `columns` are lists with a number a conversation; `statistic` reduces their last axis. All columns are resampled by
    the same conversations, so that a difference between two models is a paired one.
    """
    import numpy

    arrays = [numpy.asarray(column, dtype=float) for column in columns]
    cases = len(arrays[0])
    value = float(statistic(*arrays))
    if cases < 2:  # one conversation says nothing about others
        return Estimate(value, float("-inf"), float("inf"), cases)
    picks = _picks(cases, resamples, seed)
    drawn = statistic(*(array[picks] for array in arrays))
    edge = (100 - confidence) / 2
    low, high = numpy.percentile(drawn, [edge, 100 - edge])
    return Estimate(value, float(low), float(high), cases)


@functools.lru_cache(maxsize=8)
def _picks(cases: int, resamples: int, seed: int) -> Any:
    import numpy

    return numpy.random.default_rng(seed).integers(0, cases, size=(resamples, cases))
