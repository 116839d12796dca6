"""What a person reads on the terminal: how far `prepare` and `check` are, and what came out.

Progress is one line that is rewritten on a terminal, with rows/s, MB/s and the time left; elsewhere plain lines.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from scripts.dataset.accounts import said
from scripts.dataset.checks import EVERY_ROW

PLAIN_SECONDS = 10.0
TERMINAL_SECONDS = 0.2
SHOWN = 5  # examples of a check
DONE = {"drop": "left out", "keep": "kept", "fail": "not allowed"}  # what becomes of a row, by the check's policy
_SIGNS = {"pass": "ok  ", "warn": "warn", "fail": "FAIL"}


class Progress:
    """Tells how far a task of `total` bytes is. `stream` None keeps it silent."""

    def __init__(self, total: int, stream: TextIO | None = sys.stderr) -> None:
        self._total = total
        self._stream = stream
        self._terminal = stream is not None and stream.isatty()
        self._begun = self._told = time.monotonic()
        self._what = ""
        self.rows = self.bytes = 0

    def part(self, what: str) -> None:
        """Names what is worked on from now, in a word or two."""
        self._what = what

    def advance(self, rows: int, size: int) -> None:
        """Counts rows and bytes as done, and says so when it is time."""
        self.rows += rows
        self.bytes += size
        now = time.monotonic()
        if self._stream is not None and now - self._told >= (TERMINAL_SECONDS if self._terminal else PLAIN_SECONDS):
            self._told = now
            self._write(f"\r\x1b[K{self.line(now)}" if self._terminal else f"{self.line(now)}\n")

    def line(self, now: float) -> str:
        """Returns the state as a line: `train 41 %  85,000 rows  24,311 rows/s  139 MB/s  0:05 left`."""
        seconds = max(now - self._begun, 1e-6)
        share = min(1.0, self.bytes / self._total) if self._total else 1.0
        text = f"{self._what} {100 * share:3.0f} %  {self.rows:,} rows  {self.rows / seconds:,.0f} rows/s"
        text += f"  {self.bytes / seconds / 1e6:,.0f} MB/s"
        if 0 < share < 1:
            text += f"  {clock(seconds / share - seconds)} left"
        return text

    def end(self) -> None:
        """Clears the line on a terminal, so that what follows stands alone."""
        if self._terminal:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(text)
            self._stream.flush()


def clock(seconds: float) -> str:
    """Returns minutes:seconds, or hours:minutes:seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def verdict(result: dict[str, Any]) -> None:
    """Prints the outcome of `check`."""
    _unused(result["unused_files"])
    for split, rows in result["rows"].items():
        print(f"{split}: {_counts(rows)}")
        _columns(result, split)
    _checks(result["checks"])
    for split, tokens in result["tokens"]["splits"].items():
        print(f"{split}: {_tokens(tokens)}")
    _counted_with(result["tokens"])
    words = {"pass": "passed: nothing was found", "warn": "passed, with warnings", "fail": "failed"}
    print(words[result["status"]])


def manifest(result: dict[str, Any], folder: Path) -> None:
    """Prints the outcome of `prepare`."""
    _unused(result["unused_files"])
    for split, read in result["read"].items():
        print(f"{split}: {_counts(read)} ({read['how']})")
        _columns(result, split)
    _checks(result["checks"])
    for part, file in result["files"].items():
        line = f"{part:<10} {file['rows']:>9,} rows {file['bytes'] / 1e6:>9,.1f} MB"
        print(f"{line}  {_tokens(file['tokens'])}" if "tokens" in file else line)
    _counted_with(result["tokens"])
    if result["status"] == "fail":
        names = ", ".join(check["name"] for check in result["checks"] if check["status"] == "fail")
        why = [f"{names} found rows, and the policy in dataset.checks is fail"] if names else []
        why += [_left_out(result["left_out"])] if result["left_out"]["stops"] else []
        print(f"failed: {'; '.join(why)}; nothing was written to {folder}")
    else:
        print(f"version {result['version']}; report: {folder / 'report.html'}")


def _columns(result: dict[str, Any], split: str) -> None:
    for line in said(result["columns"][split]) if split in result["columns"] else ():
        print(f"       {line}")


def _left_out(left: dict[str, Any]) -> str:
    reasons = ", ".join(f"{name} {count:,}" for name, count in left["reasons"].items())
    return (
        f"{left['rows']:,} of {left['in']:,} rows ({left['share']:.1f} %) are left out, more than dataset.max_left_out "
        f"({left['most']:g} %): {reasons}; put them right as said above, or allow it with "
        f"SET=dataset.max_left_out={math.ceil(left['share'])}"
    )


def _unused(files: list[dict[str, str]]) -> None:
    """Prints what was found and not read, a line for each reason."""
    reasons: dict[str, list[str]] = {}
    for each in files:
        reasons.setdefault(each["reason"], []).append(each["file"])
    for reason, names in reasons.items():
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        print(f"not used: {', '.join(names[:SHOWN])}{more}: {reason}")


def _counted_with(tokens: dict[str, Any]) -> None:
    if tokens["counted_with"]:  # nothing is counted where no row is left
        print(f"lengths counted with: {tokens['counted_with']}")


def _checks(checks: list[dict[str, Any]]) -> None:
    partly: dict[str, list[str]] = {}
    for check in checks:
        if check["looked_at"] != EVERY_ROW:
            partly.setdefault(check["looked_at"], []).append(check["name"])
    for what, names in partly.items():
        print(f"note {', '.join(names)}: looked at {what}")
    for check in checks:
        if not check["count"]:
            continue
        about = "about " if check["estimated"] else ""
        print(
            f"{_SIGNS[check['status']]} {check['name']}: {check['title']}, {about}{check['count']:,} "
            f"({DONE[check['policy']]})"
        )
        for example in check["examples"][:SHOWN]:
            path = f" {example['path']}" if example["path"] else ""
            print(f"       {example['file']} {example['row']}{path}: found {example['found']}, "
                  f"expected {example['expected']}")  # fmt: skip
        print(f"       to fix: {check['examples'][0]['fix']}")


def _counts(rows: dict[str, Any]) -> str:
    dropped = ", ".join(f"{name} {count:,}" for name, count in sorted(rows["dropped"].items()))
    left = sum(rows["dropped"].values())
    return f"{rows['in']:,} rows in, {rows['kept']:,} kept, {left:,} left out" + (f" ({dropped})" if dropped else "")


def _tokens(tokens: dict[str, Any]) -> str:
    about = "" if tokens["how"] == "exact" else f" ± {tokens['error']:,}"
    text = f"{tokens['tokens']:,}{about} tokens, {tokens['trained']:,} trained"
    cut = tokens.get("cut")
    if cut and cut["too_long"]["rows"]:
        text += f"; {cut['too_long']['rows']:,} rows over {cut['max_seq_length']:,}"
        text += f", {cut['trained_lost']:,} trained tokens cut"
    return text
