"""What stands in a manifest, as JSON Schema: who reads one relies on every key, whoever has edited it meanwhile."""

from __future__ import annotations

from typing import Any

from scripts.dataset.checks import CHECKS, DROP, FAIL, KEEP, PASS, WARN, shown
from scripts.dataset.settings import PARTS

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
YES_OR_NO: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": 2**53}
PERCENT: Schema = {"type": "number", "minimum": 0, "maximum": 100}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
STATUS: Schema = {"enum": [PASS, WARN, FAIL]}
POLICY: Schema = {"enum": [DROP, KEEP, FAIL]}


def _object(keys: dict[str, Schema], **may_be: Schema) -> Schema:
    return {"type": "object", "required": [*keys], "properties": {**keys, **may_be}}


def _dict(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _list(items: Schema, least: int = 0, most: int = 2**20) -> Schema:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def _texts(*keys: str) -> Schema:
    return _object(dict.fromkeys(keys, TEXT))


def _counts(*keys: str) -> dict[str, Schema]:
    return dict.fromkeys(keys, COUNT)


COUNTS = _dict(COUNT)
PROPORTION = _object({**_counts("rows", "low", "high"), "share": SHARE})
TOKENS = _object(
    {
        "how": {"enum": ["exact", "sample", "characters"]},
        **_counts("counted", "tokens", "error", "trained", "trained_error", "guessed"),
        "histogram": _object({"width": {**COUNT, "minimum": 1}, "counts": _list(COUNT, 1), "longest": COUNT}),
        "curve": _list(COUNT, 101, 101),
    },
    cut=_object({**_counts("max_seq_length", "trained_lost"), "too_long": PROPORTION, "answers_lost": PROPORTION,
                 "answer_share_lost": SHARE}),
)  # fmt: skip
CHECK: Schema = {
    **_object({
        "name": {"enum": [*CHECKS]}, "title": TEXT, "status": STATUS, "policy": POLICY, "count": COUNT,
        "splits": COUNTS, "estimated": YES_OR_NO, "looked_at": TEXT,
        "examples": _list(_texts("file", "row", "path", "found", "expected", "fix")),
    }),
    "if": {"properties": {"count": {"const": 0}}},
    "else": {"properties": {"examples": {"minItems": 1}}},
}  # fmt: skip


def _file(part: str) -> Schema:
    """Returns the shape of what is said of an output file; lengths and roles only of one that has rows."""
    return _object(
        {"path": {"const": f"{part}.jsonl"}, **_counts("rows", "bytes"),
         "sha256": {"type": "string", "pattern": r"^[0-9a-f]{64}\Z"}},
        characters=COUNT, roles=COUNTS, tokens=TOKENS,
        turns={**COUNTS, "propertyNames": {"pattern": r"^[1-9][0-9]{0,5}\Z"}, "minProperties": 1},
    )  # fmt: skip


MANIFEST_SHAPE = _object({
    "version": {"type": "string", "pattern": r"^[0-9a-f]{12}\Z"},
    "status": STATUS,
    "name": TEXT,
    "source": _object({"asked": TEXT, "kind": TEXT, "commit": {"type": ["string", "null"]}}),
    "fallback": {"anyOf": [{"type": "null"}, _texts("asked", "took", "because")]},
    "percent": PERCENT,
    "columns": _dict(_object(dict.fromkeys(("layouts", "used", "ignored", "changed"), COUNTS))),
    "read": _dict(_object({"part": TEXT, "how": TEXT, **_counts("in", "kept"), "dropped": COUNTS,
                           "files": _object({"count": COUNT, "first": _list(TEXT)})})),
    "left_out": _object({**_counts("rows", "in"), "share": PERCENT, "most": PERCENT, "stops": YES_OR_NO,
                         "reasons": COUNTS}),
    "unused_files": _list(_texts("file", "reason")),
    "files": _object({part: _file(part) for part in PARTS}),
    "max_seq_length": {"anyOf": [{"type": "null"}, {**COUNT, "minimum": 1}]},
    "tokens": _object({"counted_with": TEXT, "is_own": YES_OR_NO}),
    "checks": _list(CHECK),
    "shown_rows": _object({"left_out": _list(_texts("check", "split", "file", "row", "text")),
                           "mapped": _list(_texts("file", "row", "before", "after"))}),
    "notes": _list(TEXT),
    "inputs": _object({"settings": {"type": "object"}}),
})  # fmt: skip


def fault(manifest: dict[str, Any]) -> str:
    """Returns what stands in a manifest that `make data` never writes, an empty text where there is nothing."""
    from jsonschema import Draft202012Validator, validators

    def is_integer(_: Any, value: Any) -> bool:  # to JSON Schema 5.0 is one too, to Python no index
        return isinstance(value, int) and not isinstance(value, bool)

    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", is_integer)
    validator = validators.extend(Draft202012Validator, type_checker=checker)(MANIFEST_SHAPE)
    error = next(validator.iter_errors(manifest), None)
    if error is None:
        return ""
    key = ".".join(map(str, error.absolute_path)) or "it"
    if error.validator == "required":
        return f"{key} lacks {', '.join(name for name in error.validator_value if name not in error.instance)}"
    return f"{key} is {shown(error.instance)}, which preparing the data never writes"
