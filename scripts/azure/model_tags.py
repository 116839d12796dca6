"""What a registry model says of itself in its tags: parsed in every form seen, from both places where it may stand.

Models carry their compute lists, parameter defaults and retirement dates in tags (a list as a Python literal, a mapping
as JSON, a date as text) or, since 2026, in `system_metadata`; some also in properties. Numbers come as numbers where
the component wants strings; `scripts.azure.component` turns them into the component's types.
"""

from __future__ import annotations

import ast
import datetime
import json
from collections.abc import Mapping
from typing import Any

from scripts.errors import UserError
from scripts.strict_yaml import value_at

_QUOTED = 120  # characters of a malformed tag that its error shows


def parse(name: str, value: Any, where: str) -> Any:
    """Returns a tag's value as plain data; a `UserError` quotes one that is neither JSON nor a Python literal."""
    if not isinstance(value, str):
        return value
    for reader in (json.loads, ast.literal_eval):
        try:
            return reader(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    raise UserError(
        f"{where}: tag {name}: neither JSON nor a Python literal: {_shown(value)}; "
        "tell the model's publisher, and write the model's facts into the lock by hand until it is put right"
    )


def size_list(kind: str, model: Mapping[str, Any], where: str) -> list[str] | None:
    """Returns the sizes that a model lists for `finetune` or `inference`, None where it lists none."""
    name = f"{kind}_compute_allow_list"
    value = value_at(model, f"tags.{name}")
    if value is None:
        name = f"supportedComputes.{kind}Computes"
        value = value_at(model, f"system_metadata.{name}")
    if value is None:
        name = f"{kind}-recommended-sku"
        text = value_at(model, f"properties.{name}")
        value = [word.strip() for word in text.split(",") if word.strip()] if isinstance(text, str) else text
    if not value:
        return None
    sizes = parse(name, value, where)
    if not isinstance(sizes, list | tuple) or not all(isinstance(size, str) for size in sizes):
        raise UserError(f"{where}: tag {name}: expected a list of sizes, found {_shown(value)}")
    return list(sizes) or None


def parameter_defaults(model: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Returns the parameters that a model wants to be trained with (`model_specific_defaults`)."""
    name = "model_specific_defaults"
    value = _first(model, f"tags.{name}", f"system_metadata.{name}", "system_metadata.modelSpecificDefaults")
    if not value:
        return {}
    found = parse(name, value, where)
    if not isinstance(found, dict):
        raise UserError(f"{where}: tag {name}: expected a mapping of parameters, found {_shown(value)}")
    return {str(key): _scalar(name, key, each, where) for key, each in found.items()}


def _scalar(name: str, key: Any, value: Any, where: str) -> Any:
    if isinstance(value, bool):
        return str(value).lower()  # the component's enums are "true" and "false"
    if isinstance(value, str | int | float):
        return value
    raise UserError(f"{where}: tag {name}: {key}: expected a single value, found {_shown(value)}")


def minimum(kind: str, model: Mapping[str, Any], where: str) -> str | None:
    """Returns the smallest machine as `vCPUs|GPUs|memory GB|disk GB`, None where the model does not say."""
    name = f"{kind}-min-sku-spec"
    found = _first(model, f"properties.{name}", f"tags.{name}", f"system_metadata.SKU.{kind}MinSkuSpec")
    if not found:
        return None
    parts = str(found).split("|")
    if len(parts) != 4 or not all(part.strip().isdigit() for part in parts):
        raise UserError(f"{where}: {name}: expected vCPUs|GPUs|memory|disk, found {_shown(found)}")
    return "|".join(part.strip() for part in parts)


def retirement(model: Mapping[str, Any], where: str) -> dict[str, str] | None:
    """Returns the model's lifecycle dates by name (`finetuneRetirementDate` and so on), None where it has none."""
    dates = value_at(model, "system_metadata.deprecation")
    found = parse("deprecation", dates, where) if dates else {}
    if not isinstance(found, dict):
        raise UserError(f"{where}: deprecation: expected a mapping of dates, found {_shown(dates)}")
    for place in ("tags", "properties"):
        for key, value in (model.get(place) or {}).items():
            if key.endswith(("RetirementDate", "DeprecationDate", "LegacyDate")):
                found.setdefault(key, value)
    for key, value in found.items():
        if str(key).endswith("Date") and value and not is_day(value):
            raise UserError(f"{where}: {key}: expected a date, found {_shown(value)}")
    return {key: str(value) for key, value in sorted(found.items()) if value} or None


def is_day(value: Any) -> bool:
    """Tells whether a value begins with a date, as 2026-08-30 and 2026-08-30T00:00:00Z do."""
    try:
        return bool(datetime.date.fromisoformat(str(value)[:10]))
    except ValueError:
        return False


def _first(model: Mapping[str, Any], *places: str) -> Any:
    """What stands at the first of the dotted keys at which something does."""
    return next((found for place in places if (found := value_at(model, place)) not in (None, "")), None)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return repr(text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…")
