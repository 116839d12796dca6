"""What a tree says of an environment, as plain data: values and who decided, what is rendered, money, complaints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DAYS = 30  # of the month that an endpoint is priced for
JOB_HOURS, JOB, IDLE = "job, hours", "job", "idle nodes, a day"
DAY, MONTH = "endpoint, a day", f"endpoint, {DAYS} days"
AMOUNTS = (JOB_HOURS, JOB, DAY, MONTH, IDLE)


@dataclass(frozen=True)
class Entry:
    """A value, and who decided it."""

    value: Any
    who: str


@dataclass(frozen=True)
class Amount:
    """A figure with its range (the same where there is none) and unit; `basis` is what it goes by."""

    likely: float
    low: float
    high: float
    unit: str
    basis: str = ""


@dataclass(frozen=True)
class Complaint:
    """A check of preflight that fails or warns."""

    status: str
    sentence: str
    todo: str


@dataclass(frozen=True)
class Seen:
    """An environment in one tree; `fault` is why it cannot be told, and then the rest is empty."""

    fault: str = ""
    values: dict[str, Entry] = field(default_factory=dict)  # all but the training parameters
    parameters: dict[str, Entry] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)  # the lines that a review always shows
    fields: dict[str, Any] = field(default_factory=dict)  # of the committed YAML: "pipelines compute.yml size"
    by_hand: list[str] = field(default_factory=list)  # files that are not what the values give
    amounts: dict[str, Amount] = field(default_factory=dict)
    complaints: dict[str, Complaint] = field(default_factory=dict)
