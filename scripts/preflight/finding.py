"""What a check found: a status, one sentence and what to do."""

from __future__ import annotations

from dataclasses import dataclass

PASS, WARN, FAIL, SKIPPED = "pass", "warn", "fail", "skipped"


@dataclass(frozen=True)
class Finding:
    """What a check found: a status, one sentence, what to do, and lines with details where a table says more."""

    status: str
    sentence: str
    todo: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """A finding with the check's name and group; `unasked` when it was skipped because Azure ML could not be asked."""

    check: str
    group: str
    finding: Finding
    unasked: bool = False


def passed(sentence: str, *details: str) -> Finding:
    """A finding that all is well."""
    return Finding(PASS, sentence, "", details)


def warned(sentence: str, todo: str, *details: str) -> Finding:
    """A finding that a person should look at; the run may go on."""
    return Finding(WARN, sentence, todo, details)


def failed(sentence: str, todo: str, *details: str) -> Finding:
    """A finding that stops the run."""
    return Finding(FAIL, sentence, todo, details)


def skipped(sentence: str, todo: str = "") -> Finding:
    """A finding that there was nothing to look at."""
    return Finding(SKIPPED, sentence, todo)
