"""The hot path: chunks of rows through all checks, without duplicates and leaks, into lines of the output files.

Nothing here grows with the data but a few hashes a conversation. Reading and writing run in threads beside it:
decoding Parquet, hashing and writing files leave Python's lock alone.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import xxhash

from scripts.dataset.alike import NEAR, QUESTION, SAME, talk
from scripts.dataset.checks import Finding, Tally, role_findings
from scripts.dataset.control_tokens import ControlTokens
from scripts.dataset.cuts import Drawn
from scripts.dataset.duplicates import Earlier, Places, Seen
from scripts.dataset.layouts.mapper import Mapper, Rows
from scripts.dataset.lengths import SAMPLE, SAMPLE_TRAIN, Length, Sample
from scripts.dataset.read_plan import Task, Work, scatter
from scripts.dataset.read_rows import Chunk, Place
from scripts.dataset.settings import TRAIN
from scripts.dataset.shown_rows import ShownRows
from scripts.dataset.text_checks import Texts, digests
from scripts.dataset.tool_calls import as_text, has_calls

MAX_TURNS = 100  # conversations with more messages share the last bar of the report's chart

# Conversations and their tools -> lengths.
Measure = Callable[[list[list[dict[str, Any]]], list[Any]], Iterable[Length]]


@dataclass
class Statistics:
    """What the report and the manifest say about the rows of one output file."""

    sample: Sample
    rows: int = 0
    characters: int = 0
    turns: Counter[int] = field(default_factory=Counter)
    roles: Counter[str] = field(default_factory=Counter)
    # Of every conversation when tokens are counted exactly: its size in bytes, and the numbers of `Length`.
    sizes: array[int] = field(default_factory=lambda: array("I"))
    lengths: array[int] = field(default_factory=lambda: array("I"))
    guessed: int = 0  # how many of these the template did not write

    def add(self, roles: list[tuple[str, ...]], sizes: Any) -> None:
        """Counts conversations by the roles of their messages and the size of their texts."""
        self.rows += len(roles)
        self.characters += int(sizes.sum())
        for sequence, count in Counter(roles).items():
            self.turns[min(len(sequence), MAX_TURNS)] += count
            for role in sequence:
                self.roles[role] += count


@dataclass(frozen=True)
class Batch:
    """A chunk on its way through the sieve: its conversations, and which of them a check has left out."""

    task: Task
    start: int  # the running number of its first row
    place: Place
    rows: Rows
    tally: Tally
    gone: dict[int, str] = field(default_factory=dict)  # position in `rows` -> the check that left it out

    def find(self, at: int, finding: Finding) -> None:
        """Books a finding about the conversation at a position, which is left out where the check's policy says so."""
        if not self.tally.find(self.task.split, self.place(self.rows.at[at]), finding):
            self.gone.setdefault(at, finding.check)

    def left(self) -> list[int]:
        """Returns the positions of the conversations that nothing has left out so far."""
        return [at for at in range(len(self.rows.at)) if at not in self.gone]


@dataclass
class Prints:
    """What tells conversations apart, as parallel arrays; those of a group ask the same and go to the same file."""

    at: list[int]  # positions in the batch
    same: list[int]  # hashes of what a reader takes for the same
    exact: Any
    sizes: Any  # bytes of text
    groups: Any


@dataclass
class Sieve:
    """Everything that a row passes on its way from the source to a file.

    `measure` counts the tokens of every conversation; without it a sample is kept to be counted later.
    """

    tally: Tally
    seed: int
    work: Work
    measure: Measure | None = None
    limit: int | None = None
    control: ControlTokens = field(default_factory=ControlTokens)
    statistics: dict[str, Statistics] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
    places: Places = field(default_factory=Places)
    shown: ShownRows = field(default_factory=ShownRows)
    drawn: Drawn = field(init=False)  # what moves the cuts of a small set

    def __post_init__(self) -> None:
        self.drawn = Drawn(len(self.work.cuts) + 1)

    def pour(self, task: Task, mapper: Mapper, chunk: Chunk) -> Iterator[tuple[str, list[bytes]]]:
        """Takes a chunk of a task; yields output files, each with the lines that survive and go to it."""
        batch = self._open(task, mapper, chunk)
        _check_form(batch)
        messages = _dump(batch.rows.messages, "messages", batch)
        extras = _dump(batch.rows.extras, "", batch)
        prints = _check_texts(batch, messages, self.control)
        self._check_duplicates(batch, prints)
        lengths = self._check_lengths(batch)
        for at, check in batch.gone.items():
            self.tally.drop(task.split, check)
            self.shown.leave_out(chunk, batch.rows.at[at], task.split, check)
        first = next((at for at in prints.at if at not in batch.gone), None)
        if first is not None:
            self.shown.map(chunk, batch.rows.at[first], _line(messages[first], extras[first]))
        yield from self._divide(batch, prints, lengths, messages, extras)

    def _open(self, task: Task, mapper: Mapper, chunk: Chunk) -> Batch:
        """Books the chunk, and the rows in it that are no conversations."""
        start = self.tally.rows_in.total()
        self.tally.rows_in[task.split] += len(chunk)
        self.places.add(start, task.split, chunk.place)
        rows = mapper.rows(chunk)
        for index, finding in rows.bad:
            self.tally.find(task.split, chunk.place(index), finding)
            self.tally.drop(task.split, finding.check)
            self.shown.leave_out(chunk, index, task.split, finding.check)
        return Batch(task, start, chunk.place, rows, self.tally)

    def _check_duplicates(self, batch: Batch, prints: Prints) -> None:
        """Finds conversations that were there before, in this split or in another one."""
        kept = [index for index, at in enumerate(prints.at) if at not in batch.gone]
        if not kept:
            return
        rows, places = batch.rows, [prints.at[index] for index in kept]
        earlier, groups = self.seen.add(
            [batch.start + rows.at[at] for at in places],
            [prints.same[index] for index in kept],
            [talk(rows.roles[at], _said(rows, at)) for at in places],
        )
        prints.groups[kept] = groups
        for each in earlier:
            self._find_earlier(batch, places[each.index], each)

    def _find_earlier(self, batch: Batch, at: int, earlier: Earlier) -> None:
        """Books a conversation that is like an earlier one."""
        split = batch.task.split
        other, row = self.places(earlier.number)
        if other == split:
            check = {SAME: "duplicate", NEAR: "near_duplicate"}.get(earlier.likeness)
            place, expected = f"the conversation of {row}", "a conversation once"
        else:
            allowed = {split, other} <= self.work.questions
            check = (
                None if allowed else {SAME: "leak", NEAR: "near_leak", QUESTION: "shared_question"}[earlier.likeness]
            )
            what = "question" if earlier.likeness == QUESTION else "conversation"
            place, expected = f"the {what} of {row}, of {other}", f"a {what} in one split"
        if check:
            batch.find(at, Finding(check, "messages", place, expected))

    def _check_lengths(self, batch: Batch) -> dict[int, Length]:
        """Counts the tokens of what is left, where that is asked for; returns the lengths by position."""
        if not self.measure:
            return {}
        left, rows = batch.left(), batch.rows
        measured = self.measure([rows.messages[at] for at in left], [rows.extras[at].get("tools") for at in left])
        lengths = dict(zip(left, measured, strict=True))
        for at, length in lengths.items():
            for finding in length.findings(self.limit):
                batch.find(at, finding)
        return lengths

    def _divide(self, batch: Batch, prints: Prints, lengths: dict[int, Length], messages: list[bytes],
                extras: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:  # fmt: skip
        """Yields what is left as lines, training rows divided by the cuts."""
        taken = np.array([at not in batch.gone for at in prints.at], dtype=bool)
        side = np.zeros(len(prints.at), dtype=np.int64)
        cuts = self.work.cuts if batch.task.part == TRAIN else ()
        if cuts:
            # The question decides, so a row keeps its side when the data grows, and what is like it comes along.
            drawn = scatter(prints.groups, self.seed)
            side = np.searchsorted(np.cumsum([share for _, share in cuts]), drawn, side="right")
            side = np.where(side < len(cuts), side + 1, 0)
            self.drawn.add(drawn[taken], side[taken])
        for number, part in enumerate([batch.task.part, *(part for part, _ in cuts)]):
            picked = np.flatnonzero(taken & (side == number))
            if not picked.size:
                continue
            chosen = [prints.at[at] for at in picked.tolist()]
            lines = [_line(messages[at], extras[at]) for at in chosen]
            books, sizes = self._books(part), prints.sizes[picked]
            books.add([batch.rows.roles[at] for at in chosen], sizes)
            if self.measure:
                books.sizes.extend(sizes.tolist())
                for at in chosen:
                    books.lengths.extend(lengths[at].numbers())
                    books.guessed += lengths[at].is_guess
            else:
                where = [batch.rows.at[at] for at in chosen]
                books.sample.offer(prints.exact[picked, 1], sizes, lines, batch.place, where)
            self.tally.kept[batch.task.split] += len(chosen)
            yield part, lines

    def _books(self, part: str) -> Statistics:
        if part not in self.statistics:
            size = self.work.counted or (SAMPLE_TRAIN if part.startswith(TRAIN) else SAMPLE)
            self.statistics[part] = Statistics(Sample(self.seed, size))
        return self.statistics[part]


def _check_form(batch: Batch) -> None:
    """Checks the roles of the conversations, and that their messages hold text."""
    rows = batch.rows
    for at, finding in rows.doubtful:
        batch.find(at, finding)
    for at, roles in enumerate(rows.roles):
        for finding in role_findings(roles, batch.task.trained):
            batch.find(at, finding)
        for turn, text in enumerate(rows.texts[at]):
            if (not text or text.isspace()) and not has_calls(rows.messages[at][turn]):
                there = "no text" if not text else "only white space"
                batch.find(at, Finding("empty_content", f"messages[{turn}].content", there, "text"))
                break


def _check_texts(batch: Batch, messages: list[bytes], control: ControlTokens) -> Prints:
    """Checks the texts of what is left, and returns what tells those conversations apart."""
    rows, alive = batch.rows, batch.left()
    texts = Texts([rows.texts[at] for at in alive])
    canonical = texts.canonical() if alive else []
    others = [_calls_and_tools(rows, at, messages[at]) for at in alive]
    same = [_same(text, more, rows.roles[at]) for text, more, at in zip(canonical, others, alive, strict=True)]
    exact = digests([messages[at] for at in alive])
    prints = Prints(alive, same, exact, texts.lengths, np.zeros(len(alive), np.uint64))
    found = [*control.findings(texts), *texts.findings()]  # a thread looks for secrets meanwhile
    if more := [index for index, each in enumerate(others) if each]:
        parts = [_parts(rows, alive[index]) for index in more]
        inner = Texts([[*each.values()] for each in parts], [[*each] for each in parts])
        named = {(index, finding.check) for index, finding in found}
        found += [(more[row], finding) for row, finding in (*control.findings(inner), *inner.private())
                  if (more[row], finding.check) not in named]  # fmt: skip
    for index, finding in found:
        batch.find(alive[index], finding)
    return prints


def _parts(rows: Rows, at: int) -> dict[str, str]:
    """Returns what a conversation holds beside its texts, as text by key: its tools, calls, and whatever else."""
    parts = {
        f"messages[{turn}].{name}": as_text(value)
        for turn, message in enumerate(rows.messages[at])
        for name, value in message.items() if name not in ("role", "content")
    }  # fmt: skip
    tools = rows.extras[at].get("tools")
    return parts if tools is None else parts | {"tools": _tools_text(orjson.dumps(tools).decode())}


_tools_text = lru_cache(maxsize=4)(as_text)  # the same ones stand in many rows


def _calls_and_tools(rows: Rows, at: int, messages: bytes) -> bytes:
    """Returns what a conversation holds beside its texts: which tools it has, and calls."""
    tools = rows.extras[at].get("tools")
    others = b"" if tools is None else b"\x1e" + orjson.dumps(tools)
    if not rows.plain and any(len(each) > 2 for each in rows.messages[at]):
        others += b"\x1e" + messages
    return others


def _same(text: bytes, others: bytes, roles: tuple[str, ...]) -> int:
    """Returns the hash of what makes two conversations the same: who says what, calls which tools, and has which."""
    return xxhash.xxh3_64_intdigest(text + others, seed=_seed(roles))


@lru_cache(maxsize=4096)
def _seed(roles: tuple[str, ...]) -> int:
    return xxhash.xxh3_64_intdigest(" ".join(roles).encode("utf-8", "surrogatepass"))


def _said(rows: Rows, at: int) -> list[str]:
    """Returns the texts of a conversation; a message without any says which tools it calls."""
    texts = rows.texts[at]
    if all(texts):
        return texts
    said = zip(texts, rows.messages[at], strict=True)
    return [text or str(message.get("tool_calls") or "") for text, message in said]


def _dump(items: list[Any], path: str, batch: Batch) -> list[bytes]:
    """Serialises items; one that cannot be (lone surrogates, bottomless nesting) is named and stands as nothing."""
    dumps = orjson.dumps
    if not any(items):  # as extras often are
        return [b"{}"] * len(items)
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
                batch.find(at, Finding("encoding", path, "a lone surrogate or bytes that are not UTF-8", "UTF-8"))
            else:
                what, expected = f"what JSON cannot hold ({str(error)[:60]})", "text, lists, numbers of 64 bits"
                batch.find(at, Finding("schema", path, what, expected, "write it as text"))
            batch.gone.setdefault(at, "schema")
    return out


def _line(messages: bytes, extras: bytes) -> bytes:
    return b"".join((b'{"messages":', messages, b"," + extras[1:] if len(extras) > 2 else b"}", b"\n"))
