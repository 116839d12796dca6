"""Reads rows, chunk by chunk in bounded memory, and only what a percentage needs.

A chunk is an Arrow record batch (Parquet), or a list whose items are the bytes of a JSON row, a dict (CSV), or `Bad`
(what cannot even be a row: too large, cut off). Every chunk can tell the place of each of its rows in the file.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scripts.dataset.checks import Finding
from scripts.dataset.json_items import json_rows
from scripts.dataset.read_plan import Block, Plan, RowGroup, Whole
from scripts.dataset.source import File
from scripts.dataset.text_formats import csv_rows, lines, opened
from scripts.errors import UserError

CHUNK_BYTES = 2**20  # small enough that the many passes over a chunk find it in the cache
CHUNK_ROWS = 4096
PRE_BUFFER_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Bad:
    """What stands where a row should be, and why it cannot be one."""

    finding: Finding


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
    rows: Any  # pyarrow.RecordBatch or list[bytes | dict | Bad]
    bytes: int

    def __len__(self) -> int:
        return self.rows.num_rows if hasattr(self.rows, "num_rows") else len(self.rows)


def chunks(plan: Plan, columns: Callable[[Any], list[str] | None]) -> Iterator[Chunk]:
    """Yields the rows that `plan` takes. `columns` tells from a Parquet schema which columns to read (None: all)."""
    for unit in plan.units:
        if isinstance(unit, list):
            yield from _row_groups(unit, columns)
        elif isinstance(unit, Whole) and unit.file.format == "arrow":
            yield from _arrow(unit)
        elif isinstance(unit, Block):
            yield from _block(unit)
        else:
            yield from _whole(unit)


def integers(numbers: Any, kind: str = "int64") -> Any:
    """Returns an Arrow array of integers; `pyarrow.array` would import pandas, half a second and 60 MB."""
    import pyarrow as pa

    data = np.ascontiguousarray(numbers, kind)
    return pa.Array.from_buffers(pa.from_numpy_dtype(data.dtype), len(data), [None, pa.py_buffer(data)])


def ahead(work: Iterable[Any], depth: int = 2) -> Iterator[Any]:
    """Yields from `work`, which runs in a thread up to `depth` items ahead; its exceptions come out here."""
    waiting: queue.Queue = queue.Queue(depth)
    stop = threading.Event()
    end = object()

    def put(item: Any) -> bool:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def run() -> None:
        try:
            for item in work:
                if not put((item, None)):
                    return
            put((end, None))
        except BaseException as error:  # handed to the reader of the queue
            put((end, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is end:
                return
            yield item
    finally:
        stop.set()
        thread.join(1)  # a thread that waits for the network is left to end with the process


def _row_groups(groups: list[RowGroup], columns: Callable[[Any], list[str] | None]) -> Iterator[Chunk]:
    """Reads row groups of one Parquet file; a group of which only some rows are taken is filtered after decoding."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = groups[0].file
    largest = max(group.bytes for group in groups)
    try:
        # Where a row group is small it is fetched at once; a large one is streamed page by page.
        parquet = pq.ParquetFile(
            file.open() if file.remote else file.path,
            metadata=groups[0].metadata,
            pre_buffer=largest <= PRE_BUFFER_BYTES,
            buffer_size=0 if largest <= PRE_BUFFER_BYTES else 2**20,
        )
        wanted = columns(parquet.schema_arrow)
        for group in groups:
            at, numbers = 0, group.numbers
            batch_rows = int(max(1, min(CHUNK_ROWS, CHUNK_BYTES * group.rows // max(group.bytes, 1))))
            for batch in parquet.iter_batches(batch_rows, row_groups=[group.index], columns=wanted):
                size = group.bytes * batch.num_rows // max(group.rows, 1)
                if numbers is None:
                    yield Chunk(
                        Place(file.label, "row", range(group.first + at + 1, group.first + at + batch.num_rows + 1)),
                        batch,
                        size,
                    )
                else:
                    taken = numbers[(numbers >= at) & (numbers < at + batch.num_rows)]
                    place = Place(file.label, "row", taken + group.first + 1)
                    yield Chunk(place, batch.take(integers(taken - at)), size)
                at += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{file.label}: cannot be read as Parquet ({str(error).splitlines()[0]}); write it again"
        ) from None


def _arrow(unit: Whole) -> Iterator[Chunk]:
    """Reads an Arrow stream as `datasets` saves it, batch by batch, and of its rows those that are drawn."""
    import pyarrow as pa

    file, number, used = unit.file, 0, 0
    try:
        with file.open() as raw, pa.ipc.open_stream(raw) as stream:
            for whole in stream:
                rows = max(1, CHUNK_BYTES * whole.num_rows // max(whole.nbytes, 1))
                for start in range(0, whole.num_rows, rows):
                    batch = whole.slice(start, rows)
                    drawn = unit.draw(unit.ordinal + number, batch.num_rows)
                    picked = np.arange(batch.num_rows) if drawn is None else np.flatnonzero(drawn)
                    taken = batch if drawn is None else batch.take(integers(picked))
                    now = raw.tell()
                    yield Chunk(Place(file.label, "row", picked + number + 1), taken, now - used)
                    used = now
                    number += batch.num_rows
                if unit.until is not None and used >= unit.until:
                    return
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{file.label}: cannot be read as Arrow ({str(error).splitlines()[0]}); save it again"
        ) from None


def _block(block: Block) -> Iterator[Chunk]:
    """Reads the lines that begin in a block of an uncompressed JSON Lines file."""
    file, number = block.file, 0
    base = None if file.remote else _lines_before(file, block.start)
    note = f" of the block at byte {block.start}" if file.remote else ""
    with opened(file) as stream:
        for rows, size in lines(stream, CHUNK_BYTES, block.start, block.end):
            picked = [at for at, row in enumerate(rows) if row is not None]
            yield Chunk(
                Place(file.label, "line", np.array(picked, dtype=np.int64) + number + 1, base, note),
                _rows(rows, picked),
                size,
            )
            number += len(rows)


def _lines_before(file: File, start: int) -> Callable[[], int]:
    """Counts the lines before a byte of a local file, when somebody asks: naming a bad row is worth a scan."""

    def count() -> int:
        total, left, last = 0, start, b"\n"
        with file.open() as stream:
            while left > 0 and (piece := stream.read(min(left, 2**22))):
                total += piece.count(b"\n")
                left -= len(piece)
                last = piece[-1:]
        return total + (last != b"\n")  # a line that the block's start divides belongs to what came before

    return count


def _whole(unit: Whole) -> Iterator[Chunk]:
    """Reads a file from the start, and of its rows those that the plan's seeded draw takes."""
    file = unit.file
    if file.format == "csv":
        source = csv_rows(file, CHUNK_BYTES)
    elif file.format == "json":
        source = json_rows(file, CHUNK_BYTES)
    else:
        source = _lines_of(file)
    number = 0
    name = "line" if file.format == "jsonl" else "row"
    for rows, size, used in source:
        drawn = unit.draw(unit.ordinal + number, len(rows))
        if drawn is None and None not in rows:
            yield Chunk(Place(file.label, name, range(number + 1, number + len(rows) + 1)), _rows(rows, None), size)
        else:
            picked = [at for at, row in enumerate(rows) if row is not None and (drawn is None or drawn[at])]
            numbers = np.array(picked, dtype=np.int64) + number + 1
            yield Chunk(Place(file.label, name, numbers), _rows(rows, picked), size)
        number += len(rows)
        if unit.until is not None and used >= unit.until:
            return


def _lines_of(file: File) -> Iterator[tuple[list[Any], int, int]]:
    with opened(file) as stream:
        used = 0
        for rows, size in lines(stream, CHUNK_BYTES):
            used += size
            yield rows, size, used


def _rows(rows: list[Any], picked: list[int] | None) -> list[Any]:
    """Takes the picked rows, and puts `Bad` where the stream had a finding instead of a row."""
    taken = rows if picked is None else [rows[at] for at in picked]
    return [Bad(row) if isinstance(row, Finding) else row for row in taken]
