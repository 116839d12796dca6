"""The deployments of an endpoint as a table, and their shares as a person sets them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scripts import terminal
from scripts.azure.limits import gets_both, limit, traffic_adds_up
from scripts.chain import endpoint, slots
from scripts.chain.patience import duration, since
from scripts.chain.run import Run, say
from scripts.chain.slots import Slots
from scripts.errors import MISSING, USAGE, UserError, one_line, suggest

DIGITS = re.compile("[0-9]{1,3}")  # of a share
HEADERS = ("deployment", "traffic", "mirror", "version", "state", "instances", "age")


def show(run: Run) -> None:
    """Prints what the endpoint has, also while one is being made."""
    _print(run, _look(run, waits=False))


def give(run: Run, traffic: str, mirror: str) -> None:
    """Sets shares: `demo=90 demo-2=10`; what Azure would refuse is refused before it is sent. Then prints the table."""
    there = _look(run)
    now = {each.name: each.share for each in there.every if each.share}
    copied = {each.name: each.mirrored for each in there.every if each.mirrored}
    shares = _read(there, "TRAFFIC", traffic) if traffic else now
    copies = _read(there, "MIRROR", mirror) if mirror else copied
    _check(there, shares, copies)
    endpoint.route(run, shares, copies)
    _print(run, _look(run))


def _look(run: Run, waits: bool = True) -> Slots:
    on = endpoint.name_of(run)
    if endpoint.show(run, on) is None:
        raise UserError(f"there is no endpoint {on}; {run.make('deploy')} makes it", MISSING)
    return slots.look(run, waits)


def _read(there: Slots, switch: str, text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    names = [each.name for each in there.every]
    shares = f"{there.names[0]}=90 {there.names[1]}=10" if switch == "TRAFFIC" else f"{there.names[1]}=10"
    for pair in text.split() or [text]:
        name, _, share = pair.partition("=")
        if not (DIGITS.fullmatch(share) and limit("endpoint.traffic").holds(int(share))):
            raise _wrong(switch, f"'{one_line(pair)}' is no share: write {switch}=\"{shares}\"")
        if name not in names:
            has = f"has {', '.join(names)}" if names else "has none"
            raise _wrong(switch, f"endpoint {there.on} has no deployment '{name}'{suggest(name, names)}; it {has}")
        if name in found:
            raise _wrong(switch, f"names {name} twice")
        found[name] = int(share)
    return found


def _check(there: Slots, shares: dict[str, int], copies: dict[str, int]) -> None:
    total, mirrored = sum(shares.values()), {name: share for name, share in copies.items() if share}
    if not traffic_adds_up(total):
        raise _wrong("TRAFFIC", f"the shares add up to {total}; allowed are 100, and 0 for none")
    if not limit("endpoint.mirror_traffic.deployments").holds(len(mirrored)):
        raise _wrong("MIRROR", f"names {len(mirrored)} deployments; copies go to one at most")
    for name, share in mirrored.items():
        if not limit("endpoint.mirror_traffic").holds(share):
            raise _wrong("MIRROR", f"{name}={share}: allowed are {limit('endpoint.mirror_traffic').words} per cent")
        if name in gets_both(shares, copies):
            raise _wrong("MIRROR", f"{name} has live traffic, and one gets that or copies; MIRROR={name}=0 ends them")
    for each in there.every:
        if not each.is_good and (shares.get(each.name) or mirrored.get(each.name)):
            raise _wrong("TRAFFIC", f"deployment {each.name} is {each.state.capitalize()}, and answers nothing")


def _wrong(switch: str, what: str) -> UserError:
    return UserError(f"{switch}: {what}", USAGE)


def _print(run: Run, there: Slots) -> None:
    if not there.every:
        say(f"endpoint {there.on} has no deployment; {run.make('deploy')} makes one")
        return
    models = {each.model.rpartition(":")[0] for each in there.every}
    only = models.pop() if len(models) == 1 else ""  # named once: it is long
    rows = [
        (each.name, f"{each.share} %", f"{each.mirrored} %", each.model.removeprefix(f"{only}:"),
         each.state.capitalize(), str(each.found.get("instance_count") or 1), _age(each.found))
        for each in there.every
    ]  # fmt: skip
    head = f"endpoint {there.on}" + f", model {only}" * bool(only)
    print(f"{terminal.wrapped(head)}\n{terminal.table(rows, HEADERS)}", flush=True)


def _age(found: Mapping[str, Any]) -> str:
    seconds = since(found)
    return "" if seconds is None else duration(seconds)
