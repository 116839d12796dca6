"""The component's inputs: strings as they come over the wire, checked and turned into values by the component's interface."""

from __future__ import annotations

from typing import Any

from scripts.azure.catalog import read_catalog
from scripts.errors import UserError, suggest


def interface() -> dict[str, dict[str, Any]]:
    """Returns name -> {type, default, enum, min, ...} of every input of chat_completion_pipeline."""
    return read_catalog("chat_completion_pipeline.json")["inputs"]


def parse(inputs: dict[str, str]) -> dict[str, Any]:
    """Returns every input with its value or default, typed: "true"/"false" as bool, None where nothing is given."""
    for name in inputs:
        if name not in interface():
            raise UserError(f"inputs.{name}: chat_completion_pipeline has no such input{suggest(name, interface())}.")
    values = {}
    for name, spec in interface().items():
        given = inputs.get(name)
        values[name] = _typed(name, spec, spec.get("default") if given in (None, "") else given)
    return values


def _typed(name: str, spec: dict[str, Any], value: Any) -> Any:
    if value is None:
        return None
    if spec["type"] == "integer":
        value = _number(name, value, int)
    elif spec["type"] == "number":
        value = _number(name, value, float)
    if "min" in spec and value < spec["min"]:
        raise UserError(f"inputs.{name}: found {value}; allowed is {spec['min']} or more.")
    allowed = spec.get("enum")
    if allowed and str(value) not in allowed:
        raise UserError(f"inputs.{name}: found '{value}'; allowed are {', '.join(allowed)}{suggest(value, allowed)}.")
    return str(value) == "true" if allowed == ["true", "false"] else value


def _number(name: str, value: Any, kind: type) -> Any:
    try:
        return kind(value)
    except (TypeError, ValueError):
        what = "a whole number" if kind is int else "a number"
        raise UserError(f"inputs.{name}: found '{value}'; allowed is {what}.") from None
