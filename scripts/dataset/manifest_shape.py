"""What stands in a manifest, as JSON Schema: who reads one relies on every key, whoever has edited it meanwhile."""

from __future__ import annotations

from typing import Any

from scripts.dataset.checks import CHECKS, DROP, FAIL, KEEP, PASS, WARN, shown
from scripts.dataset.settings import HELDOUT, TEST, TRAIN, VALIDATION

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
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


COUNTS = _dict(COUNT)
PROPORTION = _object({"rows": COUNT, "share": SHARE, "low": COUNT, "high": COUNT})
TOKENS = _object(
    {
        "how": {"enum": ["exact", "sample", "characters"]},
        **dict.fromkeys(("counted", "tokens", "error", "trained", "trained_error", "guessed"), COUNT),
        "histogram": _object({"width": {**COUNT, "minimum": 1}, "counts": _list(COUNT, 1), "longest": COUNT}),
        "curve": _list(COUNT, 101, 101),
    },
    cut=_object(
        {
            **dict.fromkeys(("max_seq_length", "trained_lost"), COUNT),
            **dict.fromkeys(("too_long", "answers_lost"), PROPORTION),
            "answer_share_lost": SHARE,
        }
    ),
)
_EXAMPLE = _object(dict.fromkeys(("file", "row", "path", "found", "expected", "fix"), TEXT))
_CHECK: Schema = {
    **_object(
        {
            "name": {"enum": [*CHECKS]}, "title": TEXT, "status": STATUS, "policy": POLICY, "count": COUNT,
            "splits": COUNTS, "estimated": YES_OR_NO, "looked_at": TEXT, "examples": _list(_EXAMPLE),
        }
    ),
    "if": {"properties": {"count": {"const": 0}}},
    "else": {"properties": {"examples": {"minItems": 1}}},
}  # fmt: skip


def _file(part: str) -> Schema:
    """Returns the shape of what is said of an output file; lengths and roles only of one that has rows."""
    hash_of_it = {"type": "string", "pattern": r"^[0-9a-f]{64}\Z"}
    return _object(
        {"path": {"const": f"{part}.jsonl"}, "rows": COUNT, "bytes": COUNT, "sha256": hash_of_it},
        characters=COUNT, roles=COUNTS, tokens=TOKENS,
        turns={**COUNTS, "propertyNames": {"pattern": r"^[1-9][0-9]{0,5}\Z"}, "minProperties": 1},
    )  # fmt: skip


MANIFEST_SHAPE = _object(
    {
        "version": {"type": "string", "pattern": r"^[0-9a-f]{12}\Z"},
        "status": STATUS,
        "name": TEXT,
        "source": _object({"asked": TEXT, "kind": TEXT, "commit": MAYBE_TEXT}),
        "fallback": {"anyOf": [{"type": "null"}, _object(dict.fromkeys(("asked", "took", "because"), TEXT))]},
        "percent": PERCENT,
        "columns": _dict(_object(dict.fromkeys(("layouts", "used", "ignored", "changed"), COUNTS))),
        "read": _dict(
            _object(
                {
                    **dict.fromkeys(("part", "how"), TEXT), **dict.fromkeys(("in", "kept"), COUNT), "dropped": COUNTS,
                    "files": _object({"count": COUNT, "first": _list(TEXT)}),
                }
            )
        ),
        "left_out": _object(
            {"rows": COUNT, "in": COUNT, "share": PERCENT, "most": PERCENT, "stops": YES_OR_NO, "reasons": COUNTS}
        ),
        "unused_files": _list(_object({"file": TEXT, "reason": TEXT})),
        "files": _object({part: _file(part) for part in (TRAIN, VALIDATION, TEST, HELDOUT)}),
        "max_seq_length": {"anyOf": [{"type": "null"}, {**COUNT, "minimum": 1}]},
        "tokens": _object({"counted_with": TEXT, "is_own": YES_OR_NO}),
        "checks": _list(_CHECK),
        "shown_rows": _object(
            {
                "left_out": _list(_object(dict.fromkeys(("check", "split", "file", "row", "text"), TEXT))),
                "mapped": _list(_object(dict.fromkeys(("file", "row", "before", "after"), TEXT))),
            }
        ),
        "notes": _list(TEXT),
        "inputs": _object({"settings": {"type": "object"}}),
    }
)  # fmt: skip


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
    return f"{key} is {shown(error.instance)}, against the {error.validator} of such a value"
