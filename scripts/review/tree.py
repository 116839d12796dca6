"""Looks at an environment in one tree: what its values and its committed YAML say, and what that costs."""

from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from scripts import render
from scripts.errors import UserError
from scripts.preflight import context
from scripts.review import told
from scripts.review.seen import Entry, Seen
from scripts.strict_yaml import shown, value_at
from scripts.values import facts, parameters, schema
from scripts.values.read import Values, load

# Rendered keys that say what is paid for, and the values that they are rendered from.
PAID = {
    "pipelines compute.yml size": "compute.size",
    "pipelines compute.yml tier": "compute.tier",
    "pipelines compute.yml min_instances": "compute.min_instances",
    "endpoints deployment.yml instance_type": "deployment.instance_type",
    "endpoints deployment.yml instance_count": "deployment.instance_count",
}
INPUTS = "pipelines finetune.yml jobs.chat_completion.inputs."
_USER = ("values", "environment", "--set")


def look(environment: str, root: Path, today: str) -> Seen:
    """Looks at an environment of a tree; only at what is committed there, not at data that lie on this machine."""
    try:
        return _look(load(environment, root=root), root, today)
    except UserError as error:
        return Seen(fault=str(error).replace(f"{root}/", ""))


def _look(values: Values, root: Path, today: str) -> Seen:
    by_hand = render.otherwise(values, root)
    fields = dict(_fields(values.environment, root))
    meant = _as_committed(values, fields, root) if by_hand else values
    made = context.build(meant, today=datetime.date.fromisoformat(today), root=root, only_committed=True)
    resolved = parameters.resolve(meant, facts.load(meant, root))
    said = dict(_flat(meant.data))
    written = {key: _who(values, meant, key) for key in said}
    return Seen(
        values={key: Entry(said[key], who) for key, who in written.items() if not key.startswith("finetune.")},
        parameters={
            name: Entry(each.value, written.get(f"finetune.{name}", "") if each.source in _USER else each.source)
            for name, each in resolved.items()
        },
        facts=told.facts(made, resolved),
        fields=fields,
        by_hand=by_hand,
        amounts=told.amounts(made),
        complaints=told.complaints(made),
    )


def _who(values: Values, meant: Values, key: str) -> str:
    """Returns who decided a value: the YAML, where it says something else than the values give."""
    said = value_at(values.data, key)
    return values.source(key) if said == value_at(meant.data, key) else f"the YAML, not the values ({shown(said)})"


def _fields(environment: str, root: Path) -> Iterator[tuple[str, Any]]:
    """Yields the fields of the YAML of an environment as it is committed."""
    for kind in ("pipelines", "endpoints"):
        folder = root / kind / environment
        for path in sorted(each for each in folder.rglob("*") if each.suffix in (".yml", ".json")):
            name = f"{kind} {path.relative_to(folder).as_posix()}"
            try:
                content = yaml.safe_load(path.read_bytes())
            except yaml.YAMLError:
                content = "no YAML"
            for key, value in _flat(content) if isinstance(content, dict) else [("", content)]:
                yield f"{name} {key}".strip(), value


def _flat(content: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", json.loads(json.dumps(value, default=str))


def _as_committed(values: Values, fields: dict[str, Any], root: Path) -> Values:
    """Returns the values that would give what a hand wrote into the YAML, as far as it is paid for."""
    inputs = facts.load(values, root).component.inputs
    keys = PAID | {f"{INPUTS}{name}": f"finetune.{name}" for name in inputs}
    rendered = _rendered(values, root)
    meant = copy.deepcopy(values)
    for name, key in keys.items():
        if name not in fields or fields[name] == rendered.get(name):
            continue
        before = copy.deepcopy(meant.data)
        section, last = key.split(".")
        try:
            meant.data[section][last] = inputs[last].native(fields[name]) if section == "finetune" else fields[name]
            if schema.faults(meant.data, meant.where, root):
                meant.data = before  # what no values can say: validate has a sentence about it
        except ValueError:
            pass
    return meant


def _rendered(values: Values, root: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, text in render.render(values, root).items():
        kind, _, name = path.split("/", 2)
        found |= {f"{kind} {name} {key}": value for key, value in _flat(yaml.safe_load(text))}
    return found
