"""How far an evaluation is, and how long it still takes."""

from __future__ import annotations

import time

from scripts.dataset import progress

FIRST = 0.02  # of all, from which on what is done tells how long the rest takes


class Progress(progress.Progress):
    """Rewrites one line on a terminal; elsewhere a line for every part, and one now and then.

    `total` and what `done` counts are in losses; an answer takes about as long as ANSWER of them.
    """

    ANSWER = 4
    _done = 0.0

    def part(self, what: str) -> None:
        """Names what is worked on from now, and says so."""
        super().part(what)
        self._write(f"\r\x1b[K{self.line(time.monotonic())}" if self._terminal else f"{what}\n")

    def done(self, losses: float) -> None:
        """Counts as much as done, and says so when it is time."""
        self._done += losses
        self.advance(0, 0)

    def line(self, now: float) -> str:
        """Returns the state as a line: ` 41 %, 0:35 left  base: 87 answers from its weights`."""
        share = min(1.0, self._done / self._total) if self._total else 1.0
        left = f", {progress.clock((now - self._begun) * (1 / share - 1))} left" if FIRST < share < 1 else ""
        return f"{100 * share:3.0f} %{left}  {self._what}"[:79]
