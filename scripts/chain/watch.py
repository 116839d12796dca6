"""`python -m scripts.chain.watch … TARGET -- PROGRAM`: runs a target's program, and says what is left if it is stopped.

It is there before the program begins and after it ends, so its line is the last one, whoever was stopped, and however.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from scripts.chain.alone import held
from scripts.chain.left import left
from scripts.chain.rendered import Rendered
from scripts.errors import INTERRUPTED, MISSING, UserError, main

GRACE = 3.0  # seconds until a Ctrl-C that reached only us is passed on
TALKS = ("chat", "chat-web")  # they go on after a Ctrl-C, which stops an answer


class _Told(Exception):
    """SIGTERM or SIGHUP came, which nobody but us gets."""


class Watched:
    """One program in the foreground; `told` says whether we were told to stop while it ran."""

    def __init__(self, patient: bool, passes_on: int = signal.SIGINT) -> None:
        self._patient, self._passes_on = patient, passes_on
        self.told = False

    def run(self, command: Sequence[str], environment: dict[str, str] | None = None) -> int:
        """Runs it to its end and returns its exit code, 128 and more where a signal ended it.

        A terminal sends Ctrl-C to it as well; all else is passed on as the Ctrl-C for which every program is ready.
        """
        with _signals():
            try:
                program = subprocess.Popen(command, env=environment, pass_fds=held())
            except FileNotFoundError:
                raise UserError(f"{command[0]}: no such program", MISSING) from None
            wait: float | None = None
            while True:
                try:
                    code = program.wait(wait)
                    return code if code >= 0 else 128 - code
                except KeyboardInterrupt:
                    self.told, wait = True, None if self._patient else GRACE
                except _Told:
                    self.told = True
                    program.send_signal(self._passes_on)
                except subprocess.TimeoutExpired:
                    wait = None
                    program.send_signal(signal.SIGINT)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    def told(number: int, frame: FrameType | None) -> None:
        raise _Told

    numbers = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) != signal.SIG_IGN]
    before = {number: signal.signal(number, told) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.chain.watch", description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--env", required=True)
    parser.add_argument("--folder", type=Path, required=True, help="the run's state, for example .runs/dev/azure")
    parser.add_argument("--call", required=True, metavar="WORDS", help="what stands behind a target in sentences")
    parser.add_argument("program", nargs=argparse.REMAINDER, help="-- and the program with its arguments")
    options = parser.parse_args(arguments)
    watched = Watched(options.target in TALKS)
    code = watched.run(options.program[options.program[:1] == ["--"] :])
    if code >= 128:  # whoever stopped it; a program that failed has said why
        how = "interrupted" if code == INTERRUPTED or watched.told else f"killed by signal {code - 128}"
        rest = left(options.target, Rendered(options.env), options.folder, options.call)
        print(f"error: make {options.target} was {how}; {rest}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main(run)
