"""A plan as a person reads it, and as a program does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from scripts import terminal
from scripts.chain.run import Run
from scripts.plan.resource import LEFT_ALONE, UNCHANGED, Change, Resource, counted

_INDENT = 12


def total(resources: Sequence[Resource]) -> str:
    """Returns the last line of a plan."""
    create, change, delete, unchanged = counted(resources).values()
    return f"Plan: {create} to create, {change} to change, {delete} to delete, {unchanged} unchanged"


def text(head: str, resources: Sequence[Resource], costs: Sequence[str], last: str) -> str:
    """Returns the lines of a plan, no wider than a terminal."""
    lines = [terminal.wrapped(head, "  ", ""), ""]
    for each in resources:
        lines += _resource(each)
    lines += ["", *(terminal.wrapped(f"money: {cost}", "  ", "") for cost in costs)] if costs else []
    return "\n".join([*lines, "", last])


def as_json(run: Run, resources: Sequence[Resource], costs: Sequence[str], **more: Any) -> str:
    """Returns a plan for a program."""
    found = {
        "environment": run.environment,
        "workspace": run.values.data["azure"]["workspace"],
        "resources": [_plain(each) for each in resources],
        "costs": list(costs),
        "plan": counted(resources),
        **more,
    }
    return json.dumps(found, indent=2, ensure_ascii=False)


def _resource(each: Resource) -> Iterator[str]:
    yield terminal.wrapped(f"{each.action:{_INDENT}}{each.title}", " " * _INDENT, "")
    for change in each.changes:
        yield terminal.wrapped(_change(change), " " * (_INDENT + 4), " " * (_INDENT + 2))
    if (each.note and each.action != UNCHANGED) or each.runs:
        yield terminal.wrapped(each.note, " " * (_INDENT + 4), " " * (_INDENT + 2))


def _change(change: Change) -> str:
    fixed = " (Azure fixes it for good when it is made)" if change.fixed else ""
    return f"{change.field}: {_value(change.old)} -> {_value(change.new)}{fixed}"


def _value(value: Any) -> str:
    return "nothing" if value is None else str(value) if isinstance(value, str) else json.dumps(value)


def _plain(each: Resource) -> dict[str, Any]:
    changes = [{"field": one.field, "old": one.old, "new": one.new, "fixed": one.fixed} for one in each.changes]
    return {"kind": each.kind, "name": each.name, "action": each.action, "changes": changes, "note": each.note}


def is_shown(each: Resource) -> bool:
    """Tells whether a resource is of interest where only what differs is."""
    return each.action not in (UNCHANGED, LEFT_ALONE)
