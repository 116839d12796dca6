"""Which conversations were seen before: a dict of short hashes, one entry a conversation.

A key has 60 bits, so that it is one of Python's smaller numbers: in ten million conversations the chance that any two
different ones are taken for the same is 1 in 20,000. An entry takes some 110 bytes: 32 MB for 207,865 conversations,
212 MB for two million (measured; a hash table in NumPy arrays took 39 and 208 MB, and ten times the time).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

_KEY = np.uint64(2**60 - 1)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_EXACT = 16  # bits of an entry that are of the exact text's hash; the row is above them


@dataclass(frozen=True)
class Earlier:
    """An earlier conversation like the one at `index` of a chunk: its row, and whether it is the same."""

    index: int
    number: int
    is_same: bool


class Seen:
    """Maps the key of a conversation to the running number of its first row."""

    def __init__(self) -> None:
        self._first: dict[int, int] = {}

    def add(self, keys: Any, exact: Any, numbers: Any) -> Iterator[Earlier]:
        """Enters rows in their order, and yields what was there before.

        `keys` has shape (n, 2); `exact` are words that tell an identical row from one that is only similar.
        """
        entries = (numbers.astype(np.uint64) << np.uint64(_EXACT)) | (exact & np.uint64(2**_EXACT - 1))
        short = (keys[:, 0] ^ (keys[:, 1] * _MIX)) & _KEY
        enter = self._first.setdefault
        for index, (key, entry) in enumerate(zip(short.tolist(), entries.tolist(), strict=True)):
            first = enter(key, entry)
            if first != entry:
                yield Earlier(index, first >> _EXACT, (first ^ entry) % 2**_EXACT == 0)


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
