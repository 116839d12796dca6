"""Waiting: a line now and then with the state and the age, and an end after a limit."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from scripts import terminal
from scripts.errors import WAITING, CouldNotAskError, UserError

T = TypeVar("T")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds between two questions about a state


def duration(seconds: float) -> str:
    """Returns a duration as a person says it: `40 s`, `12 min`, `3 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(int(seconds // 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def since(found: Mapping[str, Any]) -> float | None:
    """Returns how many seconds ago something was made that `az` printed, None where it does not say."""
    made = str((found.get("creation_context") or {}).get("created_at") or "")
    try:
        moment = datetime.datetime.fromisoformat(made.replace("Z", "+00:00"))
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    return max(0.0, (datetime.datetime.now(datetime.UTC) - moment).total_seconds())


@dataclass
class Patience:
    """How long one thing is waited for. `goes_on` says what still runs when we stop, and how to go on."""

    what: str
    limit: float  # seconds
    limit_key: str  # where the limit stands, for the sentence
    every: float  # seconds between two lines
    goes_on: str
    state: Callable[[], str] = lambda: "not there yet"
    advice: str = ""  # what to look at, said once
    begun: float = field(default_factory=time.monotonic)
    _said: float = field(default=0.0, init=False)

    @property
    def age(self) -> float:
        """Seconds since the waiting began."""
        return time.monotonic() - self.begun

    def next_look(self) -> float:
        """Returns in how many seconds `look` has something to do."""
        return max(0.01, min(self._said + self.every, self.limit) - self.age)

    def look(self) -> None:
        """Says the state and the age when it is time to; a UserError when the limit is reached."""
        if self.age >= self.limit:
            raise UserError(
                f"{self.what}: {self._ask()} after {duration(self.age)}, and {self.limit_key} allows no longer; "
                f"{self.goes_on}",
                WAITING,
            )
        if self.age - self._said >= self.every:
            self._said = self.age
            advice, self.advice = self.advice, ""
            line = f"{self.what}: {self._ask()}, waiting for {duration(self.age)}" + (f"; {advice}" if advice else "")
            shown = terminal.wrapped(line, "  ", "") if terminal.is_shown(sys.stderr) else line
            print(shown, file=sys.stderr, flush=True)

    def until(self, ask: Callable[[], T], done: Callable[[T], bool]) -> T:
        """Asks, with growing pauses, until an answer is `done`; returns that one."""
        for pause in _pauses():
            found = ask()
            if done(found):
                return found
            end = self.age + pause
            while (rest := end - self.age) > 0:
                time.sleep(min(rest, self.next_look()))
                self.look()
        raise AssertionError("the pauses have no end")

    def _ask(self) -> str:
        try:
            return self.state()
        except CouldNotAskError as error:  # one look that fails ends no waiting of hours
            return f"state unknown ({error})"


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)
