"""The clock by which the local Azure ML says when something was made or changed, and what is old.

It can be put ahead, so that a test or a rehearsal sees in a second what a week of forgetting leaves behind. Tokens,
signatures and certificates go by the machine's own clock, which other programs read; so do jobs and MLflow inside runs.
"""

from __future__ import annotations

import datetime
import time
from email.utils import format_datetime

HOUR = 3600.0
_ahead = 0.0  # seconds


def put_ahead(hours: float) -> None:
    """Puts it so many hours ahead of the machine's clock, whatever it was before."""
    global _ahead
    _ahead = hours * HOUR


def hours_ahead() -> float:
    """Returns how many hours it is ahead of the machine's clock."""
    return _ahead / HOUR


def now() -> float:
    """Returns its time in seconds since the epoch."""
    return time.time() + _ahead


def iso(seconds: float) -> str:
    """Returns a time as Azure writes it, such as `2026-11-23T06:08:51.123456+00:00`."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat()


def http_date() -> str:
    """Returns its time as the header Date has it."""
    return format_datetime(datetime.datetime.fromtimestamp(now(), datetime.UTC), usegmt=True)
