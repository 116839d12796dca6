"""The hot path: chunks of rows through all checks, without duplicates and leaks, into lines of JSON for each split.

Nothing here grows with the data but a hash and four bytes a conversation. Reading and writing run in threads beside it:
decoding Parquet, hashing and writing files leave Python's lock alone.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from scripts.dataset.checks import Finding, role_findings
from scripts.dataset.layout import Mapper, Rows
from scripts.dataset.lengths import SAMPLE, SAMPLE_TRAIN, Length, Sample
from scripts.dataset.plan import scatter
from scripts.dataset.read import Chunk
from scripts.dataset.seen import Places, Seen
from scripts.dataset.tally import Tally
from scripts.dataset.texts import Texts, digests

TRAIN, VALIDATION, TEST, HELDOUT = "train", "validation", "test", "heldout"
MAX_TURNS = 100  # conversations with more messages share the last bar of the report's chart


@dataclass
class Statistics:
    """What the report and the manifest say about the rows of one output file."""

    sample: Sample
    rows: int = 0
    characters: int = 0
    turns: Counter = field(default_factory=Counter)
    roles: Counter = field(default_factory=Counter)
    # Of every conversation when tokens are counted exactly: its size in bytes, and the numbers of `Length`.
    sizes: array = field(default_factory=lambda: array("I"))
    lengths: array = field(default_factory=lambda: array("I"))


@dataclass
class Lines:
    """Rows of a chunk that go to one output file."""

    part: str
    lines: list[bytes]


class Sieve:
    """Everything that a row passes on its way from the source to a file.

    `cuts` are (part, fraction) that training rows are divided by; `questions` are splits that may share rows among
    themselves (test and held-out rows: both only ask); `measure` counts the tokens of every conversation (or None).
    """

    def __init__(
        self,
        tally: Tally,
        seed: int,
        cuts: list[tuple[str, float]],
        questions: frozenset[str] = frozenset(),
        measure: Callable[[list[list[dict[str, Any]]], list[Any]], list[Length]] | None = None,
        max_length: int | None = None,
    ) -> None:
        self.tally = tally
        self.statistics: dict[str, Statistics] = {}
        self._seed = seed
        self._cuts = cuts
        self._questions = questions
        self._measure = measure
        self._max_length = max_length
        self._seen = Seen()
        self._places = Places()
        self._splits: list[str] = []

    def pour(self, split: str, part: str, trained: bool, mapper: Mapper, chunk: Chunk) -> Iterator[Lines]:
        """Takes a chunk of a source's `split` that feeds `part`; yields the lines that survive, by output file."""
        tally = self.tally
        start = tally.rows_in[split]
        tally.rows_in[split] += len(chunk)
        if split not in self._splits:
            self._splits.append(split)
        self._places.add(split, start, chunk.place)
        rows = mapper.rows(chunk)
        gone: dict[int, str] = {}  # position in `rows` -> the check that left it out

        def find(at: int, finding: Finding) -> None:
            passed = tally.find(split, chunk.place(rows.at[at]), finding)
            if not passed:
                gone.setdefault(at, finding.check)

        for index, finding in rows.bad:
            tally.find(split, chunk.place(index), finding)
            tally.drop(split, finding.check)
        self._structure(rows, trained, find)
        dumped = _dump(rows.messages, "messages", find, gone)
        alive = [at for at in range(len(rows.at)) if at not in gone]
        every = len(alive) == len(rows.at)
        texts = Texts([rows.texts[at] for at in alive], rows.joined if every and alive else None)
        for row, finding in texts.findings():
            find(alive[row], finding)
        keys = _keys(texts, alive, rows, dumped)
        exact = digests([dumped[at] for at in alive])
        kept = np.array([at not in gone for at in alive], dtype=bool)
        self._duplicates(split, start, rows, alive, kept, keys, exact, find)
        extras = _dump(rows.extras, "", find, gone)
        if self._measure:
            self._lengths(rows, [at for at in alive if at not in gone], find)
        for at, check in gone.items():
            if at >= 0:
                tally.drop(split, check)
        taken = np.array([at not in gone for at in alive], dtype=bool)
        yield from self._divide(
            split, part, rows, alive, taken, keys, exact, texts.lengths, dumped, extras, chunk.place
        )

    def _books(self, part: str) -> Statistics:
        if part not in self.statistics:
            self.statistics[part] = Statistics(Sample(self._seed, SAMPLE_TRAIN if part.startswith(TRAIN) else SAMPLE))
        return self.statistics[part]

    def _structure(self, rows: Rows, trained: bool, find: Callable[[int, Finding], None]) -> None:
        for at, roles in enumerate(rows.roles):
            for finding in role_findings(roles, trained):
                find(at, finding)
            for turn, text in enumerate(rows.texts[at]):
                if (not text or text.isspace()) and not _calls(rows.messages[at][turn]):
                    found = "no text" if not text else "only white space"
                    find(at, Finding("empty_content", f"messages[{turn}].content", found, "text"))
                    break

    def _duplicates(self, split: str, start: int, rows: Rows, alive: list[int], kept: Any, keys: Any,
                    exact: Any, find: Callable[[int, Finding], None]) -> None:  # fmt: skip
        at = np.flatnonzero(kept)
        if not at.size:
            return
        numbers = start + np.array(rows.at, dtype=np.int64)[np.array(alive)[at]]
        here = self._splits.index(split)
        splits, firsts, alike = self._seen.add(keys[at], exact[at, 0], here, numbers)
        for index in np.flatnonzero(splits >= 0).tolist():
            other = self._splits[int(splits[index])]
            place = f"the conversation of {self._places(other, int(firsts[index]))}"
            near = "" if alike[index] else "near_"
            if other == split:
                find(alive[at[index]], Finding(f"{near}duplicate", "messages", place, "a conversation once"))
            elif not {split, other} <= self._questions:
                what = f"{place}, of {other}"
                find(alive[at[index]], Finding(f"{near}leak", "messages", what, "a conversation in one split"))

    def _lengths(self, rows: Rows, kept: list[int], find: Callable[[int, Finding], None]) -> None:
        lengths = self._measure([rows.messages[at] for at in kept], [rows.extras[at].get("tools") for at in kept])
        self._measured = dict(zip(kept, lengths, strict=True))
        for at, length in self._measured.items():
            for finding in length.findings(self._max_length):
                find(at, finding)

    def _divide(self, split: str, part: str, rows: Rows, alive: list[int], taken: Any, keys: Any, exact: Any,
                sizes: Any, dumped: list[bytes], extras: list[bytes], place: Any) -> Iterator[Lines]:  # fmt: skip
        side = np.zeros(len(alive), dtype=np.int64)
        if part == TRAIN and self._cuts:
            # The key of the text decides, so a row keeps its side when the data grows, and its near twin comes along.
            drawn = scatter(keys[:, 0], self._seed)
            side = np.searchsorted(np.cumsum([share for _, share in self._cuts]), drawn, side="right")
            side = np.where(side < len(self._cuts), side + 1, 0)
        for number, name in enumerate([part, *(name for name, _ in self._cuts)]):
            picked = np.flatnonzero(taken & (side == number))
            if not picked.size:
                continue
            chosen = [alive[at] for at in picked.tolist()]
            lines = [_line(dumped[at], extras[at]) for at in chosen]
            self._count(name, rows, chosen, sizes[picked], exact[picked, 1], lines, place)
            self.tally.kept[split] += len(chosen)
            yield Lines(name, lines)

    def _count(self, part: str, rows: Rows, chosen: list[int], sizes: Any, draw: Any, lines: list[bytes],
               place: Any) -> None:  # fmt: skip
        books = self._books(part)
        books.rows += len(chosen)
        books.characters += int(sizes.sum())
        for roles, count in Counter(rows.roles[at] for at in chosen).items():
            books.turns[min(len(roles), MAX_TURNS)] += count
            for role in roles:
                books.roles[role] += count
        if self._measure:
            books.sizes.extend(sizes.tolist())
            for at in chosen:
                books.lengths.extend(self._measured[at].numbers())
        else:
            books.sample.offer(draw, sizes, lines, place, [rows.at[at] for at in chosen])


def _line(messages: bytes, extras: bytes) -> bytes:
    return b'{"messages":' + messages + (b"," + extras[1:] if len(extras) > 2 else b"}") + b"\n"


def _dump(items: list[Any], path: str, find: Callable[[int, Finding], None], gone: dict[int, str]) -> list[bytes]:
    """Serialises items; one that cannot be (lone surrogates, bottomless nesting) is named and stands as nothing."""
    dumps = orjson.dumps
    try:
        return [dumps(item) for item in items]
    except TypeError:
        pass
    out = []
    for at, item in enumerate(items):
        try:
            out.append(dumps(item))
        except TypeError as error:
            out.append(b"{}")
            if "surrogates" in str(error) or "UTF-8" in str(error):
                find(at, Finding("encoding", path, "a lone surrogate or bytes that are not UTF-8", "UTF-8"))
            else:
                find(at, Finding("schema", path, f"what JSON cannot hold ({str(error)[:60]})", "text, numbers, lists"))
            gone.setdefault(at, "schema")
    return out


def _keys(texts: Texts, alive: list[int], rows: Rows, dumped: list[bytes]) -> Any:
    """Returns the 128-bit key of each row's normalised text; of rows with little text or tool calls, the whole row's."""
    normal = texts.normalised()
    if len(normal) != len(alive):  # no rows at all
        return np.empty((0, 2), dtype="<u8")
    for at, row in enumerate(normal):
        if len(row) < 24 or not (rows.plain or all(len(message) <= 2 for message in rows.messages[alive[at]])):
            normal[at] = dumped[alive[at]]
    return digests(normal)


def _calls(message: dict[str, Any]) -> bool:
    return len(message) > 1 and any(message.get(name) for name in ("tool_calls", "function_call"))
