"""The component's inputs: texts as they come over the wire, checked and turned into values by its interface."""

from __future__ import annotations

from typing import Any

from scripts.azure.component import Input, catalog
from scripts.errors import UserError, suggest


def parse(inputs: dict[str, str]) -> dict[str, Any]:
    """Returns every input with its value or default, typed: "true"/"false" as bool, None where nothing is given."""
    interface = catalog().inputs
    for name in inputs:
        if name not in interface:
            raise UserError(f"inputs.{name}: chat_completion_pipeline has no such input{suggest(name, interface)}.")
    for name, text in inputs.items():
        if text not in (None, ""):
            _check(interface[name], text)
    return catalog().native(inputs)


def _check(spec: Input, text: str) -> None:
    try:
        value = spec.typed(text)
    except ValueError:
        what = "a whole number" if spec.type == "integer" else "a number"
        raise UserError(f"inputs.{spec.name}: found '{text}'; allowed is {what}.") from None
    allowed = spec.fault(value)
    if allowed and spec.enum:
        raise UserError(f"inputs.{spec.name}: found '{text}'; allowed are {allowed}{suggest(text, spec.enum)}.")
    if allowed:
        raise UserError(f"inputs.{spec.name}: found {value:g}; allowed is {allowed}.")
