"""Which conversations were seen before: the same ones, alike ones, and those that ask the same.

Hashes are in open tables of 8 bytes a slot; the beginnings of the conversations are in a temporary file, and are read
again when two of them may be alike. A conversation takes some 20 bytes. The table of alike ones ends at 133 MB, or some
14 million hashes, 5 to 16 a conversation: what comes later is still compared with all that is there, so that a row of
training never misses one of test, which is read first; rows that are cut from training are compared as far as it goes.
"""

from __future__ import annotations

import os
import struct
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scripts.dataset import alike
from scripts.dataset.alike import NEAR, QUESTION, SAME, Talk
from scripts.dataset.writer import room

BUCKET = 8  # slots that are looked at together: 64 bytes
FIRST_SLOTS = 2**17
MOST_GENERATIONS = 7  # of the table of alike conversations
_UNIT = 16
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
        self._same, self._alike = Table(), Table(MOST_GENERATIONS)
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # lives as long as this does
        self._offsets = array("I", [0])  # in units of `_UNIT` bytes
        self._numbers = array("I")
        self._words = array("H")

    def add(self, numbers: Sequence[int], exact: Sequence[int], talks: Sequence[Talk]) -> tuple[list[Earlier], Any]:
        """Enters conversations in their order; returns what was there before, and the group of each.

        `numbers` are those of their rows, `exact` hashes of what makes two the same. What asks the same is of one
        group, and what is alike joins the group of the earlier one.
        """
        first = len(self._numbers)
        made = alike.keys(talks)
        ids = np.arange(first, first + len(numbers), dtype=np.uint64)
        order = np.argsort(made.rows, kind="stable")  # of two alike ones in a chunk, the first is the owner
        rows, keys, is_bag = made.rows[order], made.keys[order], made.is_bag[order]
        owners, twins = self._alike.first(keys, ids[rows]), self._same.first(np.array(exact, np.uint64), ids)
        self._numbers.extend(numbers)
        self._words.extend(made.words.tolist())
        hits, same = np.flatnonzero(owners != ids[rows]), np.flatnonzero(twins != ids)
        pairs = sorted({
            (row, owner)
            for row, owner, bag in zip(*(each[hits].tolist() for each in (rows, owners, is_bag)), strict=True)
            if not bag or alike.may_be_within(self._words[first + row], self._words[owner])
        }.union(zip(same.tolist(), twins[same].tolist(), strict=True)))  # fmt: skip
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
        return _Record.read(os.pread(self._file.fileno(), (end - start) * _UNIT, start * _UNIT).rstrip(b"\0"))

    def _keep(self, records: list[_Record]) -> None:
        written = [record.written() for record in records]
        for each in written:
            self._offsets.append(self._offsets[-1] + len(each) // _UNIT)
        data = memoryview(b"".join(written))
        with room(Path(tempfile.gettempdir())):
            while data:
                data = data[self._file.write(data) :]


@dataclass
class _Record:
    """What is kept of a conversation, in a file."""

    exact: int
    group: int
    talk: Talk

    def written(self) -> bytes:
        texts = "\x1e".join([text.replace("\x1e", " ") for text in self.talk[:2]]).encode("utf-8", "surrogatepass")
        exchanges = self.talk.exchanges
        data = (
            struct.pack(f"<QQB{len(exchanges)}I", self.exact, self.group, len(exchanges), *exchanges) + texts + b"\x1e"
        )
        return data + bytes(-len(data) % _UNIT)

    @classmethod
    def read(cls, data: bytes) -> _Record:
        exact, group, count = struct.unpack_from("<QQB", data)
        exchanges = struct.unpack_from(f"<{count}I", data, 17)
        question, answer, *_ = data[17 + 4 * count :].decode("utf-8", "surrogatepass").split("\x1e")
        return cls(exact, group, Talk(question, answer, exchanges))


class Table:
    """Maps 64-bit keys to the small number that each was entered with first.

    A slot has 32 bits of the key and the number. A key belongs to one bucket of every generation; where that bucket
    is full, a later and larger generation has it: nothing is ever moved. With `most` generations, a key for which no
    bucket has room is not entered.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._generations: list[tuple[Any, Any]] = []  # slots by bucket, and how many of a bucket are filled

    def first(self, keys: Any, numbers: Any) -> Any:
        """Enters keys that are new with their numbers; returns the number of every key."""
        unique, at, back = np.unique(keys, return_index=True, return_inverse=True)
        return self._first(unique, numbers[at])[back]

    def _first(self, keys: Any, numbers: Any) -> Any:
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
        while left.size and generation != self._most:
            if generation == len(self._generations):
                buckets = (FIRST_SLOTS << generation) // BUCKET
                self._generations.append((np.zeros((buckets, BUCKET), np.uint64), np.zeros(buckets, np.uint8)))
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
