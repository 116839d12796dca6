"""Which conversations were seen before: the same ones, alike ones, and those that ask the same.

Memory stays small at any size: an open table of hashes, 8 bytes a slot, and a temporary file with the beginnings of the
conversations, which are read again when two of them may be alike. Tables above some megabytes are in files too.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scripts.dataset import alike
from scripts.dataset.alike import NEAR, QUESTION, SAME, Talk

BUCKET = 8  # slots that are looked at together: 64 bytes
FIRST_SLOTS = 2**17
FILE_BYTES = 2**24  # a table of more bytes is a file's
HELD_BYTES = 2**22  # of which so much may be in memory at once
MANY_WORDS = 500  # a question with more may have been cut: how many there were is not known
_STRENGTH = {SAME: 0, NEAR: 1, QUESTION: 2}


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
        self._offsets = array("Q", [0])
        self._numbers = array("Q")
        self._words = array("H")

    def add(self, numbers: Sequence[int], exact: Sequence[int], talks: Sequence[Talk]) -> tuple[list[Earlier], Any]:
        """Enters conversations in their order; returns what was there before, and the group of each.

        `numbers` are those of their rows, `exact` hashes of what makes two the same. What asks the same is of one
        group, and what is alike joins the group of the earlier one.
        """
        first = len(self._numbers)
        made = alike.keys(talks)
        ids = np.arange(first, first + len(numbers), dtype=np.uint64)
        rows = np.concatenate((np.arange(len(ids)), made.rows))
        order = np.argsort(rows, kind="stable")  # of two alike ones in a chunk, the first is the owner
        rows, keys = rows[order], np.concatenate((np.array(exact, np.uint64), made.keys))[order]
        owners = self._table.first(keys, ids[rows])
        self._numbers.extend(numbers)
        self._words.extend(np.minimum(made.words, MANY_WORDS).tolist())
        is_bag = np.concatenate((np.zeros(len(ids), bool), made.is_bag))[order]
        pairs = sorted({
            (row, owner)
            for row, owner, bag in zip(*(each[owners != ids[rows]].tolist() for each in (rows, owners, is_bag)), strict=True)
            if not bag or self._words[first + row] != self._words[owner] or self._words[owner] == MANY_WORDS
        })  # fmt: skip  # bags that are equal without a word, and with as many words, differ in a word
        records = [_Record(*each) for each in zip(exact, made.groups.tolist(), talks, strict=True)]
        best: dict[int, Earlier] = {}
        for index, owner in pairs:
            record, other = records[index], records[owner - first] if owner >= first else self._record(owner)
            likeness = SAME if record.exact == other.exact else alike.likeness(record.talk, other.talk)
            known = best.get(index)
            if likeness and (known is None or _STRENGTH[likeness] < _STRENGTH[known.likeness]):
                best[index] = Earlier(index, self._numbers[owner], likeness)
                record.group = other.group
        self._keep(records)
        return [*best.values()], np.array([record.group for record in records], np.uint64)

    def _record(self, owner: int) -> _Record:
        start, end = self._offsets[owner], self._offsets[owner + 1]
        return _Record.read(os.pread(self._file.fileno(), end - start, start))

    def _keep(self, records: list[_Record]) -> None:
        written = [record.written() for record in records]
        for each in written:
            self._offsets.append(self._offsets[-1] + len(each))
        data = memoryview(b"".join(written))
        while data:
            data = data[self._file.write(data) :]


@dataclass
class _Record:
    """What is kept of a conversation, in a file."""

    exact: int
    group: int
    talk: Talk

    def written(self) -> bytes:
        texts = "\x1e".join(self.talk[:2]).encode("utf-8", "surrogatepass")
        exchanges = self.talk.exchanges
        return struct.pack(f"<QQB{len(exchanges)}I", self.exact, self.group, len(exchanges), *exchanges) + texts

    @classmethod
    def read(cls, data: bytes) -> _Record:
        exact, group, count = struct.unpack_from("<QQB", data)
        exchanges = struct.unpack_from(f"<{count}I", data, 17)
        question, _, answer = data[17 + 4 * count :].decode("utf-8", "surrogatepass").partition("\x1e")
        return cls(exact, group, Talk(question, answer, exchanges))


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
