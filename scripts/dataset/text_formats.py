"""Bytes into rows for JSON Lines, JSON and CSV, plain, gzip or zstd. No input makes them grow or break.

A row longer than `MAX_ROW_BYTES` is skipped while it is read and becomes a `Finding`, as does a file that ends early.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from scripts.dataset.checks import MAX_ROW_BYTES, Finding
from scripts.dataset.source import File
from scripts.errors import UserError

LINE_BYTES = 2**14
ZSTD_BYTES = 2**12  # read at a time: the most wasteful archive makes 128 MB of them, ordinary text some 20 KB
_STRUCTURE = re.compile(rb'["{}\[\],]')
_IN_STRING = re.compile(rb'["\\]')
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

Rows = Iterator[tuple[list[Any], int]]  # rows as they come (None: a blank one), and the bytes that reading them took


@contextmanager
def opened(file: File) -> Iterator[Any]:
    """Opens a file for reading bytes, decompressed; a UTF-16 file is refused with a sentence."""
    with file.open() as raw:
        head = raw.read(3)
        raw.seek(0)
        if head.startswith(_WIDE):
            raise UserError(f"{file.label}: is UTF-16, expected UTF-8; convert it with `iconv -f UTF-16 -t UTF-8`")
        stream: Any = raw
        if file.compression == "gz":
            stream = gzip.GzipFile(fileobj=raw)
        elif file.compression == "zst":
            stream = Zstd(raw)
        yield Counted(stream, raw) if file.compression else raw


class Zstd:
    """Decompresses zstd frame by frame; the library's own reader takes a frame that breaks off for the file's end."""

    def __init__(self, raw: BinaryIO) -> None:
        import zstandard

        self._raw, self._ready = raw, io.BytesIO()
        self._new_frame = zstandard.ZstdDecompressor().decompressobj
        self._frame: Any = None

    def read(self, size: int = -1) -> bytes:
        """Returns at most `size` bytes; raises EOFError where the file ends within a frame."""
        while not (data := self._ready.read(size)):
            piece = self._raw.read(ZSTD_BYTES)
            if not piece and self._frame is not None:
                raise EOFError("the file ends within a zstd frame")
            if not piece:
                return b""
            self._ready = io.BytesIO(b"".join(self._frames(piece)))
        return data

    def _frames(self, piece: bytes) -> Iterator[bytes]:
        while piece:
            self._frame = self._frame or self._new_frame()
            yield self._frame.decompress(piece)
            if not self._frame.eof:
                return
            piece, self._frame = self._frame.unused_data, None


class Counted(io.RawIOBase):
    """A decompressed stream that tells how far the compressed file was read, and turns a broken end into `EarlyEnd`."""

    def __init__(self, stream: Any, raw: BinaryIO) -> None:
        self._stream, self._raw = stream, raw

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills `buffer`; returns how many bytes came; raises `EarlyEnd` where the archive breaks off or is damaged."""
        try:
            data = self._stream.read(len(buffer))
        except Exception as error:
            # zstandard.ZstdError is known by its name, without importing it for other files.
            if isinstance(error, OSError | EOFError | zlib.error) or type(error).__name__ == "ZstdError":
                raise EarlyEnd(str(error)) from None
            raise
        buffer[: len(data)] = data
        return len(data)

    def tell(self) -> int:
        """Returns the bytes of the compressed file that were read."""
        return self._raw.tell()


class EarlyEnd(Exception):
    """A compressed file that breaks off or is damaged: what came before it is good."""

    @property
    def finding(self) -> Finding:
        """The row that stands for the lost rest of the file."""
        return Finding("json", "", f"a damaged or truncated archive ({self})", "the rest of the file")


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
            try:
                # In a block no more is fetched than the block, and then in small pieces the end of its last line.
                piece = stream.read(size if end is None else min(size, max(end - before, LINE_BYTES)))
            except EarlyEnd as error:
                yield [*row.rest(), error.finding], max(0, stream.tell() - before)
                return
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
        reader = csv.reader(text, delimiter="\t" if ".tsv" in file.path.lower() else ",")
        header: list[str] | None = None
        rows: list[Any] = []
        length = used = 0
        while True:
            try:
                fields = next(reader, None)
            except csv.Error as error:
                finding = too_large(MAX_ROW_BYTES + 1) if "field limit" in str(error) else None
                rows.append(finding or Finding("json", "", f"no CSV: {error}", "fields in quotes, one row a record"))
                continue
            except EarlyEnd as error:
                yield [*rows, error.finding], file.size - used
                return
            if fields is None or length >= size:
                now = stream.tell()
                yield rows, now - used
                used, rows, length = now, [], 0
            if fields is None:
                return
            if not fields:
                continue
            if header is None:
                if len(fields) == 1 and ";" in fields[0]:  # as spreadsheets save it where a comma is for decimals
                    reader = csv.reader(text, delimiter=";")
                    fields = next(csv.reader(fields, delimiter=";"))
                header = fields
                twice = next((name for name in header if header.count(name) > 1), None)
                if twice is not None:
                    raise UserError(f"{file.label}: two columns are named '{twice}'; give every column its own name")
                continue
            length += sum(map(len, fields))
            if len(fields) != len(header):
                found = f"{len(fields)} fields"
                rows.append(Finding("schema", "", found, f"{len(header)} fields, as in the header"))
            elif sum(map(len, fields)) > MAX_ROW_BYTES:
                rows.append(too_large(sum(map(len, fields))))
            else:
                rows.append(dict(zip(header, fields, strict=True)))


def json_rows(file: File, size: int) -> Rows:
    """Yields the rows of a .json file: items of a list, an object a line, or objects in a row; never read whole."""
    with opened(file) as stream:
        try:
            text = stream.read(size).removeprefix(codecs.BOM_UTF8).lstrip()
        except EarlyEnd as error:
            yield [error.finding], file.size
            return
    is_list = text.startswith(b"[")
    if not is_list and (not text.startswith(b"{") or _is_json(text.partition(b"\n")[0])):
        yield from lines(file, size)
        return
    items = _Items(int(is_list))
    with opened(file) as stream:
        while True:
            before = stream.tell()
            try:
                piece = stream.read(size)
            except EarlyEnd as error:
                yield [*items.end(), error.finding], file.size - before
                return
            if before == 0:
                piece = piece.removeprefix(codecs.BOM_UTF8)
            yield items.feed(piece) if piece else items.end(), stream.tell() - before
            if not piece:
                return


def _is_json(text: bytes) -> bool:
    import orjson

    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


class _Items:
    """Cuts a JSON list (`base` 1), or objects that follow each other (0), into the bytes of its items."""

    def __init__(self, base: int) -> None:
        self._base = base  # the depth at which items stand
        self._depth = 0
        self._row = _Row()
        self._string = self._escaped = False

    def feed(self, piece: bytes) -> list[Any]:
        """Takes the next bytes of the file and returns the items that they complete."""
        rows: list[Any] = []
        at, kept = int(self._escaped), 0
        self._escaped = False
        while found := (_IN_STRING if self._string else _STRUCTURE).search(piece, at):
            sign, at = found[0], found.end()
            end = None  # of an item
            if self._string:
                if sign == b"\\":
                    self._escaped = at >= len(piece)
                    at += 1
                else:
                    self._string = False
            elif sign == b'"':
                self._string = True
            elif sign in b"{[":
                self._depth += 1
                if self._depth == self._base:  # the list itself begins
                    kept = at
            elif sign in b"}]":
                self._depth -= 1
                if self._depth < self._base:  # the end of the list, or a bracket too many
                    self._depth, end = self._base, at - 1
                elif self._depth == self._base == 0:
                    end = at
            elif self._depth == self._base:  # a comma between items
                end = at - 1
            if end is not None:
                rows += self.end(piece[kept:end])
                kept = at
        self._row.add(piece[kept:])
        return rows

    def end(self, piece: bytes = b"") -> list[Any]:
        """Returns the item that ends with `piece`, if there is one; at the end of the file, one that was cut off."""
        self._row.add(piece)
        return [row.strip() if isinstance(row, bytes) else row for row in self._row.rest()]
