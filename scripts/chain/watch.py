"""`python -m scripts.chain.watch … TARGET -- PROGRAM [--then PROGRAM]`: a target's programs, and what is left of them.

They run one after the other, and none after one that failed. It is there before the first begins and after the last
ends, so its line is the last one, whoever was stopped, and however; and where all went well and something bills on.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import FrameType

from scripts import programs
from scripts.chain.alone import alone, held
from scripts.chain.left import left
from scripts.chain.rendered import Rendered
from scripts.chain.run import say
from scripts.chain.signals import STOPS, handled
from scripts.errors import INTERRUPTED, MISSING, UserError, complain, main
from scripts.targets import command, costs_nothing

THEN = "--then"
GRACE = 3.0  # seconds until a Ctrl-C that reached only us is passed on
WITHIN = "AZUREML_CHAIN_WITHIN"  # set where a target is one of several: what bills on, the last one says
TALKS = ("chat", "chat-web")  # they go on after a Ctrl-C, which stops an answer


class Watched:
    """Programs in the foreground; `told` says whether we were told to stop while they ran."""

    def __init__(self, patient: bool, passes_on: int = signal.SIGINT) -> None:
        self._patient, self._passes_on = patient, passes_on
        self._program: subprocess.Popen[str] | programs.Forked | None = None
        self.told = False

    def run(self, commands: Iterable[Sequence[str]]) -> int:
        """Runs them in turn until one fails, and returns its exit code, 128 and more where a signal ended it.

        A terminal sends Ctrl-C to them as well; all else is passed on as the Ctrl-C for which every program is ready.
        """
        code = 0
        with handled(self.hear, *STOPS):
            for command in commands:
                code = code or (INTERRUPTED if self.told else self._one(command))
        return code

    def _one(self, command: Sequence[str]) -> int:
        try:
            self._program = programs.start(command, held=held())
        except FileNotFoundError:
            raise UserError(f"{command[0]}: no such program", MISSING) from None
        if self.told:  # before there was a program to tell
            self._tell(self._passes_on)
        code = self._program.wait()
        return code if code >= 0 else 128 - code

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Takes a signal, also while another one is taken: a terminal that is closed sends SIGHUP twice."""
        first, self.told = not self.told, True
        if number != signal.SIGINT:
            self._tell(self._passes_on)
        elif first and not self._patient:
            timer = threading.Timer(GRACE, self._tell, (signal.SIGINT,))
            timer.daemon = True
            timer.start()

    def _tell(self, number: int) -> None:
        if self._program:
            self._program.send_signal(number)


def _split(words: list[str]) -> list[list[str]]:
    """Returns the programs that `--then` stands between."""
    ends = [number for number, word in enumerate(words) if word == THEN]
    return [words[begin:end] for begin, end in zip([0, *(end + 1 for end in ends)], [*ends, None], strict=True)]


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.chain.watch", description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--env", required=True)
    parser.add_argument("--folder", type=Path, required=True, help="the run's state, for example .runs/dev/azure")
    parser.add_argument("programs", nargs=argparse.REMAINDER, help="-- and a program, with --then before further ones")
    options = parser.parse_args(arguments)
    watched = Watched(options.target in TALKS)
    # What a run of the environment has prepared, and registers or trains on by and by, is not replaced under it.
    data = command("data", options.env)
    turn = alone(options.folder, data) if options.target == "prepare" else contextlib.nullcontext()
    is_last = WITHIN not in os.environ
    os.environ[WITHIN] = options.target
    with (
        turn,
        handled(watched.hear, *STOPS),
    ):  # up to the last line: make tells once more who was told
        code = watched.run(_split(options.programs[options.programs[:1] == ["--"] :]))
        if code >= 128:  # whoever stopped it; a program that failed has said why
            how = "interrupted" if code == INTERRUPTED or watched.told else f"killed by signal {code - 128}"
            rest = left(options.target, Rendered(options.env), options.folder)
            complain(f"make {options.target} was {how}; {rest}")
    if not code and is_last and not costs_nothing():
        _say_what_bills(options.target, Rendered(options.env), options.folder)
    return code


def _say_what_bills(target: str, rendered: Rendered, folder: Path) -> None:
    from scripts.chain.standing import standing  # which reads prices: not at the start of every target

    if bills := standing(target, rendered, folder):
        say(f"still billed: {bills}")


if __name__ == "__main__":
    main(run)
