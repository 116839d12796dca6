"""Reads rows, chunk by chunk in bounded memory, and only what a percentage needs.

A chunk is an Arrow record batch (Parquet), or a list whose items are the bytes of a JSON row, a dict (CSV), or a
`Finding` (what cannot even be a row: too large, cut off). Every chunk can tell where in the file each of its rows is.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from scripts.dataset.file import File, unreadable
from scripts.dataset.json_shape import shape_of
from scripts.dataset.read_plan import Plan, RowGroup, Stretch
from scripts.dataset.text_formats import csv_rows, json_rows, lines
from scripts.errors import UserError

CHUNK_BYTES = 2**21  # small enough that the many passes over a chunk find it in the cache
CHUNK_ROWS = 4096
_ARROW_END = b"\xff\xff\xff\xff\0\0\0\0"
PRE_BUFFER_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Place:
    """Where the rows of a chunk stand: the file's label and the number of each row, counted from 1."""

    label: str
    unit: str  # row or line
    numbers: Sequence[int] | np.ndarray
    base: Callable[[], int] | None = None  # what to add to the numbers, when only looking can tell
    note: str = ""

    def __call__(self, index: int) -> tuple[str, str]:
        """Returns the file and the place of row `index` of the chunk, as in ("a.jsonl", "line 17")."""
        number = int(self.numbers[index]) + (self.base() if self.base else 0)
        return self.label, f"{self.unit} {number}{self.note}"


@dataclass
class Chunk:
    """Some rows of one file, and the share of the plan's bytes that reading them took."""

    place: Place
    rows: Any  # pyarrow.RecordBatch or list[bytes | dict | Finding]
    bytes: int

    def __len__(self) -> int:
        return len(self.rows)


def chunks(plan: Plan, columns: Callable[[Any], list[str] | None]) -> Iterator[Chunk]:
    """Yields the rows that `plan` takes. `columns` tells from a Parquet schema which columns to read (None: all)."""
    for unit in plan.units:
        if isinstance(unit, list):
            yield from _row_groups(unit, columns)
        elif unit.file.format == "arrow":
            yield from _arrow(unit)
        else:
            yield from _stretch(unit)


def integers(numbers: Any, kind: str = "int64") -> Any:
    """Returns an Arrow array of integers; `pyarrow.array` would import pandas, half a second and 60 MB."""
    import pyarrow as pa

    data = np.ascontiguousarray(numbers, kind)
    return pa.Array.from_buffers(pa.from_numpy_dtype(data.dtype), len(data), [None, pa.py_buffer(data)])


def ahead(work: Iterable[Any], depth: int = 1) -> Iterator[Any]:
    """Yields from `work`, which runs in a thread up to `depth` items ahead; its exceptions come out here."""
    ready: queue.SimpleQueue = queue.SimpleQueue()
    room = threading.Semaphore(depth)
    stop = threading.Event()
    end = object()

    def run() -> None:
        last: tuple[Any, BaseException | None] = (end, None)
        try:
            for item in work:
                room.acquire()
                if stop.is_set():
                    return
                ready.put((item, None))
        except BaseException as error:  # handed to the reader of the queue
            last = (end, error)
        ready.put(last)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is end:
                return
            room.release()
            yield item
    finally:
        stop.set()
        room.release()
        thread.join(1)  # a thread that waits for the network is left to end with the process


def _row_groups(groups: list[RowGroup], columns: Callable[[Any], list[str] | None]) -> Iterator[Chunk]:
    """Reads row groups of one Parquet file; a group of which only some rows are taken is filtered after decoding."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_memory_pool(pa.system_memory_pool())  # the usual one takes its pages anew for every batch: 0.2 s of 128 MB
    file = groups[0].file
    largest = max(group.bytes for group in groups)
    try:
        # Where a row group is small it is fetched at once; a large one is streamed page by page.
        parquet = pq.ParquetFile(
            file.open() if file.remote else file.path,
            metadata=groups[0].metadata,
            pre_buffer=largest <= PRE_BUFFER_BYTES,
            buffer_size=0 if largest <= PRE_BUFFER_BYTES else 2**20,
            page_checksum_verification=True,  # of pages that have one
        )
        wanted = columns(parquet.schema_arrow)
        for group in groups:
            at, numbers = 0, group.numbers
            batch_rows = int(max(1, min(CHUNK_ROWS, CHUNK_BYTES * group.rows // max(group.bytes, 1))))
            for batch in parquet.iter_batches(batch_rows, row_groups=[group.index], columns=wanted):
                size = group.bytes * batch.num_rows // max(group.rows, 1)
                taken = None
                if numbers is not None:
                    taken = numbers[(numbers >= at) & (numbers < at + batch.num_rows)] - at
                yield _picked(file, batch, group.first + at, taken, size)
                at += batch.num_rows
    except UserError:
        raise
    except Exception as error:  # of a damaged file pyarrow raises whatever its parts do
        raise unreadable(file, "Parquet", error) from None


def _arrow(unit: Stretch) -> Iterator[Chunk]:
    """Reads an Arrow stream as `datasets` saves it, batch by batch, and of its rows those that are drawn."""
    import pyarrow as pa

    file, number = unit.file, 0
    try:
        _require_end(file)
        with file.open() as raw, pa.ipc.open_stream(raw) as stream:
            for whole, size in _head(_batches(stream, raw), unit.until):
                rows = max(1, CHUNK_BYTES * whole.num_rows // max(whole.nbytes, 1))
                for start in range(0, whole.num_rows, rows):
                    batch = whole.slice(start, rows)
                    drawn = unit.draw(unit.ordinal + number, batch.num_rows)
                    used = size * batch.num_rows // whole.num_rows
                    yield _picked(file, batch, number, None if drawn is None else np.flatnonzero(drawn), used)
                    number += batch.num_rows
    except Exception as error:  # of a damaged file pyarrow raises whatever its parts do
        raise unreadable(file, "Arrow", error) from None


def _batches(stream: Any, raw: Any) -> Iterator[tuple[Any, int]]:
    """Yields record batches, and the bytes that reading each took."""
    used = 0
    for batch in stream:
        batch.validate(full=True)  # a damaged file's offsets would be followed out of its memory
        now = raw.tell()
        yield batch, now - used
        used = now


def _require_end(file: File) -> None:
    """Raises OSError where a stream lacks its last mark: Arrow takes one that was cut off between batches for whole."""
    with file.open() as raw:
        raw.seek(max(0, file.size - len(_ARROW_END)))
        if raw.read() != _ARROW_END:
            raise OSError("it is cut off")


def _picked(file: File, batch: Any, first: int, picked: np.ndarray | None, size: int) -> Chunk:
    """Makes a chunk of a batch that begins at row `first` of the file, or of its rows that were picked."""
    if picked is None:
        return Chunk(Place(file.label, "row", range(first + 1, first + batch.num_rows + 1)), batch, size)
    return Chunk(Place(file.label, "row", picked + first + 1), batch.take(integers(picked)), size)


def _stretch(unit: Stretch) -> Iterator[Chunk]:
    """Reads a text file from the start, or a block of it, and of its rows those that the plan's seeded draw takes."""
    file, base, note = unit.file, None, ""
    name = "row"
    if file.format == "csv":
        source = csv_rows(file, CHUNK_BYTES)
    elif unit.end is None:
        shape = shape_of(file)
        name = "line" if shape.is_lines else "row"
        source = json_rows(file, CHUNK_BYTES, shape)
    else:
        name, source = "line", lines(file, CHUNK_BYTES, unit.start, unit.end)
    if unit.end is not None:
        base = None if file.remote else partial(_lines_before, file, unit.start)
        note = f" of the block at byte {unit.start}" if file.remote else ""
    number = 0
    for rows, size in _head(source, unit.until):
        drawn = unit.draw(unit.ordinal + number, len(rows))
        numbers: range | np.ndarray = range(number + 1, number + len(rows) + 1)
        number += len(rows)
        if drawn is not None or None in rows:
            picked = [at for at, row in enumerate(rows) if row is not None and (drawn is None or drawn[at])]
            numbers = np.array([numbers[at] for at in picked], dtype=np.int64)
            rows = [rows[at] for at in picked]
        yield Chunk(Place(file.label, name, numbers, base, note), rows, size)


def _head(source: Iterable[tuple[Any, int]], until: int | None) -> Iterator[tuple[Any, int]]:
    """Yields the rows before byte `until`; of those that it divides, as large a share."""
    used = 0
    for rows, size in source:
        if until is not None and used + size >= until:
            yield rows[: math.ceil(len(rows) * (until - used) / max(size, 1))], size
            return
        yield rows, size
        used += size


def _lines_before(file: File, start: int) -> int:
    """Counts the lines before a byte of a local file, when somebody asks: naming a bad row is worth a scan."""
    total, left, last = 0, start, b"\n"
    with file.open() as stream:
        while left > 0 and (piece := stream.read(min(left, 2**22))):
            total += piece.count(b"\n")
            left -= len(piece)
            last = piece[-1:]
    return total + (last != b"\n")  # a line that the block's start divides belongs to what came before
