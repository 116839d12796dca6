"""The catalog: facts about Azure that ship with the project, with their sources and dates, and its one reader."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

FOLDER = Path(__file__).parent
Record = TypeVar("Record")


@functools.cache
def read_catalog(name: str) -> dict[str, Any]:
    """Returns the content of a file of the catalog, such as `prices.json`."""
    content: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return content


def record(kind: type[Record], row: Mapping[str, Any]) -> Record:
    """Returns a row of the catalog or a lock as a dataclass; what is no field of it, such as a note, is left aside."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    given = {field.name: row[field.name] for field in fields if field.name in row}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def plain(made: Any) -> dict[str, Any]:
    """Returns a dataclass as a row again, what is not known left out: the shape that a lock keeps it in."""
    row = {field.name: getattr(made, field.name) for field in dataclasses.fields(made)}
    return {name: _plain(value) for name, value in row.items() if value is not None}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return plain(value)
    return list(value) if isinstance(value, tuple) else value
