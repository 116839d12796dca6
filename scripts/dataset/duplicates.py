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
_EXACT, _SPLIT = 16, 14  # bits of an entry: of the exact text's hash, the split; the row is above them
MOST_SPLITS = 2**_SPLIT


@dataclass(frozen=True)
class Earlier:
    """An earlier conversation like the one at `index` of a chunk: its split and row, and whether it is the same."""

    index: int
    split: int
    number: int
    is_same: bool


class Seen:
    """Maps the key of a conversation to the split and number of its first row."""

    def __init__(self) -> None:
        self._first: dict[int, int] = {}

    def add(self, keys: Any, exact: Any, split: int, numbers: Any) -> Iterator[Earlier]:
        """Enters rows in their order, and yields what was there before.

        `keys` has shape (n, 2); `exact` are words that tell an identical row from one that is only similar.
        """
        places = (numbers.astype(np.uint64) << np.uint64(_SPLIT)) | np.uint64(split)
        entries = (places << np.uint64(_EXACT)) | (exact & np.uint64(2**_EXACT - 1))
        short = (keys[:, 0] ^ (keys[:, 1] * _MIX)) & _KEY
        enter = self._first.setdefault
        for index, (key, entry) in enumerate(zip(short.tolist(), entries.tolist(), strict=True)):
            first = enter(key, entry)
            if first != entry:
                number, where = divmod(first >> _EXACT, MOST_SPLITS)
                yield Earlier(index, where, number, (first ^ entry) % 2**_EXACT == 0)


class Places:
    """Remembers in which file and row a running number was read, a few bytes a chunk."""

    def __init__(self) -> None:
        self._chunks: dict[str, list[tuple[int, Callable[[int], tuple[str, str]]]]] = {}

    def add(self, split: str, start: int, place: Callable[[int], tuple[str, str]]) -> None:
        """Notes that the rows of `split` from running number `start` on stand at `place`."""
        self._chunks.setdefault(split, []).append((start, place))

    def __call__(self, split: str, number: int) -> str:
        """Returns the file and row of a running number, as in `train.jsonl line 17`."""
        chunks = self._chunks[split]
        start, place = chunks[bisect_right(chunks, number, key=lambda chunk: chunk[0]) - 1]
        return " ".join(place(number - start))
