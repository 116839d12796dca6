"""Bytes into rows for JSON Lines, JSON and CSV, plain or unpacked. No input makes them grow or break.

A row longer than `MAX_ROW_BYTES` is skipped while it is read and becomes a `Finding`; so does a list that breaks off.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from scripts.dataset.archives import opened
from scripts.dataset.checks import MAX_ROW_BYTES, Finding, shown
from scripts.dataset.file import COMPRESSIONS, File
from scripts.dataset.json_shape import Shape, top_keys
from scripts.errors import UserError

LINE_BYTES = 2**14
BESIDE_BYTES = 2**16  # of what follows a wrapper's list, at most, to name its keys
_STRUCTURE = re.compile(rb'["{}\[\],]')
_IN_STRING = re.compile(rb'["\\]')

Rows = Iterator[tuple[list[Any], int]]  # rows as they come (None: a blank one), and the bytes that reading them took


def too_large(size: int) -> Finding:
    """The finding for a row of `size` bytes."""
    return Finding("row_size", "", f"{size / 2**20:.1f} MB", f"at most {MAX_ROW_BYTES // 2**20} MB")


class _Row:
    """A row that comes in pieces; of one that grows too large only the length is kept."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.length = 0

    def add(self, piece: bytes) -> None:
        """Takes the next piece."""
        self.length += len(piece)
        if self.length <= MAX_ROW_BYTES:
            self._held += piece
        else:
            self._held.clear()

    def end(self, piece: bytes = b"") -> bytes | Finding | None:
        """Takes the last piece, returns the row (None: a blank one), and begins another."""
        if not self.length and len(piece) <= MAX_ROW_BYTES:  # nearly every row comes in one piece
            return None if not piece or piece.isspace() else piece
        self.add(piece)
        row = bytes(self._held)
        found = too_large(self.length) if self.length > MAX_ROW_BYTES else None
        self._held.clear()
        self.length = 0
        return found or (None if not row or row.isspace() else row)

    def rest(self) -> list[Any]:
        """Returns the row that the end of the file ends, if there is one."""
        row = self.end()
        return [] if row is None else [row]


def lines(file: File, size: int, start: int = 0, end: int | None = None) -> Rows:
    """Yields rows of about `size` bytes: the lines that begin in [start, end), None for a blank one."""
    at = max(0, start - 1)
    drop_first = start > 0  # the line in which the block starts belongs to the block before
    row = _Row()
    with opened(file) as stream:
        if at:
            stream.seek(at)
        while True:
            before = stream.tell()
            # In a block no more is fetched than the block, and then in small pieces the end of its last line.
            piece = stream.read(size if end is None else min(size, max(end - before, LINE_BYTES)))
            if not piece:
                yield [] if drop_first else row.rest(), 0
                return
            if before == 0:
                piece = piece.removeprefix(codecs.BOM_UTF8)
            *whole, rest = piece.split(b"\n")
            rows: list[Any] = []
            for part in whole:
                at += row.length + len(part) + 1
                line = row.end(part)
                if not drop_first:
                    rows.append(line)
                drop_first = False
                if end is not None and at >= end:
                    yield rows, stream.tell() - before
                    return
            row.add(rest)
            yield rows, stream.tell() - before


def csv_rows(file: File, size: int) -> Rows:
    """Yields the rows of a CSV or TSV file with a header line; a row is a dict of text."""
    csv.field_size_limit(MAX_ROW_BYTES)
    with opened(file) as stream:
        buffered: Any = stream if isinstance(stream, io.BufferedIOBase) else io.BufferedReader(stream, 2**20)
        text = io.TextIOWrapper(buffered, encoding="utf-8-sig", errors="surrogateescape", newline="")
        reader = csv.reader(text, delimiter="\t" if _is_tsv(file.label) else ",")
        header: list[str] = []
        fields: list[str] | None = []
        rows: list[Any] = []
        length = used = 0
        while fields is not None:
            try:
                fields = next(reader, None)
            except csv.Error as error:
                finding = too_large(MAX_ROW_BYTES + 1) if "field limit" in str(error) else None
                rows.append(finding or Finding("json", "", f"no CSV: {error}", "fields in quotes, one row a record"))
                continue
            if fields is None or length >= size:
                now = stream.tell()
                yield rows, now - used
                used, rows, length = now, [], 0
            if not fields:
                continue
            if not header:
                if len(fields) == 1 and ";" in fields[0]:  # as spreadsheets save it where a comma is for decimals
                    reader = csv.reader(text, delimiter=";")
                    fields = next(csv.reader(fields, delimiter=";"))
                header = fields
                twice = next((name for name in header if header.count(name) > 1), None)
                if twice is not None:
                    raise UserError(f"{file.label}: two columns are named '{twice}'; give every column its own name")
                continue
            own = sum(map(len, fields))
            length += own
            if len(fields) != len(header):
                found = f"{len(fields)} fields"
                rows.append(Finding("schema", "", found, f"{len(header)} fields, as in the header"))
            else:
                rows.append(too_large(own) if own > MAX_ROW_BYTES else dict(zip(header, fields, strict=True)))


def _is_tsv(name: str) -> bool:
    path = PurePosixPath(name.lower())
    while path.suffix in COMPRESSIONS:
        path = path.with_suffix("")
    return path.suffix == ".tsv"


def json_rows(file: File, size: int, shape: Shape) -> Rows:
    """Yields the rows of a file of JSON, in the shape in which they lie in it; never read whole."""
    if shape.is_lines:
        yield from lines(file, size)
        return
    file.other_keys.update(shape.other_keys)
    items, at = _Items(shape.base, shape.key is not None), 0
    with opened(file) as stream:
        while True:
            before = stream.tell()
            piece = stream.read(size)
            skipped, at = max(0, shape.start - at), at + len(piece)
            yield items.feed(piece[skipped:]) if piece else items.end(), stream.tell() - before
            if not piece:
                file.other_keys.update(key for key, _ in top_keys(b"{" + bytes(items.outside).lstrip(b", \t\r\n")))
                return


class _Items:
    """Cuts JSON lists (`base` 1), or objects that follow each other (0), into the bytes of their items.

    `is_wrapped` says that the list is a wrapper's: what follows it is `outside`, of which only the beginning is kept.
    """

    def __init__(self, base: int, is_wrapped: bool) -> None:
        self._base, self._is_wrapped = base, is_wrapped
        self._depth = 0
        self._row = _Row()
        self._string = self._escaped = self._done = False
        self.outside = bytearray()

    def feed(self, piece: bytes) -> list[Any]:
        """Takes the next bytes of the file and returns the items that they complete."""
        rows: list[Any] = []
        at, kept = int(self._escaped), 0
        self._escaped = False
        while not self._done and (found := (_IN_STRING if self._string else _STRUCTURE).search(piece, at)):
            sign, at = found[0], found.end()
            end = None  # of an item
            if self._string:
                if sign == b"\\":
                    self._escaped = at >= len(piece)
                    at += 1
                else:
                    self._string = False
            elif self._depth < self._base and sign != b"[":  # beside a list only white space and another list may be
                self._done = True
            elif sign == b'"':
                self._string = True
            elif sign in b"{[":
                self._depth += 1
                if self._depth == self._base:  # the list itself begins
                    self._keep_outside(piece[kept : at - 1])
                    kept = at
            elif sign in b"}]":
                self._depth -= 1
                if self._depth < self._base:  # the end of the list, or a bracket too many
                    self._depth, end = 0, at - 1
                    self._done = self._is_wrapped
                elif self._depth == self._base == 0:
                    end = at
            elif self._depth == self._base:  # a comma between items
                end = at - 1
            if end is not None:
                self._row.add(piece[kept:end])
                rows += self._item()
                kept = at
        if self._done or self._depth < self._base:
            self._keep_outside(piece[kept:])
        else:
            self._row.add(piece[kept:])
        return rows

    def end(self) -> list[Any]:
        """Returns what is left at the end of the file: an item that was cut off, a list that was not closed."""
        if self._base and not self._done and (self._depth or self._string):
            whole = self._item() if self._depth == self._base and not self._string else []
            return [*whole, Finding("json", "", "a list that is not closed: the file is cut off", "the whole file")]
        if self._base and not self._is_wrapped and not self.outside.isspace() and self.outside:
            what = shown(self.outside.decode("utf-8", "replace").strip())
            return [Finding("json", "", f"{what} beside the list", "one list of rows, or a row a line")]
        return self._item()

    def _item(self) -> list[Any]:
        return [row.strip() if isinstance(row, bytes) else row for row in self._row.rest()]

    def _keep_outside(self, text: bytes) -> None:
        self.outside += text[: max(0, BESIDE_BYTES - len(self.outside))]
