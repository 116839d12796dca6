"""Looks at an environment in one tree: what its values and its committed YAML say, and what that costs."""

from __future__ import annotations

import contextlib
import copy
import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from scripts import render
from scripts.azure import job_kinds
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
    meant = copy.deepcopy(values)
    for name, key in PAID.items():
        section, last = key.split(".")
        if name in fields and fields[name] != meant.data[section].get(last):
            _set(meant, section, last, fields[name], root)
    known = facts.load(meant, root)
    kind = job_kinds.chosen(meant.data)
    for last, each in parameters.resolve(meant, known).items():
        said = fields.get(f"pipelines finetune.yml {kind.parameters}.{last}", each.value)
        of = known.component.inputs[last]
        with contextlib.suppress(ValueError, TypeError):  # not of the input's type
            if of.typed(said) != each.value:
                _set(meant, "finetune", last, of.native(said), root)
    return meant


def _set(meant: Values, section: str, last: str, value: Any, root: Path) -> None:
    """Sets a value, unless it is none that may stand there: validate has a sentence about that."""
    before = copy.deepcopy(meant.data)
    meant.data[section][last] = value
    if schema.faults(meant.data, meant.where, root):
        meant.data = before
