"""Campaigns: tests that do something many times with chance in it, short in `make test` and long in `make torture`.

A campaign carries the mark `torture` and takes the fixture `campaign`: it asks it how many times (`size`), counts what
it tried (`tried`), and says what went wrong (`wrong`); the table at the end has a line for each. One that is long in
any case carries the mark `long` too. Chance comes from `campaign.chance`, whose seed the table names: TORTURE_SEED=<n>
gives it again.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

KINDS = ("lost", "twice", "stuck", "500", "traceback")  # what may go wrong; `half` and the like count as lost
ROWS: list[dict[str, Any]] = []


class Campaign:
    """What a campaign tried and what it met."""

    def __init__(self, name: str, long: bool) -> None:
        self.name, self.long, self.tried, self.unit = name, long, 0, ""
        self.seed = int(os.environ.get("TORTURE_SEED") or random.SystemRandom().randrange(10**6))
        self.chance = random.Random(self.seed)
        self.met: Counter[str] = Counter()
        self.said: list[str] = []

    def size(self, short: int, long: int) -> int:
        """Returns how many times, by the target that runs it."""
        return long if self.long else short

    def wrong(self, kind: str, sentence: str) -> None:
        """Counts something that went wrong; the test fails at its end, with the first sentences."""
        assert kind in KINDS, kind
        self.met[kind] += 1
        self.said.append(f"{kind}: {sentence}")


@pytest.fixture
def campaign(request: pytest.FixtureRequest, record_property: Any) -> Iterator[Campaign]:
    """Counts what a test tries and meets, and fails it where it met anything."""
    made, begun = Campaign(request.node.name, request.config.getoption("torture")), time.monotonic()
    yield made
    record_property("campaign", {"what": made.name.removeprefix("test_").replace("_", " "), "tried": made.tried,
                                 "unit": made.unit, **{kind: made.met[kind] for kind in KINDS}, "seed": made.seed,
                                 "seconds": time.monotonic() - begun})  # fmt: skip
    assert made.tried and not made.said, f"seed {made.seed}, {made.tried} tried\n" + "\n".join(made.said[:20])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --torture: the campaigns alone, at their full size."""
    parser.addoption("--torture", action="store_true", help="run the campaigns alone, at their full size")


def pytest_configure(config: pytest.Config) -> None:
    """Chooses the campaigns, short ones and those that only --torture runs."""
    if config.getoption("torture"):
        config.option.markexpr = "torture"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keeps what the campaigns recorded, in whichever process they ran."""
    if report.when == "teardown":
        ROWS.extend(value for name, value in report.user_properties if name == "campaign")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints a line for each campaign, in 80 columns."""
    if not ROWS or not terminalreporter.config.getoption("torture"):
        return
    terminalreporter.write_line(f"\n{'what':32}{'tried':>7}{'lost':>6}{'twice':>6}{'stuck':>6}{'500':>5}{'traces':>7}"
                                f"{'s':>5}")  # fmt: skip
    for row in ROWS:
        numbers = "".join(f"{row[kind]:>{width}}" for kind, width in zip(KINDS, (6, 6, 6, 5, 7), strict=True))
        terminalreporter.write_line(f"{row['what'][:31]:32}{row['tried']:>7}{numbers}{row['seconds']:>5.0f}")
        if row["unit"]:
            terminalreporter.write_line(f"  {row['unit']}; seed {row['seed']}")
