"""A YAML file that the SDK cannot read or its schemas refuse, told as sentences with file, line and key."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.errors import suggest

_SCHEMA = re.compile(r"Validation for (\w+) failed")
_ALLOWED = re.compile(r"(?:in set \[|one of: )(.*?)\]?\.?$")
_TYPE = re.compile(r"(?:Unsupported job|Unknown compute) type: (\S+?)\.?$")


def explain(error: Any, arguments: argparse.Namespace | None) -> str:
    """Returns a line for each thing that is wrong in the file, the flags or the --set that the command was given."""
    text = str(error)
    named = _SCHEMA.search(text)
    schema = _schema(named[1] if named else "PipelineJobSchema")
    file = getattr(arguments, "file", None)
    faults = list(_faults(error, text))
    if not faults:
        return text
    return "\n".join(_sentence(path, message, file, arguments, schema) for path, message in faults)


def unreadable(error: Any, file: str) -> str | None:
    """The sentence for a file that is not YAML, not a mapping or of an unknown `type`; None if it is something else."""
    text = str(error)
    mark = getattr(error.__cause__, "problem_mark", None)
    if mark is not None:
        return f"{file}, line {mark.line + 1}, column {mark.column + 1}: not valid YAML: {error.__cause__.problem}"
    if text == "Target yaml file is empty":
        return f"{file}: the file is empty"
    if wrong := re.match(r"Expect dict but get <class '(\w+)'>", text):
        return f"{file}: it holds a {wrong[1]} where `key: value` lines are wanted"
    if _TYPE.match(text):
        line, _ = _line(Path(file), ["type"])
        return f"{file}{f', line {line}' if line else ''}: {text}"
    return None


def blocked_override(arguments: argparse.Namespace) -> str | None:
    """The sentence for a --set whose path goes through a plain value, such as instance_count.x; None if none does."""
    document = _document(arguments.file)
    for path in (key for pairs in arguments.set for key in pairs):
        below: Any = document
        for depth, part in enumerate(path.split(".")):
            if below is not None and not isinstance(below, dict):
                parent = ".".join(path.split(".")[:depth])
                return f"--set {path}: {parent} is {below!r} in {arguments.file}, a plain value that has no keys"
            below = (below or {}).get(part)
    return None


def _faults(error: Any, text: str) -> Iterator[tuple[list[str], str]]:
    """(path, message) pairs, from the nested messages of marshmallow or from the SDK's own list."""
    start, end = text.find("{"), text.rfind("}")
    if named := _SCHEMA.search(text):
        try:
            found = json.loads(text[max(start, named.end()) : end + 1])
        except ValueError:
            return
    else:
        found = error.messages if isinstance(getattr(error, "messages", None), dict) else {}
    if isinstance(found.get("errors"), list) and "result" in found:
        for each in found["errors"]:
            yield str(each.get("path", "")).split("."), str(each.get("message", ""))
    else:
        yield from _leaves(found, [])


def _leaves(messages: Any, above: list[str]) -> Iterator[tuple[list[str], str]]:
    if isinstance(messages, dict):
        for key, value in messages.items():
            yield from _leaves(value, [*above, str(key)])
    elif isinstance(messages, list) and any(isinstance(each, dict) for each in messages):
        for each in messages:
            yield from _leaves(each, above)
    else:
        texts = messages if isinstance(messages, list) else [messages]
        yield above, "; ".join(str(each) for each in texts)


def _sentence(path: list[str], message: str, file: str | None, arguments: Any, schema: Any) -> str:
    key = ".".join(path)
    where, value = _where(path, file, arguments)
    message = message.strip().rstrip(".")
    if message == "Unknown field":
        return f"{where}: '{key}' is not a key of {_thing(schema)}{_hint(schema, path)}"
    if message.startswith("Missing data for required field"):
        return f"{where}: the key '{key}' is missing"
    shown = "" if value is None or isinstance(value, (dict, list)) else f" is {value!r}"
    if shown and repr(value) in message:
        shown = ""
    return f"{where}: '{key}'{shown}: {message}{_advice(message, value, _field(schema, path))}"


def _advice(message: str, value: Any, field: Any) -> str:
    """What to write instead, where the message does not say it."""
    allowed = _ALLOWED.search(message)
    if allowed and value is not None:
        return suggest(value, re.findall(r"[\w-]+", allowed[1]))
    if message == "Not a valid string" and isinstance(value, (bool, int, float)):
        return f'; put it in quotes: "{json.dumps(value)}"'
    patterns = [check.regex.pattern for check in getattr(field, "validators", []) if hasattr(check, "regex")]
    return f"; allowed: {patterns[0]}" if patterns and "pattern" in message else ""


def _where(path: list[str], file: str | None, arguments: Any) -> tuple[str, Any]:
    """Where a key was written (a --set, a flag, a line of the file) and what its value is there."""
    key = ".".join(path)
    for pairs in reversed(getattr(arguments, "set", None) or []):
        if key in pairs:
            return f"--set {key}", pairs[key]
    for verb, words in getattr(arguments, "changes", []):
        for word in words:
            if verb == "set" and word.partition("=")[0] == key:
                return f"--set {key}", word.partition("=")[2]
    flag = getattr(arguments, path[0], None) if len(path) == 1 else None
    if isinstance(flag, str) and path[0] not in ("file", "command"):
        return f"--{path[0].replace('_', '-')}", flag
    if not file:
        return "the command line", None
    line, value = _line(Path(file), path)
    return (f"{file}, line {line}" if line else str(file)), value


def _line(file: Path, path: list[str]) -> tuple[int | None, Any]:
    """The line of a key, or of the nearest one above it that is there, and the key's value."""
    import yaml

    try:
        node = yaml.compose(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return None, None
    line = None
    for part in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        found = next((pair for pair in pairs if pair[0].value == part), None)
        if found is None:
            return line, None
        line, node = found[0].start_mark.line + 1, found[1]
    return line, yaml.safe_load(yaml.serialize(node))


def _document(file: str | None) -> dict[str, Any]:
    import yaml

    return yaml.safe_load(Path(file).read_text(encoding="utf-8")) if file else {}


def _schema(name: str) -> Any:
    """The SDK's schema class of that name."""
    from azure.ai.ml._schema import PathAwareSchema

    waiting, seen = [PathAwareSchema], set()
    while waiting:
        each = waiting.pop()
        if each.__name__ == name:
            return each
        new = [below for below in each.__subclasses__() if below not in seen]
        seen.update(new)
        waiting += new
    return None


def _thing(schema: Any) -> str:
    name = schema.__name__.removesuffix("Schema") if schema else "this file"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _hint(schema: Any, path: list[str]) -> str:
    """Did you mean, or else what is allowed, for a key that is unknown where `path` puts it."""
    fields = _siblings(schema, path)
    allowed = sorted(name for name, field in fields.items() if not getattr(field, "dump_only", False))
    if not allowed:
        return ""
    return suggest(path[-1], allowed) or f"; allowed: {', '.join(allowed)}"


def _field(schema: Any, path: list[str]) -> Any:
    return _siblings(schema, path).get(path[-1])


def _siblings(schema: Any, path: list[str]) -> dict[str, Any]:
    """The fields that may stand where the last part of `path` stands; {} where the schema does not say."""
    fields = _fields(schema)
    for part in path[:-1]:
        fields = _fields(getattr(fields.get(part), "schema", None))
    return fields


def _fields(schema: Any) -> dict[str, Any]:
    declared = getattr(schema, "_declared_fields", None) or {}
    return {getattr(field, "data_key", None) or name: field for name, field in declared.items()}
