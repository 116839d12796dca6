"""Which conversations were seen before: the same ones, alike ones, and those that ask the same.

Hashes are in open tables of 8 bytes a slot; the beginnings of the conversations are in a temporary file, and are read
again when two of them may be alike. A conversation takes some 30 bytes. The table of alike ones ends at 53 MB, or some
seven million hashes, 5 to 16 a conversation: what comes later is still compared with all that is there, so that a row
of training never misses one of test, which is read first; rows that are cut from training are compared as far as it
goes.
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

from scripts.dataset import alike, candidates
from scripts.dataset.alike import NEAR, QUESTION, SAME, Talk
from scripts.dataset.writer import room

BUCKET = 8  # slots that are looked at together: 64 bytes
FIRST_SLOTS, GROWTH, LAST_SLOTS = 2**17, 4, 2**22  # of a table's generations: 1, 4, 16, 32, 32 … MB
MOST_GENERATIONS = 4  # of the table of alike conversations
_UNIT = 16
_HEAD = struct.Struct("<QQB")
_END = "\x1e"
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
        self._folder = Path(tempfile.gettempdir())
        self._file = tempfile.TemporaryFile(buffering=0, dir=self._folder)  # noqa: SIM115  # lives as long as this does
        self._offsets = array("I", [0])  # in units of `_UNIT` bytes
        self._numbers = array("I")
        self._outlines = array("Q")

    @property
    def left_out(self) -> int:
        """How many conversations later ones cannot be compared with in every way, because the table was full."""
        return self._alike.left_out

    def add(self, numbers: Sequence[int], exact: Sequence[int], talks: Sequence[Talk]) -> tuple[list[Earlier], Any]:
        """Enters conversations in their order; returns what was there before, and the group of each.

        `numbers` are those of their rows, `exact` hashes of what makes two the same. What asks the same is of one
        group, and what is alike joins the group of the earlier one.
        """
        first = len(self._numbers)
        made = candidates.keys(talks)
        ids = np.arange(first, first + len(numbers), dtype=np.uint64)
        order = np.argsort(made.rows, kind="stable")  # of two alike ones in a chunk, the first is the owner
        rows, keys, is_bag = made.rows[order], made.keys[order], made.is_bag[order]
        owners, twins = self._alike.first(keys, ids[rows]), self._same.first(np.array(exact, np.uint64), ids)
        self._numbers.extend(numbers)
        self._outlines.frombytes(made.outlines.tobytes())
        asked_by = owners[np.searchsorted(rows, np.arange(len(numbers)))].tolist()  # a row's first key: its question
        records = [_Record(*each) for each in zip(exact, made.groups.tolist(), talks, strict=True)]
        best: dict[int, Earlier] = {}
        claims: dict[int, int] = {}
        for index, owner in self._candidates(rows, owners, is_bag, twins, first):
            record, other = records[index], records[owner - first] if owner >= first else self._record(owner)
            likeness = SAME if record.exact == other.exact else alike.likeness(record.talk, other.talk)
            known = best.get(index)
            if likeness and (known is None or _STRENGTH[likeness] < _STRENGTH[known.likeness]):
                best[index] = Earlier(index, self._numbers[owner], likeness)
            # What goes on as another is of its group, whatever its greeting; else who asks the same comes first.
            claim = 3 * record.talk.continues(other.talk) or 2 * (owner == asked_by[index]) or bool(likeness)
            if claim > claims.get(index, 0):
                claims[index], record.group = claim, other.group
        self._keep(records)
        return [*best.values()], np.array([record.group for record in records], np.uint64)

    def _candidates(self, rows: Any, owners: Any, is_bag: Any, twins: Any, first: int) -> list[tuple[int, int]]:
        """Returns the pairs (index, earlier conversation) that are worth a look at their texts, in order."""
        outlines = np.frombuffer(self._outlines, np.uint64)
        hits = np.flatnonzero(owners != rows + first)
        mine, theirs = rows[hits], owners[hits].astype(np.int64)
        worth = ~is_bag[hits] | candidates.may_be_within(outlines[first + mine], outlines[theirs])
        same = np.flatnonzero(twins != np.arange(first, first + len(twins)))
        pairs = [*zip(mine[worth].tolist(), theirs[worth].tolist(), strict=True)]
        return sorted({*pairs, *zip(same.tolist(), twins[same].tolist(), strict=True)})

    def _record(self, owner: int) -> _Record:
        start, end = self._offsets[owner], self._offsets[owner + 1]
        return _Record.read(os.pread(self._file.fileno(), (end - start) * _UNIT, start * _UNIT).rstrip(b"\0"))

    def _keep(self, records: list[_Record]) -> None:
        written = [record.written() for record in records]
        for each in written:
            self._offsets.append(self._offsets[-1] + len(each) // _UNIT)
        data = memoryview(b"".join(written))
        with room(self._folder):
            while data:
                data = data[self._file.write(data) :]


@dataclass
class _Record:
    """What is kept of a conversation, in a file."""

    exact: int
    group: int
    talk: Talk

    def written(self) -> bytes:
        question, answer, exchanges = self.talk
        texts = f"{question.replace(_END, ' ')}{_END}{answer.replace(_END, ' ')}{_END}"
        data = _HEAD.pack(self.exact, self.group, len(exchanges)) + array("I", exchanges).tobytes()
        data += texts.encode("utf-8", "surrogatepass")
        return data + bytes(-len(data) % _UNIT)

    @classmethod
    def read(cls, data: bytes) -> _Record:
        exact, group, count = _HEAD.unpack_from(data)
        end = _HEAD.size + 4 * count
        exchanges = tuple(array("I", data[_HEAD.size : end]))
        question, answer, *_ = data[end:].decode("utf-8", "surrogatepass").split(_END)
        return cls(exact, group, Talk(question, answer, exchanges))


class Table:
    """Maps 64-bit hashes to the small number that each was entered with first.

    A slot has 32 bits of the key and the number. A key belongs to one bucket of every generation; where that bucket
    is full, a later and larger generation has it: nothing is ever moved. With `most` generations, a key for which no
    bucket has room is not entered.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self.left_out = 0  # numbers of which a key found no room
        self._generations: list[tuple[Any, Any]] = []  # slots by bucket, and how many of a bucket are filled

    def first(self, keys: Any, numbers: Any) -> Any:
        """Enters keys that are new with their numbers; returns the number of every key."""
        unique, at, back = np.unique(keys, return_index=True, return_inverse=True)
        return self._first(unique, numbers[at])[back]

    def _first(self, keys: Any, numbers: Any) -> Any:
        """Does so for different keys in their order, which is that of the buckets."""
        found = numbers.copy()
        marks = keys << np.uint64(32)
        left = np.arange(len(keys))
        for slots, _ in self._generations:
            bucket = slots[_bucket(keys[left], slots)]
            hit = ((bucket ^ marks[left, None]) >> np.uint64(32) == 0) & (bucket != 0)
            which, slot = np.nonzero(hit)
            found[left[which]] = (bucket[which, slot] & np.uint64(2**32 - 1)) - np.uint64(1)
            left = np.delete(left, which)
        generation = 0
        while left.size and generation != self._most:
            if generation == len(self._generations):
                buckets = min(FIRST_SLOTS * GROWTH**generation, LAST_SLOTS) // BUCKET
                self._generations.append((np.zeros((buckets, BUCKET), np.uint64), np.zeros(buckets, np.uint8)))
            slots, filled = self._generations[generation]
            left = _put(slots, filled, keys[left], marks[left] | (numbers[left] + np.uint64(1)), left)
            generation += 1
        self.left_out += len({*numbers[left].tolist()})
        return found


def _bucket(keys: Any, slots: Any) -> Any:
    return (keys >> np.uint64(65 - len(slots).bit_length())).astype(np.int64)


def _put(slots: Any, filled: Any, keys: Any, entries: Any, left: Any) -> Any:
    """Puts entries, whose keys are sorted, into the buckets that have room; returns those of `left` that found none."""
    bucket = _bucket(keys, slots)
    begins = np.flatnonzero(np.diff(bucket, prepend=-1))
    rank = np.arange(len(bucket)) - np.repeat(begins, np.diff(np.append(begins, len(bucket))))
    slot = filled[bucket] + rank
    fits = slot < BUCKET
    slots[bucket[fits], slot[fits]] = entries[fits]
    np.maximum.at(filled, bucket[fits], (slot[fits] + 1).astype(np.uint8))
    return left[~fits]


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
