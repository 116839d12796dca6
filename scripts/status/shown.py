"""The status as a person reads it, and as a program does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from scripts import terminal
from scripts.chain.patience import duration
from scripts.status.committed import Committed
from scripts.status.judged import HOUR, Item, total
from scripts.status.seen import AZURE, LOCAL, Compute, Deployment, Job, Seen
from scripts.targets import command_on
from scripts.values.names import ENVIRONMENT_TAG

_DAYS = 48.0  # hours from which an age is said in days
_LONGEST = 60  # characters of what others wrote that a line bears
_TITLES = {AZURE: "Azure", LOCAL: "localhost"}


@dataclass(frozen=True)
class Workspace:
    """What was seen of a workspace, and what it comes to."""

    seen: Seen
    items: list[Item]


Found = Mapping[str, list[Workspace] | str]  # by backend: workspaces, or why nothing is known


def text(found: Found, committed: Committed) -> str:
    """Returns the lines of a status, no wider than a terminal; the last one is what all of it bills."""
    lines: list[str] = [terminal.wrapped(f"note: {each}", "  ", "") for each in committed.faults]
    for backend, there in found.items():
        if isinstance(there, str):
            lines += [terminal.wrapped(f"{_TITLES[backend]}: {there}", "  ", "")]
        for each in there if not isinstance(there, str) else ():
            lines += [*_workspace(each, backend), ""]
        if backend == AZURE and committed.not_set_up:
            names = ", ".join(committed.not_set_up)
            lines += [terminal.wrapped(f"Azure: not set up, the workspace is the placeholder: {names}", "  ", "")]
    sums = _sums(found, bool(committed.faults))
    return "\n".join([*lines, *(terminal.wrapped(each, "  ", "") for each in sums)])


def as_json(found: Found, committed: Committed) -> str:
    """Returns a status for a program."""
    backends = {
        backend: {"error": there, "workspaces": []}
        if isinstance(there, str)
        else {"error": "", "workspaces": [_plain(each) for each in there], "per_hour": total(_all(there))}
        for backend, there in found.items()
    }
    shown = {"backends": backends, "not_set_up": committed.not_set_up, "faults": committed.faults}
    return terminal.plain(json.dumps(shown, indent=2, ensure_ascii=False))


def line(item: Item) -> str:
    """Returns an item in one line, as a list of what is to be deleted has it."""
    where = f"{_TITLES[item.place.backend]}, workspace {item.place.workspace}"
    return f"{item.kind} {item.name} ({where}): {price(item)}{_life(item, '; ')}"


def price(item: Item) -> str:
    """Returns in words what an item bills an hour."""
    if not item.bills:
        return "bills nothing now"
    would = "would bill" if item.place.backend == LOCAL else "bills"
    if item.per_hour is None:
        return f"{would} an amount that is not known here ({item.size})"
    most = "at most " if isinstance(item.of, Compute) and item.of.low_priority else ""  # its price is another meter
    return f"{would} {most}{item.per_hour:.2f} {item.currency} an hour{' on Azure' * (would != 'bills')}"


def money(sums: Mapping[str, float]) -> str:
    """Returns sums of several currencies in words."""
    return " and ".join(f"{amount:.2f} {currency}" for currency, amount in sums.items()) or "nothing"


def _workspace(there: Workspace, backend: str) -> Iterator[str]:
    place = there.seen.place
    yield f"{_TITLES[backend]}, workspace {place.workspace} ({', '.join(place.environments)})"
    if there.seen.error:
        yield terminal.wrapped(there.seen.error, "    ", "  ")
    elif not (there.items or there.seen.jobs):
        yield "  nothing is there"
    for item in there.items:
        yield from _item(item)
    for job in there.seen.jobs:
        yield from _job(job, there.seen)


def _item(item: Item) -> Iterator[str]:
    yield _wrapped(2, f"{item.kind} {item.name}: {price(item)}{_so_far(item)}")
    since = f"{'deployed' if item.parts else 'made'} {_age(item.hours)} ago{_of_whom(item)}"
    if isinstance(item.of, Compute):
        scale = f"{item.of.nodes} nodes ({item.of.least} to {item.of.most}), " * (item.kind == "cluster")
        since = f"{item.of.state}, {scale}{item.size}, {since}"
    yield _wrapped(4, f"{since}{'; it is being deleted' * item.is_leaving}")
    for part in item.parts:
        yield from _deployment(part)
    if item.bills and not item.is_leaving:
        waits = ", once its nodes are idle" if item.held.endswith("at work") else ""
        yield _wrapped(4, f"{'' if item.in_yaml else 'in no committed YAML: '}{item.ends} ends it{waits}")
    if life := _life(item):
        reaps = f": {command_on(item.place.backend, 'reap', item.environment or item.place.environments[0])} deletes it"
        waits = f", once job {item.job} has ended" if item.job else ""
        kept = f", and kept: {item.held}" if item.held and not item.job else ""
        yield _wrapped(4, f"{life}{kept or reaps + waits if item.is_past else ''}")


def _deployment(item: Item) -> Iterator[str]:
    assert isinstance(item.of, Deployment)
    found = item.of
    share = f"{found.traffic} %" + (f", mirrors {found.mirror} %" if found.mirror else "")
    yield _wrapped(4, f"{found.name}: {share}, {found.state}, {found.instances} x {found.size}, {found.model}, "
                      f"{_age(item.hours)} old{_of_whom(item)}")  # fmt: skip
    if item.is_idle:
        yield _wrapped(6, f"nobody is sent to it, and it {price(item)}: {item.ends} deletes it")


def _job(job: Job, seen: Seen) -> Iterator[str]:
    age = _age(max(0.0, seen.now - job.made) / HOUR)
    who = _whose(job.tags, job.by)
    last = ", the last that ended" if job.ended else ""
    ends = ""
    if not job.ended:
        tagged = job.tags.get(ENVIRONMENT_TAG)
        own = tagged if tagged in seen.place.environments else seen.place.environments[0]
        ends = f"; {command_on(seen.place.backend, 'cancel', str(own), f'NAME={job.name}')} ends it"
    yield _wrapped(2, f"job {job.name}: {job.status}, made {age} ago{who}{last}{ends}")


def _sums(found: Found, faults: bool) -> Iterator[str]:
    """Yields what is billed an hour in all, and what ends it; what is billed on Azure is the last line.

    `faults`: there are environments of which nobody knows where they run.
    """
    here = _all(found.get(LOCAL, []))
    if any(each.bills for each in here):
        would = f"{money(total(here))} an hour" if total(here) else "an amount that is not known here"
        yield f"On localhost nothing is billed; on Azure this would be {would}{_ending(found[LOCAL])}"
    if AZURE not in found:
        if not any(each.bills for each in here) and not isinstance(found.get(LOCAL), str):
            yield "On localhost nothing is billed, and on Azure nothing would be"
        return
    there = found[AZURE]
    items, unasked = _all(there), faults or isinstance(there, str) or any(each.seen.error for each in there)
    known = "; what could not be asked may bill, too" if unasked else ""
    unpriced = any(each.bills and each.per_hour is None for each in items)
    if any(each.bills for each in items):
        sums = f"{'at least ' * unpriced}{money(total(items))} an hour"
        sums = "an amount that is not known here" if unpriced and not total(items) else sums
        yield f"billed on Azure: {sums}{_ending(there)}{known}"
    elif unasked:
        yield "billed on Azure: not known, as above"
    else:
        yield "billed on Azure: nothing" if there else "billed on Azure: nothing, as no workspace is set up"


def _ending(there: list[Workspace] | str) -> str:
    """Returns the command that ends all that bills, where one does."""
    billing = [each for each in _all(there) if each.bills and not each.is_leaving]
    if not billing:
        return " until it is deleted"
    ends = {each.ends for each in billing}
    if len(ends) == 1:
        return f"; {ends.pop()} ends it"
    if all(each.kind == "endpoint" and each.is_ours for each in billing):
        backend, owners = billing[0].place.backend, {each.environment for each in billing}
        only = owners.pop() if len(owners) == 1 else ""  # whose alone it would delete
        return f"; {command_on(backend, 'undeploy', only, 'ALL=1')} ends it"
    return "; the commands above end it"


def _all(there: list[Workspace] | str) -> list[Item]:
    return [] if isinstance(there, str) else [item for each in there for item in each.items]


def _so_far(item: Item) -> str:
    """Returns what an item has come to since it was made, if it was always as it is now."""
    if not (item.bills and item.per_hour and item.parts):
        return ""
    sofar = sum((part.per_hour or 0.0) * part.hours for part in item.parts)
    return f", {sofar:.2f} {item.currency} so far" if sofar >= 0.01 else ""


def _of_whom(item: Item) -> str:
    return _whose(item.of.tags, getattr(item.of, "by", ""))


def _whose(tags: Mapping[str, str], by: str) -> str:
    """Returns by whom and from which commit something was made: by its tags, else by what the service says."""
    commit, who = tags.get("commit", ""), tags.get("by") or by
    short = re.sub(r"\b([0-9a-f]{10})[0-9a-f]{30}\b", r"\1", commit)
    return f"{f', by {_short(who)}' if who else ''}{f', commit {_short(short)}' if short else ''}"


def _short(words: str) -> str:
    return words[:_LONGEST] + "…" * (len(words) > _LONGEST)


def _life(item: Item, before: str = "") -> str:
    if item.ttl_fault:
        return f"{before}its tag ttl_hours is {item.ttl_fault!r}, which is no number of hours, and counts for nothing"
    left = item.hours_left
    if left is None:
        return ""
    if left < 0:
        return f"{before}past its {item.ttl:g} h to live by {_age(-left)}"
    return f"{before}{_age(left)} of its {item.ttl:g} h to live are left"


def _age(hours: float) -> str:
    return f"{hours / 24:.0f} days" if hours >= _DAYS else duration(hours * HOUR)


def _wrapped(indent: int, words: str) -> str:
    return terminal.wrapped(" ".join(terminal.plain(words).split()), " " * (indent + 2), " " * indent)


def _plain(there: Workspace) -> dict[str, Any]:
    seen = there.seen
    return {
        "workspace": seen.place.workspace,
        "resource_group": seen.place.group,
        "subscription_id": seen.place.subscription,
        "environments": list(seen.place.environments),
        "error": seen.error,
        "now": seen.now,
        "jobs": [asdict(each) for each in seen.jobs],
        "items": [_plain_item(each) for each in there.items],
    }


def _plain_item(item: Item) -> dict[str, Any]:
    hidden = ("deployments", "name", "kind")
    return {
        **{key: value for key, value in asdict(item.of).items() if key not in hidden},
        "kind": item.kind,
        "name": item.name,
        "environment": item.environment,
        "in_yaml": item.in_yaml,
        "per_hour": item.per_hour if item.bills else 0.0,
        "currency": item.currency,
        "hours": round(item.hours, 4),
        "ttl_hours": item.ttl,
        "is_past": item.is_past,
        "ends": item.ends,
        "deployments": [_plain_item(each) for each in item.parts],
    }
