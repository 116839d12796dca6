"""The values against `values.schema.json`: a sentence for each fault, with file, line, key and what is allowed."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scripts.errors import UserError, suggest
from scripts.strict_yaml import shown

Schema = dict[str, Any]
Where = Callable[[str], str]  # dotted key -> file:line

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}


_RENAMED = {  # a key that was -> what became of it
    "deployment.liveness_initial_delay": "is liveness_probe.initial_delay now; readiness_probe has it too",
}


@functools.cache
def read(root: Path) -> Schema:
    """Returns the schema."""
    try:
        schema: Schema = json.loads((root / "values.schema.json").read_text(encoding="utf-8"))
        return schema
    except json.JSONDecodeError as error:
        raise UserError(f"values.schema.json:{error.lineno}: not valid JSON: {error.msg}; restore it") from None


def faults(data: dict[str, Any], where: Where, root: Path, rules: Schema | None = None) -> list[str]:
    """Returns a sentence for everything in the values that the schema does not allow, in the order of the files.

    `rules` is another schema than that of all values.
    """
    from jsonschema import Draft202012Validator, ValidationError, validators

    def pattern(_validator: Any, wanted: str, found: Any, _schema: Any) -> Iterator[ValidationError]:
        # JSON Schema's $ is the very end of the text; Python's also stands before a last line break
        if isinstance(found, str) and not re.search(re.sub(r"\$$", r"\\Z", wanted), found):
            yield ValidationError(f"does not match {wanted}")

    def rising(_validator: Any, last: int, found: Any, _schema: Any) -> Iterator[ValidationError]:
        # a word of this project: JSON Schema has none for numbers that rise
        if isinstance(found, list) and found and (found != sorted(found) or found[-1] != last):
            yield ValidationError(f"numbers that rise, the last one {last}")

    rules_of_ours = {"pattern": pattern, "rising": rising}
    errors = validators.extend(Draft202012Validator, rules_of_ours)(rules or read(root)).iter_errors(data)
    return sorted((sentence for error in errors for sentence in _explain(error, where)), key=_place)


def _place(sentence: str) -> tuple[str, int]:
    file, _, rest = sentence.partition(":")
    line = rest.partition(":")[0]
    return file, int(line) if line.isdigit() else 0


def _explain(error: Any, where: Where) -> Iterator[str]:
    key = ".".join(str(part) for part in error.absolute_path)
    rule, found = error.validator, error.instance
    if rule == "additionalProperties":
        allowed = sorted(error.schema.get("properties", {}))
        for name in found:
            if name not in allowed:
                path = f"{key}.{name}".lstrip(".")
                if path in _RENAMED:
                    yield f"{where(path)}: {path}: {_RENAMED[path]}"
                    continue
                hint = suggest(name, allowed)
                long = hint and len(allowed) > 12
                listed = "values.schema.json lists what is allowed" if long else f"allowed: {', '.join(allowed)}"
                yield f"{where(path)}: {path}: unknown key{hint}; {listed}"
        return
    if rule == "required":
        for name in error.validator_value:
            if name not in found:
                path = f"{key}.{name}".lstrip(".")
                yield f"{where(path)}: {path}: missing; add it{_described(error.schema, name)}"
        return
    if rule == "anyOf":  # the branch of the right type, if there is one, else what may stand here
        near = [branch for branch in error.context if branch.validator != "type"]
        if near:
            yield from _explain(near[0], where)
            return
        expected = " or ".join(_kind_word(branch) for branch in error.validator_value)
    elif rule == "enum":
        expected = f"{_kind_word(error.schema)}{suggest(found, error.validator_value)}"
    elif rule == "type":
        expected = _kind_word({"type": error.validator_value})
        if error.validator_value == "string" and isinstance(found, int | float):
            expected += f', so put it in quotes: "{shown(found)}"'
    elif rule is None:  # a key that has a meaning only beside another value of its neighbour
        expected = "nothing: leave it out, or change what stands beside it"
    elif rule in ("minimum", "exclusiveMinimum"):
        expected = f"{'at least' if rule == 'minimum' else 'more than'} {error.validator_value}"
    elif rule in ("maximum", "exclusiveMaximum"):
        expected = f"{'at most' if rule == 'maximum' else 'less than'} {error.validator_value}"
    elif rule in ("minItems", "maxItems"):
        number = error.validator_value
        expected = f"{'at least' if rule == 'minItems' else 'at most'} {number} item{'s' * (number != 1)}"
    elif rule in ("minLength", "maxLength"):
        expected = f"{'at least' if rule == 'minLength' else 'at most'} {error.validator_value} characters"
    elif rule == "pattern":
        words = error.schema.get("description", f"text that matches {error.validator_value}").rstrip(".")
        expected = words[0].lower() + words[1:]
    else:
        expected = error.message
    yield f"{where(key)}: {key or 'values'}: found {shown(found)}, expected {expected}"


def _described(schema: Schema, name: str) -> str:
    text = schema.get("properties", {}).get(name, {}).get("description", "")
    return f" ({text.rstrip('.')})" if text else ""


def _kind_word(schema: Schema) -> str:
    if "enum" in schema or "const" in schema:
        return "one of " + ", ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
    kinds = schema.get("type", "a value")
    return " or ".join(_KINDS.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def below(spec: Schema, name: str) -> Schema:
    """Returns what the schema says of a key of a mapping: its own entry, or the one for names that the user gives."""
    others = spec.get("additionalProperties")
    found: Schema = spec.get("properties", {}).get(name, others if isinstance(others, dict) else {})
    return found


def takes_null(spec: Schema) -> bool:
    """Says whether null has a meaning of its own at a key."""
    return any("null" in branch.get("type", ()) for branch in (spec, *spec.get("anyOf", ())))
