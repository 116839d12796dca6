"""Rows of a .json file, item by item: the file may be one list of any size, and is never read whole."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any

from scripts.dataset.checks import MAX_ROW_BYTES
from scripts.dataset.source import File
from scripts.dataset.text_formats import Counted, EarlyEnd, lines, opened, too_large

_STRUCTURE = re.compile(rb'["{}\[\],]')
_IN_STRING = re.compile(rb'["\\]')


def json_rows(file: File, size: int) -> Iterator[tuple[list[Any], int, int]]:
    """Yields (rows, bytes, bytes so far) of a .json file: items of a list, an object a line, or objects in a row."""
    with opened(file) as stream:
        try:
            head = stream.read(size)
        except EarlyEnd as error:
            yield [error.finding], file.size, file.size
            return
        if not isinstance(stream, Counted):
            stream.seek(0)
        text = head.removeprefix(codecs.BOM_UTF8).lstrip()
        by_line = not text.startswith(b"[") and (_is_json(text.partition(b"\n")[0]) or not text.startswith(b"{"))
    with opened(file) as stream:
        used = 0
        if by_line:
            for rows, count in lines(stream, size):
                used += count
                yield rows, count, used
            return
        splitter = _Splitter()
        while True:
            before = stream.tell()
            try:
                piece = stream.read(size)
            except EarlyEnd as error:
                yield [*splitter.end(), error.finding], file.size - used, file.size
                return
            count = stream.tell() - before
            used += count
            if not piece:
                yield splitter.end(), count, used
                return
            yield splitter.feed(piece), count, used


def _is_json(text: bytes) -> bool:
    import orjson

    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


class _Splitter:
    """Cuts a JSON list, or objects that follow each other, into the bytes of its items, without reading it whole."""

    def __init__(self) -> None:
        self._item: list[bytes] = []
        self._length = 0
        self._depth = 0
        self._base: int | None = None  # the depth at which items stand: 1 in a list, else 0
        self._string = False
        self._escaped = False
        self._closed = False

    def feed(self, piece: bytes) -> list[Any]:
        """Takes the next bytes of the file and returns the items that they complete."""
        rows: list[Any] = []
        at, kept = 0, 0
        if self._base is None:
            piece = piece.removeprefix(codecs.BOM_UTF8).lstrip()
            if not piece:
                return rows
            self._base = 1 if piece.startswith(b"[") else 0
            if self._base:
                self._depth, at, kept = 1, 1, 1
        if self._escaped:
            self._escaped, at = False, 1
        while True:
            found = (_IN_STRING if self._string else _STRUCTURE).search(piece, at)
            if found is None:
                break
            sign, at = found[0], found.end()
            if self._string:
                if sign == b"\\":
                    if at >= len(piece):
                        self._escaped = True
                    at += 1
                else:
                    self._string = False
            elif sign == b'"':
                self._string = True
            elif sign in b"{[":
                self._depth += 1
            elif sign in b"}]":
                self._depth -= 1
                if self._depth < self._base:  # the end of the list, or a bracket too many
                    self._keep(piece[kept : at - 1])
                    self._take(rows)
                    self._depth, kept = self._base, at
                elif self._depth == self._base == 0:
                    self._keep(piece[kept:at])
                    self._take(rows)
                    kept = at
            elif self._depth == self._base:  # a comma between items
                self._keep(piece[kept : at - 1])
                self._take(rows)
                kept = at
        self._keep(piece[kept:])
        return rows

    def end(self) -> list[Any]:
        """Returns what is left over at the end of the file: an item that was cut off."""
        rows: list[Any] = []
        self._take(rows)
        return rows

    def _keep(self, piece: bytes) -> None:
        self._length += len(piece)
        if self._length <= MAX_ROW_BYTES:
            self._item.append(piece)
        else:
            self._item.clear()

    def _take(self, rows: list[Any]) -> None:
        if self._length > MAX_ROW_BYTES:
            rows.append(too_large(self._length))
        else:
            text = b"".join(self._item).strip()
            if text:
                rows.append(text)
        self._item.clear()
        self._length = 0
