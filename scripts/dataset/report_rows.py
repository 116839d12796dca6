"""The conversations that the report shows: a sample of the training file, and what the chat template makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from scripts.conversation import tokens as chat
from scripts.dataset.checks import ROLES
from scripts.dataset.hidden import cut, cuts, hidden
from scripts.dataset.tokenizer import Tokenizer
from scripts.dataset.tool_calls import call_text, has_calls, tool_text
from scripts.dataset.written import unwritten

CONVERSATIONS = 200
LINE_BYTES = 200_000  # a longer row is not shown
CHARACTERS = 3000  # of a conversation, so that the page stays below a megabyte or two
SHORTEST = 200  # of a message, however many there are
SHOWN_TOKENS = 2000


@dataclass(frozen=True)
class Turn:
    """A message as it is shown."""

    role: str
    kind: str  # of ROLES, for its look
    text: str
    calls: list[str] = field(default_factory=list)  # of tools: name(arguments)


@dataclass(frozen=True)
class Shown:
    """A conversation as it is shown, with the tools that it may call."""

    turns: list[Turn]
    tools: list[str]

    def texts(self) -> Iterator[tuple[str, int]]:
        """Yields all its texts in order, and how many characters of each are shown."""
        limit = max(SHORTEST, CHARACTERS // max(len(self.turns), 1))
        for turn in self.turns:
            yield from ((text, limit) for text in (turn.text, *turn.calls))
        yield from ((tool, SHORTEST) for tool in self.tools)

    @property
    def begins(self) -> str:
        """How its first question begins."""
        return next((turn.text[:80] for turn in self.turns if turn.kind == "user"), "")


@dataclass(frozen=True)
class Lost:
    """What the template does not write as it stands: in how many of the sampled conversations, and the first of it."""

    what: str
    rows: int
    text: str


@dataclass(frozen=True)
class Piece:
    """Some text of a conversation as the model sees it: whether it is learned, and whether it is cut off."""

    text: str
    learned: bool
    cut: bool


@dataclass(frozen=True)
class Example:
    """A conversation as the chat template writes it."""

    tokens: int
    learned: int
    cut_at: int | None  # where something is cut off
    pieces: list[Piece]
    whole: bool


def sampled(path: Path, count: int = CONVERSATIONS) -> list[dict[str, Any]]:
    """Returns rows of a file of lines, spread evenly over it; all of them where there are no more than `count`."""
    size = path.stat().st_size
    rows: dict[int, dict[str, Any]] = {}
    with path.open("rb") as stream:
        lines = [line for _, line in zip(range(count + 1), stream, strict=False)]
        if len(lines) <= count:
            return [orjson.loads(line) for line in lines if len(line) <= LINE_BYTES]
        for at in range(count):
            stream.seek(at * size // count)
            if at:
                stream.readline()  # the rest of the line that this place divides
            begin = stream.tell()
            line = stream.readline(LINE_BYTES + 1)
            if line.endswith(b"\n") and begin not in rows:
                rows[begin] = orjson.loads(line)
    return list(rows.values())


def shown(rows: list[dict[str, Any]]) -> list[Shown]:
    """Returns conversations as they are shown: their secrets hidden, long messages cut."""
    whole = [_whole(row) for row in rows]
    texts = iter(cuts([text for each in whole for text in each.texts()]))
    return [
        replace(
            each,
            turns=[replace(turn, text=next(texts), calls=[next(texts) for _ in turn.calls]) for turn in each.turns],
            tools=[next(texts) for _ in each.tools],
        )
        for each in whole
    ]


def _whole(row: dict[str, Any]) -> Shown:
    turns, tools = [], row.get("tools")
    for message in row["messages"][: CHARACTERS // 30]:
        role, text = str(message.get("role")), message.get("content")
        calls = [call_text(call) for call in message["tool_calls"]] if has_calls(message) else []
        turns.append(Turn(role, role if role in ROLES else "system", text if isinstance(text, str) else "", calls))
    return Shown(turns, [tool_text(each) for each in tools[:20]] if isinstance(tools, list) else [])


def lost(rows: list[dict[str, Any]], coder: Tokenizer) -> list[Lost]:
    """Returns the parts of conversations that the chat template leaves out; a row that it refuses is not looked at."""
    found: dict[str, list[str]] = {}
    for row in rows:
        seen: dict[str, str] = {}
        with suppress(Exception):  # the template refuses it; the check named `template` says so
            for part in unwritten(coder, row["messages"], row.get("tools")):
                seen.setdefault(part.what, part.text)
        for what, text in seen.items():
            found.setdefault(what, []).append(text)
    return [Lost(what, len(texts), cut(texts[0], SHORTEST)) for what, texts in found.items()]


def example(rows: list[dict[str, Any]], coder: Tokenizer, limit: int | None) -> Example | None:
    """Returns the shortest of the first conversations as the model sees it; nothing where that cannot be told."""
    if not rows:
        return None
    row = min(rows[:5], key=lambda row: sum(len(message.get("content") or "") for message in row["messages"]))
    try:
        messages = row["messages"] if coder.system_role else chat.fold_system(row["messages"])
        encoded = chat.encode(coder, messages, row.get("tools"))
        text = chat.text(coder, messages, row.get("tools"))
    except Exception:  # the template refuses it; the check named `template` says so
        return None
    spans = coder(text, return_offsets_mapping=True)["offset_mapping"]
    pieces = _pieces(text, spans[:SHOWN_TOKENS], encoded.trained, limit)
    cut_at = limit if limit and len(spans) > limit else None
    return Example(len(encoded.ids), sum(encoded.trained), cut_at, pieces, len(spans) <= SHOWN_TOKENS)


def _pieces(text: str, spans: list[tuple[int, int]], trained: list[bool], limit: int | None) -> list[Piece]:
    """Returns the text under the tokens, those of one kind together; tokens may share a character."""
    end = 0
    kinds = [(trained[at], limit is not None and at >= limit) for at in range(len(spans))]
    under, found = [], []
    for kind, group in groupby(zip(kinds, spans, strict=True), key=lambda each: each[0]):
        tokens = [span for _, span in group]
        begin, end = max(tokens[0][0], end), max(end, *(last for _, last in tokens))
        under.append(text[begin:end])
        found.append(kind)
    return [Piece(each, *kind) for each, kind in zip(hidden(under), found, strict=True)]
