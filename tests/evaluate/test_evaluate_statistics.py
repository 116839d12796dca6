"""ROUGE-L and the bootstrap against what rouge-score 0.1.2 and scipy 1.16 say, and against their definitions."""

from __future__ import annotations

import math
import random

import numpy
import pytest

from scripts.evaluate import statistics

PAIRS = [  # true, given, fmeasure of rouge_scorer.RougeScorer(["rougeL"])
    ("the cat was found under the bed", "the cat was under the bed", 0.923077),
    ('Set `precision` to "16".', "You can set precision to 16 or 32.", 0.666667),
    ("96 vCPUs, 4 GPUs, 880 GB of RAM and 256 GB of disk.", "It has 4 GPUs and 880 GB of memory, 96 vCPUs.", 0.416667),
    ("police killed the gunman", "police kill the gunman", 0.75),
    ("police killed the gunman", "the gunman kill police", 0.5),
    ("a b c d e", "e d c b a", 0.2),
]
# Drawn from a normal distribution; the intervals are scipy.stats.bootstrap's (percentile, 20,000 resamples).
BASE = [float(word) for word in """
    10.004 10.896 9.178 7.328 8.636 7.025 10.18 14.021 8.523 8.139 11.47 11.071 10.316 7.209 9.912 12.086 5.967
    8.627 4.296 6.131 4.475 9.295 6.198 10.814 10.47 9.439 2.45 8.384 9.854 10.34 5.41 8.567 7.064 7.573 13.183
    7.577 9.902 12.653 8.249 9.665""".split()]  # fmt: skip
TUNED = [float(word) for word in """
    8.114 8.781 6.117 5.939 8.268 4.073 9.003 11.336 6.177 8.512 9.938 7.658 8.327 6.344 7.741 10.352 4.707 7.569
    4.875 4.229 3.783 6.973 5.086 7.464 7.797 7.355 2.859 7.852 6.56 7.477 4.975 4.861 5.188 5.961 11.803 6.751
    7.594 9.754 6.349 9.256""".split()]  # fmt: skip


@pytest.mark.parametrize(("truth", "given", "expected"), PAIRS)
def test_rouge_l_is_that_of_rouge_score(truth: str, given: str, expected: float) -> None:
    assert statistics.rouge_l(truth, given) == pytest.approx(expected, abs=1e-6)


def test_rouge_l_at_its_ends() -> None:
    assert statistics.rouge_l("Paris.", "paris") == 1
    assert statistics.rouge_l("Paris", "") == 0
    assert statistics.rouge_l("", "") == 1
    assert statistics.rouge_l("größer", "größer") == 1  # letters beyond ASCII are letters


def test_intervals_are_those_of_scipy() -> None:
    mean = statistics.estimate(statistics.mean, BASE, resamples=20_000)
    assert (mean.low, mean.high) == pytest.approx((8.0429, 9.5552), abs=0.03)
    gap = statistics.estimate(statistics.difference(statistics.mean), TUNED, BASE, resamples=20_000)
    assert (gap.low, gap.high) == pytest.approx((-2.0531, -1.3866), abs=0.02)
    assert gap.value == pytest.approx(sum(TUNED) / 40 - sum(BASE) / 40)


def test_differences_are_paired() -> None:
    """Two models that differ by the same amount everywhere differ by it for certain, however the cases differ."""
    shifted = [value + 1 for value in BASE]
    gap = statistics.estimate(statistics.difference(statistics.mean), shifted, BASE)
    assert (gap.low, gap.value, gap.high) == pytest.approx((1, 1, 1))


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    draw = random.Random(3)
    covered = 0
    for trial in range(300):
        values = [draw.gauss(5, 2) for _ in range(40)]
        found = statistics.estimate(statistics.mean, values, resamples=400, confidence=90, seed=trial)
        covered += found.low <= 5 <= found.high
    assert 0.84 <= covered / 300 <= 0.94


def test_perplexity_is_over_all_tokens_together() -> None:
    loss, tokens = numpy.array([math.log(2) * 3, math.log(8)]), numpy.array([3.0, 1.0])
    assert statistics.perplexity(loss, tokens) == pytest.approx(2 ** (6 / 4))


def test_one_case_says_nothing_about_others() -> None:
    found = statistics.estimate(statistics.mean, [3.0])
    assert (found.value, found.low, found.high, found.cases) == (3.0, -math.inf, math.inf, 1)


def test_the_seed_decides_the_interval() -> None:
    one, same, other = (statistics.estimate(statistics.mean, BASE, seed=seed) for seed in (1, 1, 2))
    assert one == same != other
