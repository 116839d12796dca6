"""Whether data are fit to train on, in a word, with the reasons: for the terminal and for the top of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scripts.dataset.checks import FAIL, KEEP, OF_THE_SET, PASS, WARN

WORDS = {PASS: "ready", WARN: "ready with warnings", FAIL: "not ready"}


@dataclass(frozen=True)
class Verdict:
    """The state (pass, warn, fail), its word, and why, what weighs most first."""

    state: str
    word: str
    reasons: list[str]


def books(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the rows of each split, in, kept and dropped, of a manifest or of what a check found."""
    found: dict[str, dict[str, Any]] = result["read"] if "read" in result else result["rows"]
    return found


def verdict_of(result: dict[str, Any]) -> Verdict:
    """Judges a manifest, or what a check found."""
    reasons, state = [], result["status"]
    if fallback := result.get("fallback"):
        state = WARN if state == PASS else state
        reasons.append(f"a rehearsal: {fallback['took']} in place of your data")
    reasons += [_found(each) for each in result["checks"] if each["status"] == FAIL]
    rows = books(result).values()
    read, left = sum(each["in"] for each in rows), sum(sum(each["dropped"].values()) for each in rows)
    if left:
        reasons.append(f"{left:,} of {read:,} rows left out ({100 * left / max(read, 1):.1f} %)")
    reasons += [_found(each) for each in result["checks"] if each["status"] == WARN and each["policy"] == KEEP]
    if unused := len(result["unused_files"]):
        reasons.append(f"{unused:,} file{'s' * (unused != 1)} not used")
    return Verdict(state, WORDS[state], reasons)


def _found(check: dict[str, Any]) -> str:
    if check["name"] in OF_THE_SET:
        return f"{check['title']}: {check['examples'][0]['found']}"
    about = "about " if check["estimated"] else ""
    return f"{check['title']}: {about}{check['count']:,}"
