"""`python -m scripts.chain.whole … -- make`: the whole chain, a target after the other, and one run at a time.

What a target runs the Makefile says; it is begun from here, so that one process loads Azure's SDK for all of them.

Without --keep the endpoint is deleted at the end, also where a target failed or Ctrl-C came after its making was begun.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts import programs
from scripts.chain.alone import alone
from scripts.chain.rendered import Rendered
from scripts.chain.run import say
from scripts.chain.standing import standing
from scripts.chain.watch import WITHIN, Watched
from scripts.errors import INTERRUPTED, complain, main
from scripts.targets import BRIEF, billed, command

BEFORE = ("data", "compute", "finetune", "register")
DEPLOY, ASK, ASK_BOTH = "deploy", "invoke", "answers"  # the demo asks the base model, too
_QUOTED = re.compile(r"'[^']*'|\\'")  # what a shell takes as it is, as the Makefile's `quote` writes it


class Whole:
    """One run of the chain; `make` are the words that call it, `ask` the target that asks what was deployed."""

    def __init__(self, make: list[str], ask: str = ASK) -> None:
        self._make, self._ask = make, ask

    def targets(self, *names: str) -> int:
        """Runs targets one after the other, and none after one that failed; returns the last exit code."""
        watched = Watched(patient=True, passes_on=signal.SIGTERM)  # which make, and who watches a target, pass on
        code = watched.run(self._commands(names))
        return INTERRUPTED if watched.told else code

    def _commands(self, names: Sequence[str]) -> Iterator[list[str]]:
        """Yields what the targets run, as make says: begun here, where the packages are loaded, and not each anew."""
        make = [*self._make[:1], "-n", *self._make[1:], *names]
        asked = subprocess.run(make, capture_output=True, text=True, check=False) if programs.FORKS else None
        if asked is None or asked.returncode:  # what it cannot say it does, with all that it has to say of it
            yield from ([*self._make, name] for name in names)
            return
        for line in asked.stdout.replace("\\\n", " ").splitlines():  # make prints a recipe's lines as they stand
            needs_a_shell = set(_QUOTED.sub("", line)) & set('|&;<>()$`\\"*?[#~')
            words = [] if needs_a_shell else shlex.split(line)
            yield words if programs.own(words) else ["sh", "-c", line]

    def chain(self, keep: bool) -> int:
        """Runs the chain, and deletes the endpoint unless it is to be kept."""
        code = self.targets(*BEFORE)
        if code:
            return code
        code = self.targets(DEPLOY, self._ask)
        if keep:
            return code
        if code:
            say("the endpoint is deleted all the same, since KEEP=1 was not given")
        deleted = self.targets("undeploy")
        if code and not deleted:
            stopped = "was interrupted" if code == INTERRUPTED else "failed, for the reason above"
            complain(f"the chain {stopped}; its endpoint is deleted{billed(', nothing is billed')}")
        return code or deleted


def switches(flags: str) -> str:
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
    parser.add_argument("--begin", type=shlex.split, help="a program to be started meanwhile, without waiting for it")
    parser.add_argument("make", nargs=argparse.REMAINDER, help="-- and how make is called")
    options = parser.parse_args(arguments)
    whole = Whole(options.make[options.make[:1] == ["--"] :], ASK_BOTH if options.demo else ASK)
    os.environ.update({BRIEF: "1"} if options.demo else {})
    os.environ[WITHIN] = "all"
    os.environ["MAKEFLAGS"] = switches(os.environ.get("MAKEFLAGS", ""))
    with alone(options.folder, "make demo" if options.demo else command("all", options.env)):
        if options.begin:  # who needs it waits for it, and says why where it does not come
            programs.start(options.begin, capture=True, talks=False)
        programs.load((sys.executable, "-m", "scripts.az_ml"))
        if not options.demo:
            code = whole.chain(options.keep)
            if options.keep and not code and (bills := standing("all", Rendered(options.env), options.folder)):
                say(f"still billed: {bills}")
            return code
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
