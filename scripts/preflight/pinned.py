"""Is the lock what `make lock` writes? A hand that edited it, or a merge, is named before a check trips over it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from scripts.errors import UserError
from scripts.tags import is_day

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


Rule = tuple[
    str, Callable[[Any], bool], str, bool
]  # the key, what may stand there, that in words, whether it must be there
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


def verify(lock: dict[str, Any], environment: str) -> None:
    """Raises a `UserError` that names the first key of a lock which is missing or does not hold what belongs there."""
    parts = [("", lock, TOP), ("model.", lock.get("model"), MODEL)]
    for name, size in (lock.get("sizes") or {}).items():
        parts += [(f"sizes.{name}.", size, SIZE), (f"sizes.{name}.price.", size.get("price"), PRICE)]
    for path, mapping, rules in parts:
        for key, allowed, words, needed in rules if mapping is not None else ():
            value = mapping.get(key)
            if (value is None and needed) or (value is not None and not allowed(value)):
                found = "nothing" if value is None else f"{value!r:.60}"
                raise UserError(
                    f"environments/{environment}.lock.yaml: {path}{key}: expected {words}, found {found}; "
                    f"make lock ENV={environment} writes it anew"
                )
