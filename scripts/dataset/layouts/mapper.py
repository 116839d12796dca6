"""Rows of a chunk become conversations, each by the shape of its own columns; what became of them is accounted for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import orjson

from scripts.dataset.accounts import Accounts
from scripts.dataset.checks import Finding, shown
from scripts.dataset.layouts import columnar, pairs, side_columns
from scripts.dataset.layouts.side_columns import NOTHING
from scripts.dataset.layouts.turns import Remarks, Said, Turns, Unreadable, as_json, exact, is_rounded
from scripts.dataset.layouts.ways import Way, hint, ways
from scripts.dataset.read_rows import Chunk
from scripts.dataset.settings import Layout

SHAPES = 1000  # of rows, that are remembered at a time


@dataclass
class Rows:
    """Conversations of a chunk as parallel lists; `at` is each one's index in the chunk."""

    at: list[int] = field(default_factory=list)
    messages: list[list[dict[str, Any]]] = field(default_factory=list)
    roles: list[tuple[str, ...]] = field(default_factory=list)
    texts: list[list[str]] = field(default_factory=list)
    extras: list[dict[str, Any]] = field(default_factory=list)
    bad: list[tuple[int, Finding]] = field(default_factory=list)  # rows that are no conversation, by their index
    doubtful: list[tuple[int, Finding]] = field(default_factory=list)  # of conversations, by their position here
    plain: bool = False  # no message holds more than role and content


class Mapper:
    """Maps rows of one split to conversations, by the values' layout, else by the names of each row's columns."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._turns = Turns(layout)
        self._ways: dict[tuple[str, ...], list[Way]] = {}
        self._bare = Way("bare list", "messages")
        self._unread: dict[tuple[str, ...], set[str]] = {}  # columns read of Parquet -> those left where they are
        self._accounts = Accounts()
        self._remarks = Remarks()

    def columns(self, schema: Any) -> list[str] | None:
        """Returns the columns of an Arrow schema that are worth reading, or None for all."""
        wanted: set[str] = set()
        for way in self._of(tuple(schema.names)):
            wanted |= {*way.main, *way.side_columns, *way.kept}
        read = tuple(name for name in schema.names if name in wanted)
        if read:
            self._unread.setdefault(read, set()).update(set(schema.names) - wanted)
        return list(read) or None

    def rows(self, chunk: Chunk) -> Rows:
        """Maps a chunk; what is not a conversation comes back in `bad` with the reason."""
        rows = Rows()
        items = chunk.rows
        if hasattr(items, "num_rows"):
            names = tuple(items.schema.names)
            for name in self._unread.get(names, ()):
                self._accounts.ignore(name, items.num_rows)
            several = self._of(names)
            if several and columnar.read(items, several[0], self._turns, rows):
                self._count_all(several[0], items)
                return rows
            items = columnar.plain(items, self._accounts)
        rows.plain = True
        for at, item in enumerate(items):
            self._row(at, item, rows)
        return rows

    def accounts(self) -> Accounts:
        """Returns what became of the columns of all rows so far."""
        self._enter()
        return self._accounts

    def _enter(self) -> None:
        """Enters what the ways have counted, and begins to count anew."""
        for way in (self._bare, *chain.from_iterable(list(self._ways.values()))):
            if way.rows:
                self._accounts.layouts[way.name] += way.rows
                names = (*way.main, *way.kept) if way is not self._bare else ()
                self._accounts.used.update(dict.fromkeys(names, way.rows))
                way.rows = 0

    def _count_all(self, way: Way, batch: Any) -> None:
        """Accounts for the columns of a batch whose rows all went one way."""
        way.rows += batch.num_rows
        for name in way.ignored:
            self._accounts.ignore(name, batch.num_rows - batch.column(name).null_count)

    def _row(self, at: int, item: Any, rows: Rows) -> None:
        remarks = self._remarks
        try:
            row = self._parsed(item) if isinstance(item, bytes) else item
            if isinstance(row, Finding):
                rows.bad.append((at, row))
                return
            if isinstance(row, dict) and "preferred_output" in row and isinstance(row.get("input"), dict):
                row = row.pop("input") | row  # OpenAI's preferences: messages and tools stand one level below
            way = self._way(row)
            if way is self._bare:
                row = {"messages": row}
            plain = self._turns.plain(row.get(way.messages)) if way.messages and not way.side_columns else None
            if not plain and isinstance(item, bytes) and is_rounded(item.decode()):
                self._row(at, exact(item), rows)
                return
            messages = plain[0] if plain else self._conversation(row, way)
            extras = self._extras(row, way) if way.kept or way.tools or way.functions else {}
            if way.side_columns:
                side_columns.add(row, way, messages, remarks, self._accounts)
        except Unreadable as unreadable:
            rows.bad.append((at, unreadable.finding))
            remarks.clear()
            return
        way.rows += 1
        if remarks.changed or remarks.findings:
            self._accounts.change(remarks.changed)
            rows.doubtful += [(len(rows.at), finding) for finding in remarks.findings]
            remarks.clear()
        for name in way.ignored:
            if row[name] not in NOTHING:
                self._accounts.ignore(name)
        rows.plain = rows.plain and plain is not None and not way.side_columns
        rows.at.append(at)
        rows.messages.append(messages)
        rows.roles.append(plain[1] if plain else tuple([message["role"] for message in messages]))
        rows.texts.append(plain[2] if plain else [message.get("content", "") for message in messages])
        rows.extras.append(extras)

    def _parsed(self, line: bytes) -> Any:
        """Returns a row that was written as JSON, or the finding that says why it is none."""
        try:
            return orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if b"NaN" not in line and b"Infinity" not in line:
                return _not_json(line, error)
            try:
                row = json.loads(line, parse_constant=lambda name: None)
            except (ValueError, RecursionError):
                return _not_json(line, error)
            self._remarks.changed.add("NaN and Infinity read as null")
            return row

    def _of(self, names: tuple[str, ...]) -> list[Way]:
        """Returns the ways of a shape of row."""
        found = self._ways.get(names)
        if found is None:
            if len(self._ways) >= SHAPES:
                self._enter()
                self._ways.clear()
            found = self._ways[names] = ways(names, self._layout)
        return found

    def _way(self, row: Any) -> Way:
        """Returns how this row holds its conversation: the first way whose columns have a value."""
        if isinstance(row, list):
            return self._bare
        if not isinstance(row, dict):
            raise Unreadable("", row, "an object with `messages`")
        several = self._of(tuple(row))
        for way in several:
            value = row.get(way.main[0])
            is_prose = way.messages and isinstance(value, str) and value.lstrip()[:1] not in ("[", "{")
            if value not in NOTHING and row.get(way.main[-1]) not in NOTHING and not is_prose:
                return way
        if several:
            return several[0]
        names = ", ".join(map(shown, list(row)[:8]))
        raise Unreadable("", Said(f"the columns {names}") if row else row, hint(row))

    def _conversation(self, row: dict[str, Any], way: Way) -> list[dict[str, Any]]:
        if not way.messages:
            return pairs.read(row, way, self._turns, self._remarks)
        messages = self._turns.read(row.get(way.messages), way.messages, self._remarks)
        if way.answer and row.get(way.answer) not in NOTHING:
            asks = messages and messages[-1]["role"] == "user"
            if asks:
                messages = pairs.answered(messages, self._turns.read(row[way.answer], way.answer, self._remarks))
            self._accounts.account(way.answer, bool(asks))
        return messages

    def _extras(self, row: dict[str, Any], way: Way) -> dict[str, Any]:
        """Returns what the output keeps beside the messages, the tools as a list."""
        extras = {}
        for name in way.kept:
            if row[name] is None:
                self._accounts.used[name] -= 1  # which `_enter` counts for every row of this way
            else:
                extras[name] = row[name]
        for column in filter(None, (way.tools, way.functions)):
            value = row.get(column)
            if value is None or value == "":
                continue
            if "tools" in extras:
                self._accounts.ignore(column)
                continue
            if isinstance(value, str):
                value = as_json(value, column, "a list of tools")
                self._remarks.changed.add(f"{column} read from JSON text")
            if column == way.functions and isinstance(value, list):
                value = [{"type": "function", "function": each} for each in value]
                self._remarks.changed.add(f"{column} written as tools")
            if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
                raise Unreadable(column, value, "a list of tools, each an object")
            extras["tools"] = value
            self._accounts.used[column] += 1
        return extras


def _not_json(line: bytes, error: Exception) -> Finding:
    reason = str(error).split(":")[0]
    if "surrogate" in reason:
        return Finding("encoding", "", "a lone surrogate (\\ud800-\\udfff)", "whole characters")
    if "utf-8" in reason.lower():
        return Finding("encoding", "", "bytes that are not UTF-8", "UTF-8")
    if "recursion" in reason.lower():
        return Finding("json", "", "more than a thousand nested brackets", "a flat object")
    position = getattr(error, "pos", None)
    at = f" at character {min(position + 1, len(line))}" if position is not None else ""
    return Finding("json", "", f"{reason}{at} of {len(line)}", "one whole JSON object")
