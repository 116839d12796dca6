"""Tools and their calls in a conversation: what is called, and both as a reader takes them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson


def has_calls(message: dict[str, Any]) -> bool:
    """Tells a message that calls tools, and so needs no text."""
    return bool(message.get("tool_calls"))


def name_of(call: Any) -> str:
    """Returns the name of what a tool call calls; an empty text for what is no call."""
    function = call.get("function", call) if isinstance(call, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else ""


def renamed(call: dict[str, Any], name: str) -> dict[str, Any]:
    """Returns a call of something else."""
    return {**call, "function": {**call["function"], "name": name}} if "function" in call else {**call, "name": name}


def call_text(call: dict[str, Any]) -> str:
    """Returns a call as a reader takes it: name(arguments)."""
    arguments = call.get("function", call).get("arguments")
    return f"{name_of(call)}({arguments if isinstance(arguments, str) else _json(arguments)})"


def tool_text(tool: Any) -> str:
    """Returns a tool as a reader takes it: name(parameters): what it does."""
    function = tool.get("function", tool) if isinstance(tool, dict) else tool
    if not isinstance(function, dict):
        return _json(tool)
    parameters = function.get("parameters")
    names = parameters.get("properties", {}) if isinstance(parameters, dict) else {}
    said = f": {function['description']}" if function.get("description") else ""
    return f"{function.get('name', '')}({', '.join(names) if isinstance(names, dict) else ''}){said}"


def as_text(value: Any) -> str:
    """Returns all that stands in tools or calls, a line each (`key: "value"`), in JSON that is kept as text too."""
    lines, waiting = [], [("", value)]
    while waiting:  # no recursion: nobody knows how deep it is
        key, each = waiting.pop()
        if isinstance(each, str) and each[:1] in ("{", "["):
            with suppress(orjson.JSONDecodeError):
                each = orjson.loads(each)
        if isinstance(each, dict):
            waiting += reversed(each.items())
        elif isinstance(each, list):
            waiting += [(key, inner) for inner in reversed(each)]
        elif each is not None:
            lines.append(f'{key}: "{each}"')
    return "\n".join(lines)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode() if value is not None else ""
