"""How far a long task is: one line that is rewritten on a terminal; elsewhere a plain line now and then."""

from __future__ import annotations

import sys
import time
from typing import TextIO

PLAIN_SECONDS = 10.0
TERMINAL_SECONDS = 0.2


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
