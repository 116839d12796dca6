"""Structured answers: where the true answer is JSON, whether an answer is JSON too, which fields are right, and all.

Strict, as a program that reads the answer is: a JSON object or list and nothing around it, so that one in a code fence
(```json) is not valid. The order of keys and blanks do not count, nor how a number is written (1 and 1.0).
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from scripts.conversation.held_out import Case
from scripts.evaluate import statistics
from scripts.evaluate.evaluation import Confusion, Measure
from scripts.evaluate.kind import Kind, Observed, over

MOST_FIELDS = 12  # that have a measure of their own
MOST_LABELS = 12  # different true values of a field whose words are closed
OTHER = "other"  # in place of a label: another value, no such field, or no JSON at all

Field = tuple[str, ...]  # the keys that lead to it


@dataclass(frozen=True)
class Structured:
    """An answer that is JSON: in the one form by which two are the same or not, and its fields' values in that form.

    A list is one value, and an answer that is a list has no fields.
    """

    whole: str
    fields: dict[Field, str]


@functools.lru_cache(maxsize=65536)
def read(text: str) -> Structured | None:
    """Returns a text that is a JSON object or list and nothing else; None for every other one."""
    try:
        found = json.loads(text, parse_float=_number, parse_constant=_refuse)
        if isinstance(found, dict | list):
            return Structured(_written(found), dict(_leaves((), found)))
    except (ValueError, RecursionError):
        pass
    return None


def kinds(cases: Sequence[Case]) -> list[Kind]:
    """Returns the measures of cases some of whose true answers are JSON; none where no one is."""
    count = sum(map(_is_json, cases))
    if not count:
        return []
    among = f"of {'the' if count == len(cases) else f'{count} of {len(cases)}'} true answers, which are JSON"
    every = _fields_of(cases)
    same = "the order of keys and blanks do not count"
    if rest := every[MOST_FIELDS:]:
        few = ", ".join(map(_named, rest[:3])) + (", …" if len(rest) > 3 else "")
        same += f"; {len(rest)} more fields have no line of their own ({few})"
    return [
        Kind("json_valid",
             Measure("valid JSON", "higher", 1, f"an object or list with nothing around it; {among}", percent=True),
             statistics.mean, over(lambda case, given: read(given) is not None, among=_is_json)),
        Kind("json_exact",
             Measure("exactly right as JSON", "higher", 1, f"{same}; {among}", percent=True),
             statistics.mean, over(lambda case, given: _whole(given) == _whole(case.truth), among=_is_json)),
        *map(_right, every[:MOST_FIELDS]),
    ]  # fmt: skip


def confusions(cases: Sequence[Case], base: Observed | None, tuned: Observed) -> list[Confusion]:
    """Returns for each field with closed words how often which one was given where which one is true."""
    found = []
    for field in _fields_of(cases)[:MOST_FIELDS]:
        if labels := _labels(cases, field):
            counted = [_counts(cases, field, labels, seen.answers if seen else None) for seen in (base, tuned)]
            found.append(Confusion(_named(field), [*map(_shown, labels), OTHER], *counted))
    return found


def _right(field: Field) -> Kind:
    return Kind(
        f"json_field.{_named(field)}",
        Measure(f"{_named(field)} right", "higher", 1, "a field of the true answers that have it", percent=True),
        statistics.mean,
        over(
            lambda case, given: _fields(given).get(field) == _fields(case.truth)[field],
            among=lambda case: field in _fields(case.truth),
        ),
    )


def _is_json(case: Case) -> bool:
    return read(case.truth) is not None


def _whole(text: str) -> str | None:
    found = read(text)
    return found.whole if found else None


def _fields(text: str) -> dict[Field, str]:
    found = read(text)
    return found.fields if found else {}


def _fields_of(cases: Sequence[Case]) -> list[Field]:
    """Returns the true answers' fields, the most frequent first, else in their own order."""
    return [field for field, _ in Counter(field for case in cases for field in _fields(case.truth)).most_common()]


def _labels(cases: Sequence[Case], field: Field) -> list[str]:
    """Returns a field's words, the most frequent first; none where they are not closed: many, or hardly said twice."""
    values = Counter(_fields(case.truth)[field] for case in cases if field in _fields(case.truth))
    closed = 2 <= len(values) <= MOST_LABELS and values.total() >= 2 * len(values)
    return [value for value, _ in values.most_common()] if closed else []


def _counts(
    cases: Sequence[Case], field: Field, labels: list[str], answers: list[str] | None
) -> list[list[int]] | None:
    """Returns a row for each true label, with how often each label was given for it and at last anything else."""
    if answers is None:
        return None
    table = [[0] * (len(labels) + 1) for _ in labels]
    for case, given in zip(cases, answers, strict=True):
        if field in _fields(case.truth):
            value = _fields(given).get(field)
            at = labels.index(value) if value in labels else len(labels)
            table[labels.index(_fields(case.truth)[field])][at] += 1
    return table


def _leaves(path: Field, value: Any) -> Iterator[tuple[Field, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves((*path, key), inner)
    elif path:
        yield path, _written(value)


def _written(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _named(field: Field) -> str:
    """Returns the keys with points between them, in quotation marks where they would else be taken for others."""
    return ".".join(key if key and key.isprintable() and not {*'."'} & {*key} else json.dumps(key) for key in field)


def _shown(written: str) -> str:
    """Returns a label as one reads it: a text without its quotation marks, unless it would be taken for another one."""
    value = json.loads(written)
    plain = isinstance(value, str) and value.strip() and value.isprintable() and value != OTHER
    return value if plain and read(f"[{value}]") is None else written


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
