"""Looks at the workspaces of both backends at once, each in a process that has its environment, and none for long.

What cannot be asked is one sentence in the answer. A local Azure ML that does not run is not started for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from scripts import programs, targets
from scripts.errors import one_line
from scripts.shape import shaped
from scripts.status.seen import LOCAL, Place, Seen

SECONDS = 40.0  # of which the login may take a few
LOOK = [sys.executable, "-m", "scripts.status", "look"]
_LOCAL = [sys.executable, "-m", "scripts.local"]
AT_REST = "the local Azure ML does not run, and nothing of it"


def environment(backend: str, name: str) -> dict[str, str]:
    """Returns the variables with which a program is called for an environment on a backend, as the Makefile does."""
    call = targets.command_on(backend, "status", name).partition("status ")[2]
    return {**os.environ, targets.CALL: call, targets.COSTS: "nothing" if backend == LOCAL else ""}


def reach(backend: str) -> list[str]:
    """Returns the words before a program by which it reaches a backend."""
    return [*_LOCAL, "run", "--"] if backend == LOCAL else []


def gather(places: Mapping[str, Sequence[Place]]) -> dict[str, list[Seen] | str]:
    """Returns for each backend what was seen, or why nothing could be."""
    running = {}
    found: dict[str, list[Seen] | str] = {}
    for backend, wanted in places.items():
        there = _known_to_the_emulator(wanted) if backend == LOCAL else list(wanted)
        if isinstance(there, str):
            found[backend] = there
        elif there:
            words = [*reach(backend), *LOOK, json.dumps([asdict(each) for each in there])]
            running[backend] = programs.start(words, capture=True, talks=False)
        else:
            found[backend] = []
    return found | {backend: _answer(program) for backend, program in running.items()}


def read(text: str) -> list[Seen]:
    """Returns what `look` printed."""
    return shaped(list[Seen], json.loads(text))


def places_of(text: str) -> list[Place]:
    """Returns the workspaces that `look` is to ask."""
    return shaped(list[Place], json.loads(text))


def _answer(program: subprocess.Popen[str] | programs.Forked) -> list[Seen] | str:
    try:
        out, err = program.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        program.kill()
        program.communicate()
        return f"there was no answer within {SECONDS:g} s"
    try:
        return read(out)
    except ValueError:
        lines = err.strip().splitlines() or [f"it ended with code {program.returncode}"]
        return one_line(lines[-1].removeprefix("error: "))


def _known_to_the_emulator(places: Sequence[Place]) -> list[Place] | str:
    """Returns those of the workspaces that the local Azure ML has, or why nothing of them can be seen."""
    program = programs.start([*_LOCAL, "status", "-o", "json"], capture=True, talks=False)
    try:
        state: dict[str, Any] = json.loads(program.communicate(timeout=SECONDS)[0])
    except (ValueError, subprocess.TimeoutExpired):
        program.kill()
        return "the local Azure ML does not say what runs; make local-status says more"
    if not state.get("pid"):
        hangs = state.get("hangs")
        silent = f"the local Azure ML (process {hangs}) does not answer; make local-down ends it"
        return AT_REST if hangs is None else silent
    keys = ("subscription_id", "resource_group", "workspace")
    there = {tuple(str(each[key]).lower() for key in keys) for each in state["workspaces"]}
    return [each for each in places if (each.subscription.lower(), each.group.lower(), each.workspace.lower()) in there]
