"""What the SDK's schemas refuse in a YAML document: one sentence a key, in place of a page of unions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from scripts.azure import sdk_private
from scripts.azure.answers import plain
from scripts.errors import suggest


def faults(error: BaseException, kind: str, value_of: Callable[[str], Any]) -> dict[str, str]:
    """Returns dotted key -> what is wrong there, for an error of the SDK's loaders; {} where no schema refused a key.

    `kind` is the loader's word, `azure.ai.ml.load_<kind>`; `value_of` returns what was written at a dotted key.
    """
    messages = _field_messages(error)
    schema = sdk_private.schema(kind, str(error)) if messages else None
    return {key: _fault(schema, key, value_of(key), text) for key, text in messages.items()}


def sentence(text: str) -> str:
    """Returns the first sentence of an SDK message, without colour codes and links."""
    return re.split(r"\n|\. |Visit this link", plain(text))[0].strip().rstrip(".") or "the SDK refuses this file"


def _field_messages(error: BaseException | None) -> dict[str, str]:
    """Returns dotted key -> message from marshmallow's error, which the SDK wraps in one of long texts."""
    found: dict[str, str] = {}
    while error is not None:
        messages = getattr(error, "messages", None)
        if isinstance(messages, dict):
            found = dict(_flatten(messages, ""))
        error = error.__cause__ or error.__context__
    return found


def _flatten(messages: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            # "value" and "_schema" are marshmallow's own words for "the value of this entry"
            yield from _flatten(inner, key if name in ("value", "_schema") else f"{key}.{name}".lstrip("."))
    elif isinstance(messages, list):  # of a union the branches, shortest first
        yield from dict(pair for branch in reversed(messages) for pair in _flatten(branch, key)).items()
    else:
        yield key, str(messages)


def _fault(schema: Any, key: str, value: Any, text: str) -> str:
    siblings = _siblings(schema, key)
    name = key.rpartition(".")[2]
    if text.startswith("Unknown field"):
        allowed = sorted(word for word, field in siblings.items() if not field.dump_only)
        return f"unknown key{suggest(name, allowed)}" + (f"; allowed: {', '.join(allowed)}" if allowed else "")
    if text.startswith("Missing data"):
        return "missing; add it"
    choice = re.search(r"not in set \[(.*)\]|Must be one of: (.*)\.", text)
    if choice:
        allowed = [word.strip(" '\"") for word in (choice[1] or choice[2]).split(",")]
        return f"found {value!r}, allowed: {', '.join(allowed)}{suggest(value, allowed)}"
    wanted = re.match(r"Not a valid (\w+)", text)
    if wanted:
        quotes = f': "{json.dumps(value)}"' if isinstance(value, (int, float)) else ""
        return f"found {value!r}, expected {wanted[1]}" + f", so put it in quotes{quotes}" * (wanted[1] == "string")
    checks = getattr(siblings.get(name), "validators", ())
    patterns = [check.regex.pattern for check in checks if hasattr(check, "regex")] if "pattern" in text else []
    return f"found {value!r}, allowed: {patterns[0]}" if patterns else sentence(text)


def _siblings(schema: Any, key: str) -> dict[str, Any]:
    """The fields that may stand where the last part of `key` stands; {} where the schema does not say."""
    fields = sdk_private.fields(schema)
    for part in key.split(".")[:-1]:
        fields = sdk_private.fields(fields.get(part))
    return fields
