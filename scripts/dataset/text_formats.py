"""Bytes into rows for JSON Lines and CSV, plain, gzip or zstd. No input makes them grow or break.

A row longer than `MAX_ROW_BYTES` is skipped while it is read and becomes a `Finding`, as does a file that ends early.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from scripts.dataset.checks import MAX_ROW_BYTES, Finding
from scripts.dataset.source import File
from scripts.errors import UserError

LINE_BYTES = 2**14
ZSTD_BYTES = 2**12  # read at a time: the most wasteful archive makes 128 MB of them, ordinary text some 20 KB
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


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

    def read(self, size: int = -1) -> bytes:
        """Reads decompressed bytes; raises `EarlyEnd` where the archive breaks off or is damaged."""
        try:
            return self._stream.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise EarlyEnd(str(error)) from None
        except Exception as error:  # zstandard.ZstdError, without importing it for other files
            if type(error).__name__ != "ZstdError":
                raise
            raise EarlyEnd(str(error)) from None

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


def lines(stream: BinaryIO, size: int, start: int = 0, end: int | None = None) -> Iterator[tuple[list[Any], int]]:
    """Yields (lines, bytes read) of about `size` bytes: the lines that begin in [start, end), None for a blank one."""
    begin = start
    if start:
        stream.seek(start - 1)
        start -= 1
    at, skipped = start, 0
    carry: list[bytes] = []
    first = start == 0
    drop_first = begin > 0  # the line in which the block starts belongs to the block before
    while True:
        before = stream.tell()
        try:
            # In a block no more is fetched than the block, and then in small pieces the end of its last line.
            piece = stream.read(size if end is None else min(size, max(end - before, LINE_BYTES)))
        except EarlyEnd as error:
            yield [*_flush(carry, skipped), error.finding], max(0, stream.tell() - before)
            return
        if first:
            piece, first = piece.removeprefix(codecs.BOM_UTF8), False
        rows: list[Any] = []
        if not piece:
            yield [] if drop_first else _flush(carry, skipped), 0
            return
        parts = piece.split(b"\n")
        done = False
        for part in parts[:-1]:
            if carry or skipped:
                carry.append(part)
                length = skipped + sum(map(len, carry))
                row = b"".join(carry) if not skipped and length <= MAX_ROW_BYTES else too_large(length)
                at += length + 1
                carry, skipped = [], 0
            else:
                row = part if len(part) <= MAX_ROW_BYTES else too_large(len(part))
                at += len(part) + 1
            if drop_first:
                drop_first = False
            else:
                rows.append(row if isinstance(row, Finding) or (row and not row.isspace()) else None)
            if end is not None and at >= end:
                done = True
                break
        if not done:
            carry.append(parts[-1])
            if skipped or sum(map(len, carry)) > MAX_ROW_BYTES:
                skipped += sum(map(len, carry))
                carry = []
            if carry == [b""]:
                carry = []
        yield rows, stream.tell() - before
        if done:
            return


def _flush(carry: list[bytes], skipped: int) -> list[Any]:
    rest = b"".join(carry)
    if skipped:
        return [too_large(skipped + len(rest))]
    return [rest] if rest.strip() else []


def csv_rows(file: File, size: int) -> Iterator[tuple[list[Any], int, int]]:
    """Yields (rows, bytes, bytes so far) of a CSV or TSV file with a header line; a row is a dict of text."""
    csv.field_size_limit(MAX_ROW_BYTES)
    with opened(file) as stream:
        buffered: Any = stream if isinstance(stream, io.BufferedIOBase) else io.BufferedReader(_Readable(stream), 2**20)
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
                yield [*rows, error.finding], file.size - used, file.size
                return
            if fields is None or length >= size:
                now = stream.tell()
                yield rows, now - used, now
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


class _Readable(io.RawIOBase):
    """What `TextIOWrapper` needs of a decompressed stream."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills `buffer`; returns how many bytes came."""
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
