"""Which conversations were seen before: the same ones, alike ones, and those that ask the same.

Memory stays small at any size: an open table of hashes, 8 bytes a slot, and a temporary file with the beginnings of the
conversations, which are read again when two of them may be alike. Tables above some megabytes are in files too.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scripts.dataset import alike
from scripts.dataset.alike import NEAR, QUESTION, SAME, Exchange

BUCKET = 8  # slots that are looked at together: 64 bytes
FIRST_SLOTS = 2**17
FILE_BYTES = 2**24  # a table of more bytes is a file's
HELD_BYTES = 2**22  # of which so much may be in memory at once
_STRENGTH = {SAME: 0, NEAR: 1, QUESTION: 2}
_HEAD = 24  # bytes of a record before the texts


@dataclass(frozen=True)
class Earlier:
    """An earlier conversation like the one at `index` of a chunk: its row, and how alike they are."""

    index: int
    number: int
    likeness: str


class Seen:
    """Remembers conversations, and finds those that were there before."""

    def __init__(self) -> None:
        self._table = Table()
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # lives as long as this does
        self._size = 0
        self._offsets = array("Q", [0])
        self._numbers = array("Q")

    def add(self, numbers: Sequence[int], exact: Sequence[int], last: Sequence[int], exchanges: Sequence[Exchange],
            ) -> tuple[list[Earlier], Any]:  # fmt: skip
        """Enters conversations in their order; returns what was there before, and the group of each.

        `exact` are hashes of what makes two the same, `last` of their last exchange (0: says little). What asks the
        same is of one group, and what is alike joins the group of the earlier one.
        """
        first = len(self._numbers)
        made = alike.keys(exchanges)
        ids = np.arange(first, first + len(numbers), dtype=np.uint64)
        lasts, exacts = np.array(last, np.uint64), np.array(exact, np.uint64)
        told = np.flatnonzero(lasts)
        rows = np.concatenate((np.arange(len(ids)), told, made.rows))
        owners = self._table.first(np.concatenate((exacts, lasts[told], made.keys)), ids[rows])
        hits = np.flatnonzero(owners != ids[rows])
        pairs = sorted({*zip(rows[hits].tolist(), owners[hits].tolist(), strict=True)})
        records = [
            b"".join((exact_.to_bytes(8, "little"), last_.to_bytes(8, "little"), group.to_bytes(8, "little"),
                      "\x1e".join(exchange).encode("utf-8", "surrogatepass")))
            for exact_, last_, group, exchange in zip(exact, last, made.groups.tolist(), exchanges, strict=True)
        ]  # fmt: skip
        best: dict[int, Earlier] = {}
        for index, owner in pairs:
            record = records[owner - first] if owner >= first else self._record(owner)
            likeness = _likeness(records[index], record)
            known = best.get(index)
            if likeness and (known is None or _STRENGTH[likeness] < _STRENGTH[known.likeness]):
                number = numbers[owner - first] if owner >= first else self._numbers[owner]
                best[index] = Earlier(index, number, likeness)
                records[index] = records[index][:16] + record[16:_HEAD] + records[index][_HEAD:]
        self._keep(numbers, records)
        groups = np.array([int.from_bytes(record[16:_HEAD], "little") for record in records], np.uint64)
        return [*best.values()], groups

    def _record(self, owner: int) -> bytes:
        start, end = self._offsets[owner], self._offsets[owner + 1]
        return os.pread(self._file.fileno(), end - start, start)

    def _keep(self, numbers: Sequence[int], records: list[bytes]) -> None:
        self._numbers.extend(numbers)
        for record in records:
            self._size += len(record)
            self._offsets.append(self._size)
        data = memoryview(b"".join(records))
        while data:
            data = data[self._file.write(data) :]


def _likeness(record: bytes, other: bytes) -> str | None:
    if record[:8] == other[:8]:
        return SAME
    if record[8:16] == other[8:16] != bytes(8):
        return NEAR
    one, two = (Exchange(*each[_HEAD:].decode("utf-8", "surrogatepass").split("\x1e", 1)) for each in (record, other))
    return alike.likeness(one, two)


class Table:
    """Maps 64-bit keys to the small number that each was entered with first.

    A slot has 32 bits of the key and the number. A key belongs to one bucket of every generation; where that bucket
    is full, a later and larger generation has it: nothing is ever moved.
    """

    def __init__(self) -> None:
        self._generations: list[tuple[Any, Any]] = []  # slots by bucket, and how many of a bucket are filled
        self._maps: list[mmap.mmap] = []

    def first(self, keys: Any, numbers: Any) -> Any:
        """Enters keys that are new with their numbers; returns the number of every key."""
        out = np.empty(len(keys), np.uint64)
        step = HELD_BYTES // mmap.PAGESIZE if self._maps else max(len(keys), 1)
        for start in range(0, len(keys), step):
            part = slice(start, start + step)
            unique, at, back = np.unique(keys[part], return_index=True, return_inverse=True)
            out[part] = self._enter(unique, numbers[part][at])[back]
            for each in self._maps:
                each.madvise(mmap.MADV_DONTNEED)
        return out

    def _enter(self, keys: Any, numbers: Any) -> Any:
        found = numbers.copy()
        marks = keys >> np.uint64(32) << np.uint64(32)
        left = np.arange(len(keys))
        for slots, _ in self._generations:
            bucket = slots[self._bucket(keys[left], slots)]
            hit = ((bucket ^ marks[left, None]) >> np.uint64(32) == 0) & (bucket != 0)
            which = np.flatnonzero(hit.any(axis=1))
            found[left[which]] = (bucket[which, hit[which].argmax(axis=1)] & np.uint64(2**32 - 1)) - np.uint64(1)
            left = np.delete(left, which)
        generation = 0
        while left.size:
            if generation == len(self._generations):
                self._grow()
            slots, filled = self._generations[generation]
            left = self._put(slots, filled, keys[left], marks[left] | (numbers[left] + np.uint64(1)), left)
            generation += 1
        return found

    @staticmethod
    def _bucket(keys: Any, slots: Any) -> Any:
        return (keys & np.uint64(len(slots) - 1)).astype(np.int64)

    def _put(self, slots: Any, filled: Any, keys: Any, entries: Any, left: Any) -> Any:
        """Puts entries into the buckets that have room; returns those of `left` that found none."""
        bucket = self._bucket(keys, slots)
        order = np.argsort(bucket, kind="stable")
        bucket = bucket[order]
        begins = np.flatnonzero(np.diff(bucket, prepend=-1))
        rank = np.arange(len(bucket)) - np.repeat(begins, np.diff(np.append(begins, len(bucket))))
        slot = filled[bucket] + rank
        fits = slot < BUCKET
        slots[bucket[fits], slot[fits]] = entries[order[fits]]
        np.maximum.at(filled, bucket[fits], (slot[fits] + 1).astype(np.uint8))
        return left[order[~fits]]

    def _grow(self) -> None:
        buckets = (FIRST_SLOTS << len(self._generations)) // BUCKET
        size = buckets * BUCKET * 8
        if size > FILE_BYTES:
            with tempfile.TemporaryFile() as file:
                if hasattr(os, "posix_fallocate"):  # a full disk is an error now, not a signal later
                    os.posix_fallocate(file.fileno(), 0, size)
                file.truncate(size)
                self._maps.append(mmap.mmap(file.fileno(), size))
            slots = np.frombuffer(self._maps[-1], np.uint64).reshape(-1, BUCKET)
        else:
            slots = np.zeros((buckets, BUCKET), np.uint64)
        self._generations.append((slots, np.zeros(buckets, np.uint8)))


class Places:
    """Remembers in which split, file and row a running number was read, a few bytes a chunk."""

    def __init__(self) -> None:
        self._chunks: list[tuple[int, str, Callable[[int], tuple[str, str]]]] = []

    def add(self, start: int, split: str, place: Callable[[int], tuple[str, str]]) -> None:
        """Notes that the rows from running number `start` on are of `split` and stand at `place`."""
        self._chunks.append((start, split, place))

    def __call__(self, number: int) -> tuple[str, str]:
        """Returns the split, and the file and row, of a running number: `train` and `train.jsonl line 17`."""
        at = bisect_right(self._chunks, number, key=lambda chunk: chunk[0]) - 1
        start, split, place = self._chunks[at]
        return split, " ".join(place(number - start))
