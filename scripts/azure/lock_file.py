"""The lock: where it is, what it holds, and whether it is what `make lock` writes.

A hand that edited it, or a merge, is named before rendering or a check trips over it.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.azure import chat_models, component, machine_sizes
from scripts.azure.chat_models import Model
from scripts.azure.component import Component
from scripts.azure.machine_sizes import Size
from scripts.azure.model_tags import is_day
from scripts.errors import UserError
from scripts.strict_yaml import read_yaml

SPEC = re.compile(r"\d+\|\d+\|\d+\|\d+")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _number_of_any_sign(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return _number_of_any_sign(value) and value >= 0


def _spec(value: Any) -> bool:
    return isinstance(value, str) and bool(SPEC.fullmatch(value))


def _dates(value: Any) -> bool:
    return isinstance(value, dict) and all(
        is_day(day) for key, day in value.items() if str(key).endswith("Date") and day
    )


# The key, what may stand there, that in words, and whether it must be there.
Rule = tuple[str, Callable[[Any], bool], str, bool]
TOP: tuple[Rule, ...] = (("seen", is_day, "a date", False),)
MODEL: tuple[Rule, ...] = (
    ("name", _text, "the model's name", True),
    ("finetune_computes", _texts, "a list of sizes", False),
    ("inference_computes", _texts, "a list of sizes", False),
    ("finetune_min_sku_spec", _spec, "vCPUs|GPUs|memory|disk", False),
    ("inference_min_sku_spec", _spec, "vCPUs|GPUs|memory|disk", False),
    ("deprecation", _dates, "a mapping with dates", False),
)
COMPONENT: tuple[Rule, ...] = (
    ("component", _text, "the component's name", True),
    ("version", _text, "the component's version", True),
)
INPUT: tuple[Rule, ...] = (
    ("type", _text, "a type", True),
    ("enum", _texts, "a list of texts", False),
    ("min", _number_of_any_sign, "a number", False),
    ("max", _number_of_any_sign, "a number", False),
)
SIZE: tuple[Rule, ...] = (
    ("name", _text, "the size's name", True),
    ("gpus_per_node", _number, "a number", True),
    ("vcpus", _number, "a number", True),
    ("memory_gb", _number, "a number", True),
    ("disk_gib", _number, "a number", False),
    ("retirement_date", is_day, "a date", False),
    ("price", lambda value: isinstance(value, dict), "a mapping", False),
)
PRICE: tuple[Rule, ...] = (
    ("per_hour", _number, "a number", True),
    ("currency", _text, "USD, for example", True),
    ("seen", is_day, "a date", True),
)


@dataclass(frozen=True)
class Lock:
    """What `make lock` pinned; `sizes` by their name in lower case."""

    seen: datetime.date | None = None
    model: Model | None = None
    component: Component | None = None
    sizes: Mapping[str, Size] = field(default_factory=dict)


def lock_path(environment: str, root: Path) -> Path:
    """Returns where the lock of an environment is kept."""
    return root / "environments" / f"{environment}.lock.yaml"


def read(environment: str, root: Path) -> Lock | None:
    """Returns the lock of an environment, verified; None where there is none."""
    path = lock_path(environment, root)
    if not path.exists():
        return None
    content, lines = read_yaml(path, name=f"environments/{path.name}")
    if not content:
        return None
    verify(content, environment, lines)
    try:
        return typed(content)
    except ValueError as error:  # a default that is not of its input's type
        raise UserError(
            f"environments/{path.name}: component.inputs: {error}; make lock ENV={environment} writes it anew"
        ) from None


def typed(content: Mapping[str, Any]) -> Lock:
    """Returns the content of a lock, which was verified, as dataclasses."""
    seen, sizes = content.get("seen"), content.get("sizes", {})
    return Lock(
        seen=datetime.date.fromisoformat(str(seen)[:10]) if seen else None,
        model=chat_models.read(content["model"]) if "model" in content else None,
        component=component.read(content["component"]) if "component" in content else None,
        sizes={name.lower(): machine_sizes.read(size) for name, size in sizes.items()},
    )


def verify(lock: dict[str, Any], environment: str, lines: dict[str, int] | None = None) -> None:
    """Raises a `UserError` that names the first key of a lock which is missing or does not hold what belongs there."""

    def wrong(key: str, expected: str, found: Any) -> UserError:
        line = next((f":{number}" for at, number in (lines or {}).items() if at == key), "")
        return UserError(
            f"environments/{environment}.lock.yaml{line}: {key}: expected {expected}, "
            f"found {'nothing' if found is None else f'{found!r:.60}'}; make lock ENV={environment} writes it anew"
        )

    def mapping(key: str, needed: bool = True) -> dict[str, Any]:
        found: Any = lock
        for word in key.split("."):
            found = found.get(word)
        if not isinstance(found, dict) and (needed or found is not None):
            raise wrong(key, "a mapping", found)
        return found or {}

    parts: list[tuple[str, dict[str, Any], tuple[Rule, ...]]] = [("", lock, TOP)]
    if "model" in lock:
        parts.append(("model.", mapping("model"), MODEL))
        mapping("model.model_specific_defaults", needed=False)
    if "component" in lock:
        parts.append(("component.", mapping("component"), COMPONENT))
        for side in ("inputs", "outputs"):
            for name in mapping(f"component.{side}"):
                parts.append((f"component.{side}.{name}.", mapping(f"component.{side}.{name}"), INPUT))
    for name in mapping("sizes") if "sizes" in lock else ():
        size = mapping(f"sizes.{name}")
        parts.append((f"sizes.{name}.", size, SIZE))
        if isinstance(size.get("price"), dict):
            parts.append((f"sizes.{name}.price.", size["price"], PRICE))
    for path, content, rules in parts:
        for key, allowed, words, needed in rules:
            value = content.get(key)
            if (value is None and needed) or (value is not None and not allowed(value)):
                raise wrong(f"{path}{key}", words, value)
