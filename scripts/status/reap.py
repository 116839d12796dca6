"""Deletes what is past its time to live, what NAME= names, or the endpoints of all environments; asks before."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby

from scripts import programs, terminal
from scripts.errors import FAILED, MISSING, USAGE, UserError, suggest
from scripts.status import gather, shown
from scripts.status.judged import Item, total
from scripts.status.seen import LOCAL


def past(items: Sequence[Item]) -> tuple[list[Item], list[str]]:
    """Returns what is past its time to live, and why some of that is kept all the same."""
    over = [each for each in items if each.is_past]
    kept = [f"{each.kind} {each.name} is past its time to live and kept: {each.held}" for each in over if each.held]
    return [each for each in over if not each.held], kept


def named(items: Sequence[Item], name: str) -> list[Item]:
    """Returns the endpoint, the cluster or the deployment without traffic (`endpoint/deployment`) of a name."""
    known = [each for item in items for each in (item, *item.parts) if each.kind != "compute instance"]
    mine = [each for each in known if name in (each.name, f"{each.kind}:{each.name}")]
    if not mine:
        names = list(dict.fromkeys(each.name for each in known))
        there = ", ".join(names) or "nothing"
        raise UserError(f"NAME={name}: is not there{suggest(name, names)}; there is {there}", MISSING)
    if len({each.kind for each in mine}) > 1:
        kinds = " and ".join(f"NAME={each.kind}:{name}" for each in mine)
        raise UserError(f"NAME={name}: is the name of several things; say which, with {kinds}", USAGE)
    if len(mine) > 1:
        where = " and ".join(f"{each.place.workspace} ({each.place.backend})" for each in mine)
        raise UserError(f"NAME={name}: is in {where}; say which, with ENV and BACKEND", USAGE)
    found = mine[0]
    if found.held:  # never a person's machine
        raise UserError(f"NAME={name}: {found.held}; what runs there ends first, or is cancelled", FAILED)
    if found.kind == "deployment" and not found.is_idle:
        on = name.partition("/")[0]
        raise UserError(f"NAME={name}: is sent requests, or changes; move its traffic, or delete {on} whole", FAILED)
    return [found]


def ours(items: Sequence[Item], only: str | None = None) -> list[Item]:
    """Returns the endpoints that the YAML of an environment names, or an earlier one did; `only` one's, or all."""
    found = [each for each in items if each.kind == "endpoint" and each.is_ours and not each.is_leaving]
    return [each for each in found if only in (None, each.environment)]


def agreed(doomed: Sequence[Item], yes: bool, again: str) -> bool:
    """Lists what is to be deleted, and asks on a terminal; returns whether it may be."""
    for each in doomed:
        print(terminal.wrapped(shown.line(each), "  ", ""))
    if yes:
        return True
    if not (sys.stdin and sys.stdin.isatty()):
        print(f"nothing was deleted: {again} YES=1 deletes it")
        return False
    print("Delete this? (y/N) ", end="", flush=True)
    told = sys.stdin.readline().strip().lower() in ("y", "yes")
    if not told:
        print("nothing was deleted")
    return told


def delete(doomed: Sequence[Item], az: str) -> int:
    """Deletes, in each workspace by the chain's own steps, and waits until all is gone; returns the first exit code."""
    first = 0
    for place, group in groupby(doomed, lambda each: each.place):
        items = list(group)
        owner = next((each.environment for each in items if each.environment), place.environments[0])
        program = az or (f"{sys.executable} -m scripts.az_ml" if place.backend == LOCAL else "az")
        words = [*gather.reach(place.backend), sys.executable, "-m", "scripts.status.deletion", "--env", owner]
        words += ["--folder", f".runs/{owner}/{place.backend}", "--az", program]
        words += [f"{each.kind}:{each.name}" for each in items]
        code = programs.start(words, environment=gather.environment(place.backend, owner)).wait()
        if not code and (saved := total(items)):
            saves = "on Azure that would save" if place.backend == LOCAL else "that saves"
            print(terminal.wrapped(f"deleted; {saves} {shown.money(saved)} an hour", "  ", ""), flush=True)
        first = first or code
    return first
