"""The lock: where it is, what it holds, and whether it is what `make lock` writes (lock_file.schema.json).

A hand that edited it, or a merge, is named before rendering or a check trips over it.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.azure import chat_models, component, machine_sizes
from scripts.azure.chat_models import Model
from scripts.azure.component import Component
from scripts.azure.machine_sizes import Size
from scripts.azure.model_tags import is_day
from scripts.errors import UserError
from scripts.files import refuse
from scripts.strict_yaml import read_yaml
from scripts.targets import command
from scripts.yaml_quoting import document

HEAD = (
    "# What the live registry and workspace said, pinned by make lock ENV={environment}, and the model version that "
    "make promote\n# let through; do not edit. Rendering and preflight read it instead of the network. make lock-check "
    "reports what is newer.\n"
)


@dataclass(frozen=True)
class Promoted:
    """The model version that `make promote` let through, and why: the required `measures` of both models."""

    model: str
    version: str
    job: str
    evaluation: str  # its fingerprint, which the version's tag has, too
    data_version: str
    measures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Lock:
    """What `make lock` pinned; `sizes` by their name in lower case, `lines` of the file by dotted key."""

    seen: datetime.date | None = None
    model: Model | None = None
    component: Component | None = None
    sizes: Mapping[str, Size] = field(default_factory=dict)
    promoted: Promoted | None = None
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)


def to_text(lock: Mapping[str, Any], environment: str) -> str:
    """Returns the lock as YAML: the same content, the same bytes."""
    return HEAD.format(environment=environment) + document(dict(lock))


def lock_path(environment: str, root: Path) -> Path:
    """Returns where the lock of an environment is kept."""
    return root / "environments" / f"{environment}.lock.yaml"


def read(environment: str, root: Path) -> Lock | None:
    """Returns the lock of an environment, verified; None where there is none."""
    path = lock_path(environment, root)
    if not os.path.lexists(path):
        return None
    content, lines = read_yaml(path, name=f"environments/{path.name}")
    if not content:
        refuse(f"environments/{path.name}", "is empty", f"{command('lock', environment)} writes it anew")
    _verify(content, environment, lines)
    try:
        return dataclasses.replace(typed(content), lines=lines)
    except ValueError as error:  # a default that is not of its input's type
        raise UserError(
            f"environments/{path.name}: component.inputs: {error}; {command('lock', environment)} writes it anew"
        ) from None


def typed(content: Mapping[str, Any]) -> Lock:
    """Returns the content of a lock, which was verified, as dataclasses."""
    seen, sizes = content.get("seen"), content.get("sizes", {})
    return Lock(
        seen=datetime.date.fromisoformat(str(seen)[:10]) if seen else None,
        model=chat_models.read(content["model"]) if "model" in content else None,
        component=component.read(content["component"]) if "component" in content else None,
        sizes={name.lower(): machine_sizes.read(size) for name, size in sizes.items()},
        promoted=Promoted(**content["promoted"]) if "promoted" in content else None,
    )


def _verify(lock: dict[str, Any], environment: str, lines: dict[str, int]) -> None:
    """Raises a `UserError` that names a key of a lock which is missing or does not hold what belongs there."""
    from jsonschema import Draft202012Validator, FormatChecker

    formats = FormatChecker(formats=())
    formats.checks("day")(is_day)
    formats.checks("day or nothing")(lambda value: value is None or is_day(value))
    formats.checks("days")(_dates)
    formats.checks("texts")(lambda value: not isinstance(value, list) or all(isinstance(each, str) for each in value))
    rules = json.loads(Path(__file__).with_suffix(".schema.json").read_text(encoding="utf-8"))
    error = next(Draft202012Validator(rules, format_checker=formats).iter_errors(lock), None)
    if error is None:
        return
    path, found, rule = list(error.absolute_path), error.instance, error.schema
    if error.validator == "required":
        path.append(next(name for name in error.validator_value if name not in found))
        found, rule = None, rule["properties"][path[-1]]
    key = ".".join(path)
    todo = f"{command('lock', environment)} writes it anew"
    if path[:1] == ["promoted"]:
        todo = f"restore it from git, or delete the section: {command('promote', environment)} writes it anew"
    raise UserError(
        f"environments/{environment}.lock.yaml{f':{lines[key]}' if key in lines else ''}: {key}: expected "
        f"{rule.get('description', 'a mapping')}, found {'nothing' if found is None else f'{found!r:.60}'}; {todo}"
    )


def _dates(value: Any) -> bool:
    return not isinstance(value, dict) or all(
        is_day(day) for key, day in value.items() if str(key).endswith("Date") and day
    )
