"""Which conversations were seen before: a hash table of 128-bit keys in compact arrays, filled a chunk at a time.

One entry takes 32 bytes (key, a word of the exact text's hash, place of the first row), so ten million conversations fit
into a quarter of a gigabyte and a half; a table beyond `IN_MEMORY` lies in a temporary file that the system may page out.
"""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np

IN_MEMORY = 128 * 2**20
FULLEST = 0.7
_SPLIT_BITS = 8


class Seen:
    """Maps the key of a conversation to the split and number of its first row."""

    def __init__(self, capacity: int = 1 << 16) -> None:
        self._count = 0
        self._allocate(capacity)

    def add(self, keys: Any, exact: Any, split: int, numbers: Any) -> tuple[Any, Any, Any]:
        """Enters rows in their order; returns for each the split and number of an earlier row like it, and whether alike.

        `keys` has shape (n, 2); `exact` are words that tell an identical row from one that is only similar. The split is
        -1 for a row that is new.
        """
        count = len(keys)
        while self._count + count > FULLEST * self._capacity:
            self._grow()
        places = (np.uint64(split) << np.uint64(64 - _SPLIT_BITS)) | (numbers.astype(np.uint64) + np.uint64(1))
        # Within the chunk: the first row of each key enters the table, the others are like it.
        _, firsts, groups = np.unique(keys[:, 0] ^ (keys[:, 1] * np.uint64(0x9E3779B97F4A7C15)), return_index=True,
                                      return_inverse=True)  # fmt: skip
        leader = firsts[groups.reshape(-1)]
        found_place, found_exact = self._insert(keys[firsts], exact[firsts], places[firsts])
        place = found_place[groups.reshape(-1)]
        like = found_exact[groups.reshape(-1)]
        repeated = (place == 0) & (leader != np.arange(count))
        place = np.where(repeated, places[leader], place)
        like = np.where(repeated, exact[leader], like)
        splits = np.where(place == 0, -1, (place >> np.uint64(64 - _SPLIT_BITS)).astype(np.int64))
        rows = (place & np.uint64((1 << (64 - _SPLIT_BITS)) - 1)).astype(np.int64) - 1
        return splits, rows, (place != 0) & (like == exact)

    def _insert(self, keys: Any, exact: Any, places: Any) -> tuple[Any, Any]:
        """Enters keys that differ among themselves; returns place and exact word of those that were there (else 0)."""
        mask = np.uint64(self._capacity - 1)
        slots = (keys[:, 0] & mask).astype(np.int64)
        found_place = np.zeros(len(keys), np.uint64)
        found_exact = np.zeros(len(keys), np.uint64)
        left = np.arange(len(keys))
        while left.size:
            at = slots[left]
            taken = self._table["place"][at]
            used = taken != 0
            equal = used & (self._table["low"][at] == keys[left, 0]) & (self._table["high"][at] == keys[left, 1])
            found_place[left[equal]] = taken[equal]
            found_exact[left[equal]] = self._table["exact"][at[equal]]
            free = left[~used]
            _, winners = np.unique(slots[free], return_index=True)  # several may want one slot: the first gets it
            winners = free[winners]
            target = slots[winners]
            self._table["low"][target] = keys[winners, 0]
            self._table["high"][target] = keys[winners, 1]
            self._table["exact"][target] = exact[winners]
            self._table["place"][target] = places[winners]
            self._count += len(winners)
            done = equal.copy()
            done[~used] = np.isin(free, winners, assume_unique=True)
            left = left[~done]
            slots[left] = (slots[left] + 1) & (self._capacity - 1)
        return found_place, found_exact

    def _allocate(self, capacity: int) -> None:
        self._capacity = capacity
        kind = np.dtype([("low", "<u8"), ("high", "<u8"), ("exact", "<u8"), ("place", "<u8")])
        if capacity * kind.itemsize <= IN_MEMORY:
            self._table = np.zeros(capacity, kind)
        else:
            with tempfile.TemporaryFile() as file:  # the mapping outlives the handle, and the file its name
                file.truncate(capacity * kind.itemsize)
                self._table = np.memmap(file, kind, "r+", shape=(capacity,))

    def _grow(self) -> None:
        old = self._table
        self._allocate(self._capacity * 2)
        self._count = 0
        for start in range(0, len(old), 1 << 16):
            part = old[start : start + (1 << 16)]
            part = part[part["place"] != 0]
            keys = np.stack((part["low"], part["high"]), axis=1)
            self._insert(keys, part["exact"], part["place"])


class Places:
    """Remembers in which file and row a running number was read, a few bytes a chunk."""

    def __init__(self) -> None:
        self._starts: dict[str, list[int]] = {}
        self._places: dict[str, list[Any]] = {}

    def add(self, split: str, start: int, place: Any) -> None:
        """Notes that the rows of `split` from running number `start` on stand at `place`."""
        self._starts.setdefault(split, []).append(start)
        self._places.setdefault(split, []).append(place)

    def __call__(self, split: str, number: int) -> str:
        """Returns the file and row of a running number, as in `train.jsonl line 17`."""
        from bisect import bisect_right

        at = bisect_right(self._starts[split], number) - 1
        return " ".join(self._places[split][at](number - self._starts[split][at]))
