"""`python -m scripts.chain.whole … -- make`: the whole chain, a target after the other, and one run at a time.

Without --keep the endpoint is deleted at the end, also where a target failed or Ctrl-C came after its making was begun.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from scripts.chain.alone import alone
from scripts.chain.run import say
from scripts.chain.watch import Watched
from scripts.errors import INTERRUPTED, complain, main
from scripts.targets import billed, command

BEFORE = ("data", "compute", "finetune", "register")
SERVED = ("deploy", "invoke")


class Whole:
    """One run of the chain; `make` are the words that call it."""

    def __init__(self, make: list[str]) -> None:
        self._make = make

    def targets(self, *names: str) -> int:
        """Calls targets one after the other, and none after one that failed; returns the last exit code."""
        code, environment = 0, {**os.environ, "MAKEFLAGS": _switches(os.environ.get("MAKEFLAGS", ""))}
        for name in names:
            watched = Watched(patient=True, passes_on=signal.SIGTERM)  # which make passes on
            code = watched.run([*self._make, name], environment)
            code = INTERRUPTED if watched.told else code
            if code:
                break
        return code

    def chain(self, keep: bool) -> int:
        """Runs the chain, and deletes the endpoint unless it is to be kept."""
        code = self.targets(*BEFORE)
        if code:
            return code
        code = self.targets(*SERVED)
        if keep:
            return code
        if code:
            say("the endpoint is deleted all the same, since KEEP=1 was not given")
        deleted = self.targets("undeploy")
        if code and not deleted:
            stopped = "was interrupted" if code == INTERRUPTED else "failed, for the reason above"
            print(
                f"error: the chain {stopped}; its endpoint is deleted{billed(', nothing is billed')}", file=sys.stderr
            )
        return code or deleted


def _switches(flags: str) -> str:
    """Returns of MAKEFLAGS what was set on the command line: make's own switches, such as -k, have no place here.

    GNU make 3.81, which macOS has, writes no `--` before it where there are none of its own.
    """
    own, dashes, ours = flags.partition("-- ")
    if not dashes and "=" in own.partition(" ")[0]:
        ours = own
    return f"-- {ours}" if ours else ""


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m scripts.chain.whole", description=__doc__)
    parser.add_argument("--env", required=True)
    parser.add_argument("--folder", type=Path, required=True, help="the run's state, for example .runs/dev/azure")
    parser.add_argument("--keep", action="store_true", help="leave the endpoint running")
    parser.add_argument("--demo", action="store_true", help="validate before, and stop the local Azure ML afterwards")
    parser.add_argument("make", nargs=argparse.REMAINDER, help="-- and how make is called")
    options = parser.parse_args(arguments)
    whole = Whole(options.make[options.make[:1] == ["--"] :])
    with alone(options.folder, "make demo" if options.demo else command("all", options.env)):
        if not options.demo:
            return whole.chain(options.keep)
        code = whole.targets("validate") or whole.chain(options.keep)
        down = 0 if options.keep else whole.targets("local-rest")
        if options.keep or down:
            say("the local Azure ML goes on running; make local-down stops it and all that it serves")
        if code:
            stopped = "was interrupted" if code == INTERRUPTED else "failed, for the reason above"
            complain(f"the demo {stopped}; make demo runs it again")
        return code or down


if __name__ == "__main__":
    main(run)
