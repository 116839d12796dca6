"""What a component takes: the checks of inputs against its specification that Azure ML's service makes, not the SDK."""

from __future__ import annotations

import math
from typing import Any

from scripts.errors import suggest

LITERALS = ("string", "integer", "number", "boolean")


def is_optional(spec: dict[str, Any]) -> bool:
    """Says whether an input may be left out."""
    return str(spec.get("optional", "")).lower() == "true" or "default" in spec


def literal_fault(name: str, spec: dict[str, Any], value: str) -> str | None:
    """Returns what is wrong with a literal (text on the wire) for an input, as the end of a sentence, or None."""
    kind = spec["type"]
    if kind not in LITERALS:
        instead = f"bind an input with `path` and `type: {kind}`"
        return f"is the text {value!r}, and input {name} takes a path of type {kind}: {instead}"
    number = None
    if kind in ("integer", "number"):
        try:
            number = int(value) if kind == "integer" else float(value)
        except ValueError:
            return f"is {value!r}, which is not {'an integer' if kind == 'integer' else 'a number'}"
        if not math.isfinite(number):
            return f"is {value!r}, which is not a finite number"
    if kind == "boolean" and value.lower() not in ("true", "false"):
        return f"is {value!r}, which is not a boolean"
    allowed = [str(each) for each in spec.get("enum") or []]
    if allowed and value not in allowed:
        return f"is {value!r}; allowed are {', '.join(allowed)}{suggest(value, allowed)}"
    for bound, wrong, word in (("min", lambda a, b: a < b, "least"), ("max", lambda a, b: a > b, "most")):
        if number is not None and spec.get(bound) is not None and wrong(number, float(spec[bound])):
            return f"is {value}; allowed is at {word} {spec[bound]}"
    return None


def type_fault(spec: dict[str, Any], kind: str) -> str | None:
    """Returns what is wrong with binding a value of type `kind` to an input or from an output, or None."""
    wanted = spec["type"]
    if kind == wanted or (kind in LITERALS and wanted in LITERALS) or wanted == "path":
        return None
    return f"is of type {kind}, and {wanted} is needed"


def unknown_fault(name: str, specs: dict[str, Any], what: str, owner: str) -> str:
    """Returns the sentence for a name that a specification does not have."""
    return f"{what} {name!r} is unknown: {owner} has no such {what.rsplit(' ', 1)[-1]}{suggest(name, specs)}."
