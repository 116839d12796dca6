"""The lock: where it is, and whether it is what `make lock` writes.

A hand that edited it, or a merge, is named before rendering or a check trips over it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.azure.model_tags import is_day
from scripts.errors import UserError
from scripts.strict_yaml import read_yaml

SPEC = re.compile(r"\d+\|\d+\|\d+\|\d+")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _sizes(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


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
    ("finetune_computes", _sizes, "a list of sizes", False),
    ("inference_computes", _sizes, "a list of sizes", False),
    ("finetune_min_sku_spec", _spec, "vCPUs|GPUs|memory|disk", False),
    ("inference_min_sku_spec", _spec, "vCPUs|GPUs|memory|disk", False),
    ("deprecation", _dates, "a mapping with dates", False),
)
SIZE: tuple[Rule, ...] = (
    ("name", lambda value: isinstance(value, str), "the size's name", True),
    ("gpus_per_node", _number, "a number", True),
    ("vcpus", _number, "a number", True),
    ("memory_gb", _number, "a number", True),
    ("disk_gib", _number, "a number", False),
    ("retirement_date", is_day, "a date", False),
    ("price", lambda value: isinstance(value, dict), "a mapping", False),
)
PRICE: tuple[Rule, ...] = (
    ("per_hour", _number, "a number", True),
    ("currency", lambda value: isinstance(value, str), "USD, for example", True),
    ("seen", is_day, "a date", True),
)


def lock_path(environment: str, root: Path) -> Path:
    """Returns where the lock of an environment is kept."""
    return root / "environments" / f"{environment}.lock.yaml"


def read(environment: str, root: Path) -> dict[str, Any]:
    """Returns the lock of an environment, verified; an empty mapping where there is none."""
    path = lock_path(environment, root)
    if not path.exists():
        return {}
    lock, lines = read_yaml(path, name=f"environments/{path.name}")
    verify(lock, environment, lines)
    return lock


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
        mapping("component")
        mapping("component.inputs")
        mapping("component.outputs")
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
