"""Rows that the report shows as they came: the first that each check left out, and some before and after mapping.

A few of each, cut and without their secrets, so that neither memory nor the page grows with the data.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

from scripts.dataset.checks import Finding
from scripts.dataset.hidden import cut
from scripts.dataset.read_rows import Chunk

OF_A_CHECK = 3
MAPPED = 4  # rows of different columns
CHARACTERS = 1500  # of a row


@dataclass
class ShownRows:
    """What is kept to be shown, as plain data."""

    left_out: list[dict[str, Any]] = field(default_factory=list)
    mapped: list[dict[str, Any]] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)
    _shapes: set[tuple[str, ...]] = field(default_factory=set)

    def leave_out(self, chunk: Chunk, index: int, split: str, check: str) -> None:
        """Keeps a row that a check left out, if it is one of the first."""
        if self._counts[check] >= OF_A_CHECK:
            return
        self._counts[check] += 1
        file, row = chunk.place(index)
        text = _text(_item(chunk, index))
        self.left_out.append({"check": check, "split": split, "file": file, "row": row, "text": text})

    def map(self, chunk: Chunk, index: int, line: bytes) -> None:
        """Keeps a row and the line that was made of it, where that is another, once for each set of columns."""
        if len(self.mapped) >= MAPPED:
            return
        item = _item(chunk, index)
        try:
            row = orjson.loads(item) if isinstance(item, bytes) else item
        except orjson.JSONDecodeError:  # of NaN, which the mapper reads
            row = None
        shape = tuple(row) if isinstance(row, dict) else ()
        if shape in self._shapes or row == orjson.loads(line):
            return
        self._shapes.add(shape)
        file, number = chunk.place(index)
        after = cut(line.decode("utf-8", "replace").rstrip("\n"), CHARACTERS)
        self.mapped.append({"file": file, "row": number, "before": _text(item), "after": after})

    def plain(self) -> dict[str, Any]:
        """Returns the rows for the manifest."""
        return {"left_out": self.left_out, "mapped": self.mapped}


def _item(chunk: Chunk, index: int) -> Any:
    """Returns a row as it was read; None where Python cannot hold it: text that is not UTF-8, a date far away."""
    rows = chunk.rows
    if not hasattr(rows, "num_rows"):
        return rows[index]
    try:
        return rows.slice(index, 1).to_pylist()[0]
    except (ValueError, OverflowError):
        return None


def _text(item: Any) -> str:
    """Returns a row as text: as it stands in the file, where a file of lines holds it."""
    if item is None or isinstance(item, Finding):  # too large, or cut off: nothing of it was kept
        return ""
    if isinstance(item, bytes):
        return cut(item[: 8 * CHARACTERS].decode("utf-8", "replace"), CHARACTERS)
    return cut(json.dumps(item, ensure_ascii=False, default=str), CHARACTERS)
