"""A plan that somebody approves before it is carried out: a small file, and whether the world is still the one it saw.

What an apply has done already is no other world: a field is as the plan saw it, or as the plan wants it. So the same
command goes on after a failure.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scripts.azure import updates
from scripts.chain.run import Run
from scripts.errors import FAILED, MISSING, UserError
from scripts.files import read_json, write_private
from scripts.plan.resource import LATER, LEFT_ALONE, STATE, Resource


@dataclasses.dataclass(frozen=True)
class Kept:
    """A resource of an approved plan."""

    kind: str
    name: str
    action: str
    wanted: dict[str, Any] | None
    seen: dict[str, Any] | None


@dataclasses.dataclass(frozen=True)
class Approved:
    """A plan as it was approved: `yaml` is the fingerprint of what it was made from, `workspace` where it belongs."""

    environment: str
    workspace: str
    yaml: str
    resources: list[Kept]


def workspace(run: Run) -> str:
    """Returns the workspace of a run in a word."""
    azure = run.values.data["azure"]
    return "/".join(str(azure[key]) for key in ("subscription_id", "resource_group", "workspace"))


def save(path: Path, run: Run, resources: Sequence[Resource]) -> None:
    """Writes a plan, for its owner only; a UserError where what would be done is not known yet."""
    unknown = [each.title for each in resources if each.name.endswith("?")]
    if unknown:
        raise UserError(
            f"{path}: not written, since it would approve what nobody has seen: {unknown[0]} is known when "
            f"{run.make('data')} has prepared the data",
            MISSING,
        )
    kept = [Kept(each.kind, each.name, each.action, each.wanted, each.seen) for each in resources]
    made = Approved(run.environment, workspace(run), run.rendered.fingerprint(), kept)
    write_private(path, json.dumps(dataclasses.asdict(made), indent=1, sort_keys=True) + "\n")


def read(path: Path) -> Approved:
    """Returns an approved plan; a UserError where there is none, or it was damaged."""
    todo = "make the plan anew, with SAVE=<file>"
    found = read_json(path, todo, Approved)
    if found is None:
        raise UserError(f"{path}: no such file; {todo}", MISSING)
    return found


def require(path: Path, approved: Approved, run: Run, now: Sequence[Resource]) -> None:
    """Raises a UserError that says what is not as it was when the plan was approved."""
    moved = next(_moved(approved, run, now), "")
    if moved:
        again = run.make("plan")
        raise UserError(f"{path}: {moved}; nothing was done, and {again} SAVE=<file> makes a plan of today", FAILED)


def _moved(approved: Approved, run: Run, now: Sequence[Resource]) -> Iterator[str]:
    if (approved.environment, approved.workspace) != (run.environment, workspace(run)):
        yield f"is a plan of {approved.environment} in workspace {approved.workspace}, not in {workspace(run)}"
    if approved.yaml != run.rendered.fingerprint():
        yield f"pipelines/{run.environment}/ or endpoints/{run.environment}/ was changed since it was approved"
    kept = {(each.kind, _name(each)): each for each in approved.resources}
    for each in now:
        before = kept.get((each.kind, _name(each)))
        if before is None and each.action != LEFT_ALONE:
            yield f"{each.title} is none of the approved plan, and the plan of today says {each.action} to it"
        elif before is not None:
            yield from _fields(each, before)
    for before in approved.resources:
        there = any((each.kind, _name(each)) == (before.kind, _name(before)) for each in now)
        if not there and before.wanted is not None:
            yield f"{before.kind} {before.name} is none of today's plan"


def _fields(now: Resource, before: Kept) -> Iterator[str]:
    """Yields what is neither as the plan saw it nor as the plan, or the plan of today with it, wants it."""
    if now.seen is None:
        if before.seen is not None and before.action not in ("replace", "delete"):
            yield f"{now.title} was there when the plan was approved, and is not now"
        return
    if before.seen is None and before.wanted is None:
        return
    for key, value in now.seen.items():
        wanted = (before.wanted or {}).get(key)
        allowed = [wanted, *([before.seen.get(key)] if before.seen is not None else [])]
        if LATER in str(wanted):
            allowed.append((now.wanted or {}).get(key))
        on_the_way = key == STATE or (key == "traffic" and value == updates.NO_TRAFFIC)
        if value not in allowed and not on_the_way:
            was = before.seen.get(key) if before.seen is not None else "not there"
            yield f"{now.title}: {key} was {was}, the plan wants {wanted}, and it is {value} now"


def _name(each: Resource | Kept) -> str:
    """Returns by which name a resource is known before and after: a model has its version only once it is there."""
    return each.name.partition(":")[0] if each.kind == "model" else each.name
