"""What the JSON of each resource holds: one file a resource, with which requests are read and replies completed.

A file is a JSON Schema with three meanings more, taken from what Microsoft's tests recorded of the service:

- A key that may be null is always shown, as null where there is nothing; any other key is shown where it has a value.
- `default` is what is shown where nothing was sent. `readOnly` marks what only the service says.
- `since` (a date) and `preview` mark what only some versions of the API show: those of that date or later, previews.

- `extends` names a file whose description this one continues, as all types of jobs have much in common.

A mapping whose keys are the client's own (tags, say) has `additionalProperties`; any other key that is not described
is not used, and the emulator's log says so.
"""

from __future__ import annotations

import copy
import functools
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from scripts.local.core.web import bad_request

FOLDER = Path(__file__).parent
WORDS = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}
WORDS |= {"object": "an object", "array": "a list", "null": "null"}
NEWEST = "9999-preview"  # of the API: shows all

log = logging.getLogger("local")


class Form:
    """The description of one resource."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.schema = _schema(name)
        self.validator = Draft202012Validator(self.schema)

    def read(self, body: dict[str, Any], what: str) -> dict[str, Any]:
        """Returns what of a request's body is used: no nulls, nothing that only the service says.

        Raises the 400 of a value of another type; `what` is the resource at the start of the sentence.
        """
        body = _sent(body)
        fault = best_match(self.validator.iter_errors(body))
        if fault is not None:
            raise bad_request(f"{what}: {_told(fault)}.", inner=("BadArgument", "ArgumentInvalid"))
        used: dict[str, Any] = self._used(self.schema, body, "")
        return used

    def complete(self, content: Mapping[str, Any], api: str = NEWEST) -> dict[str, Any]:
        """Returns a reply with every key that Azure shows in a version of the API, such as `2023-04-01-preview`."""
        shown: dict[str, Any] = _complete(self.schema, dict(content), api or NEWEST)
        return shown

    def _used(self, schema: dict[str, Any], value: Any, path: str) -> Any:
        if isinstance(value, list):
            return [self._used(schema.get("items", {}), each, f"{path}[]") for each in value]
        if not isinstance(value, dict):
            return value
        known, others = schema.get("properties", {}), schema.get("additionalProperties", not schema.get("properties"))
        used = {}
        for key, each in value.items():
            if key in known:
                if not known[key].get("readOnly"):
                    used[key] = self._used(known[key], each, f"{path}.{key}")
            elif others is False:
                log.warning("%s: %s is not known here and was not used", self.name, f"{path}.{key}".lstrip("."))
            else:
                used[key] = self._used(others if isinstance(others, dict) else {}, each, f"{path}.*")
        return used


@functools.cache
def form(name: str) -> Form:
    """Returns the form of a resource by the name of its file."""
    return Form(name)


def _schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return _continued(_schema(schema.pop("extends")), schema) if "extends" in schema else schema


def _continued(base: Any, more: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(more, dict)):
        return more
    return {**base, **{key: _continued(base.get(key), part) for key, part in more.items()}}


def _sent(value: Any) -> Any:
    """Returns JSON without its nulls: clients send them for what they do not set."""
    if isinstance(value, dict):
        return {key: _sent(each) for key, each in value.items() if each is not None}
    return [_sent(each) for each in value] if isinstance(value, list) else value


def _told(fault: ValidationError) -> str:
    place = ".".join(str(step) for step in fault.absolute_path) or "the request body"
    value = json.dumps(fault.instance)
    value = value if len(value) < 60 else value[:57] + "..."
    if fault.validator == "type":
        wanted = fault.validator_value if isinstance(fault.validator_value, list) else [fault.validator_value]
        return f"{place} is {value}; allowed is {' or '.join(WORDS[each] for each in wanted if each != 'null')}"
    if fault.validator == "enum":
        return f"{place} is {value}; allowed are {', '.join(str(each) for each in fault.validator_value)}"
    return f"{place}: {fault.message}"


def _complete(schema: dict[str, Any], value: Any, api: str) -> Any:
    """Returns a value completed; of an object each described key, `...` standing for what is not shown."""
    if api < schema.get("since", "") or (schema.get("preview") and not api.endswith("-preview")):
        return ...
    if value is ... or value is None:
        if "default" in schema:
            return copy.deepcopy(schema["default"])
        return None if "null" in _types(schema) else ...
    if isinstance(value, list):
        return [None if each is None else _complete(schema.get("items", {}), each, api) for each in value]
    if not isinstance(value, dict):
        return value
    known, others = schema.get("properties", {}), schema.get("additionalProperties", not schema.get("properties"))
    shown = {key: _complete(part, value.get(key, ...), api) for key, part in known.items()}
    if others is not False:
        part = others if isinstance(others, dict) else {}
        shown |= {key: _complete(part, each, api) if part else each for key, each in value.items() if key not in known}
    return {key: each for key, each in shown.items() if each is not ...}


def _types(schema: dict[str, Any]) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else types
