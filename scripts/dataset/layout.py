"""A row of the source becomes a conversation: a list of {role, content} messages, whatever columns it came in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson

from scripts.dataset.checks import MAX_ROW_BYTES, ROLES, Finding, shown
from scripts.dataset.read_rows import Chunk, integers
from scripts.dataset.settings import Layout
from scripts.dataset.text_checks import MESSAGE, ROW
from scripts.dataset.text_formats import too_large

EXTRAS = ("prompt", "prompt_id", "tools")  # what the output keeps beside `messages`; the component reads `tools`
MESSAGES = ("messages",)
CONVERSATIONS = ("conversations", "conversation")
PROMPTS = ("prompt", "instruction", "question", "input")
RESPONSES = ("response", "completion", "output", "answer", "chosen")
SPEAKERS = {  # names of speakers that ShareGPT-like sets use
    "human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant", "assistant": "assistant",
    "bing": "assistant", "bard": "assistant", "bot": "assistant", "model": "assistant", "system": "system",
    "tool": "tool", "observation": "tool", "function_response": "tool",
}  # fmt: skip


@dataclass
class Rows:
    """Conversations of a chunk as parallel lists; `at` is each one's index in the chunk."""

    at: list[int] = field(default_factory=list)
    messages: list[list[dict[str, Any]]] = field(default_factory=list)
    roles: list[tuple[str, ...]] = field(default_factory=list)
    texts: list[list[str]] = field(default_factory=list)
    extras: list[dict[str, Any]] = field(default_factory=list)
    bad: list[tuple[int, Finding]] = field(default_factory=list)
    plain: bool = False  # no message holds more than role and content
    joined: Callable[[], bytes] | None = None  # all texts as one piece of bytes, where Arrow can join them


class Mapper:
    """Maps rows to conversations by a layout; `auto` is decided by the first row or schema that can be recognised."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.format = None if layout.format == "auto" else layout.format
        self._columns: dict[str, str | None] = {}
        self._roles = {role: role for role in ROLES}

    def columns(self, schema: Any) -> list[str] | None:
        """Returns the columns of an Arrow schema that are worth reading, or None for all."""
        if not self._recognise(schema.names):
            return None
        wanted = {*self._columns.values(), *EXTRAS}
        return [name for name in schema.names if name in wanted] or None

    def rows(self, chunk: Chunk) -> Rows:
        """Maps a chunk; what is not a conversation comes back in `bad` with the reason."""
        rows = Rows()
        if hasattr(chunk.rows, "num_rows"):
            if self._recognise(chunk.rows.schema.names) and self._arrow(chunk.rows, rows):
                return rows
            items = _plain(chunk.rows)
        else:
            items = chunk.rows
        for at, item in enumerate(items):
            self._row(at, item, rows)
        return rows

    def _row(self, at: int, item: Any, rows: Rows) -> None:
        if isinstance(item, bytes):
            try:
                item = orjson.loads(item)
            except orjson.JSONDecodeError as error:
                item = _not_json(item, error)
        found: list[dict[str, Any]] | Finding
        if isinstance(item, Finding):
            found = item
        elif not isinstance(item, dict):
            found = Finding("schema", "", shown(item), "an object with `messages`")
        elif not self._recognise(item):
            expected = "messages, conversations, or a prompt and a response"
            found = Finding("schema", "", shown(item), expected)
        else:
            found = self._conversation(item)
        if isinstance(found, Finding):
            rows.bad.append((at, found))
            return
        rows.at.append(at)
        rows.messages.append(found)
        rows.roles.append(tuple([message["role"] for message in found]))
        rows.texts.append([message.get("content") or "" for message in found])
        rows.extras.append(self._extras(item))

    def _recognise(self, names: Any) -> bool:
        """Decides an automatic layout by column names; returns whether the layout is known."""
        if self.format is None:
            if self._layout.messages in names or _first(names, None, MESSAGES):
                self.format = "messages"
            elif _first(names, None, CONVERSATIONS):
                self.format = "conversations"
            elif _first(names, self._layout.prompt, PROMPTS) and _first(names, self._layout.response, RESPONSES):
                self.format = "prompt_response"
            else:
                return False
        if not self._columns:
            self._bind(names)
        return True

    def _bind(self, names: Any) -> None:
        layout = self._layout
        self._roles |= layout.roles
        if self.format == "prompt_response":
            self._columns = {
                "prompt": _first(names, layout.prompt, PROMPTS) or PROMPTS[0],
                "response": _first(names, layout.response, RESPONSES) or RESPONSES[0],
            }
            if self._columns["prompt"] == "instruction":  # Alpaca: what the instruction is about stands beside it
                self._columns["input"] = "input"
        else:
            candidates = MESSAGES if self.format == "messages" else CONVERSATIONS
            self._columns = {"messages": _first(names, layout.messages, candidates) or candidates[0]}
        self._columns["system"] = layout.system
        shareable = self.format == "conversations"
        self._role = layout.role or ("from" if shareable else "role")
        self._content = layout.content or ("value" if shareable else "content")
        if shareable:
            self._roles = SPEAKERS | self._roles

    def _conversation(self, row: dict[str, Any]) -> list[dict[str, Any]] | Finding:
        if self.format == "prompt_response":
            messages: Any = []
            for role, part in (("user", "prompt"), ("assistant", "response")):
                column = self._columns[part] or part
                text = row.get(column)
                if not isinstance(text, str):
                    return Finding("schema", column, shown(text), "text")
                messages.append({"role": role, "content": text})
            context = row.get("input") if "input" in self._columns else None
            if isinstance(context, str) and context.strip():
                messages[0]["content"] += f"\n\n{context}"
        else:
            messages = self._messages(row)
            if isinstance(messages, Finding):
                return messages
        system = row.get(self._columns["system"]) if self._columns["system"] else None
        if isinstance(system, str) and system.strip():
            messages.insert(0, {"role": "system", "content": system})
        return messages

    def _messages(self, row: dict[str, Any]) -> list[dict[str, Any]] | Finding:
        column = self._columns["messages"] or "messages"
        given = row.get(column)
        if isinstance(given, str):  # CSV, and sets that keep the list as text
            try:
                given = orjson.loads(given)
            except orjson.JSONDecodeError:
                return Finding("schema", column, "text that is not JSON", "a list of {role, content}")
        if not isinstance(given, list):
            return Finding("schema", column, shown(given), "a list of {role, content}")
        messages = []
        for at, turn in enumerate(given):
            path = f"{column}[{at}]"
            if not isinstance(turn, dict):
                return Finding("schema", path, shown(turn), "an object with role and content")
            role, content = turn.get(self._role), turn.get(self._content)
            if not isinstance(role, str):
                return Finding("schema", f"{path}.{self._role}", shown(role), "the name of a role")
            message = {"role": self._known_role(role)}
            if isinstance(content, str):
                message["content"] = content
            elif content is not None or not has_calls(turn):
                return Finding("schema", f"{path}.{self._content}", shown(content), "text")
            for name, value in turn.items():
                if value is not None and name not in (self._role, self._content, "role", "content"):
                    message[name] = value
            messages.append(message)
        return messages

    def _known_role(self, name: str) -> str:
        """Returns the role that a speaker's name stands for, whatever its case; a name nobody knows as it is."""
        return self._roles.get(name) or self._roles.get(name.lower(), name)

    def _extras(self, row: dict[str, Any]) -> dict[str, Any]:
        if self.format == "prompt_response":
            return {}
        return {name: row[name] for name in EXTRAS if row.get(name) is not None}

    def _arrow(self, batch: Any, rows: Rows) -> bool:
        """Maps the common case, a list of {role, content} without nulls, column by column: several times faster.

        Returns False, having done nothing, where the batch is not of that kind.
        """
        if self.format == "prompt_response" or self._columns["system"]:
            return False
        column = _column(batch, self._columns["messages"])
        flat = _flat_messages(column, {self._role, self._content})
        extras = {name: _column(batch, name) for name in EXTRAS if _column(batch, name) is not None}
        if flat is None or not all(_is_text(column.type) and not column.null_count for column in extras.values()):
            return False
        offsets, values = flat
        contents = values.field(self._content)
        if contents.nbytes > MAX_ROW_BYTES and _largest(contents, offsets) > MAX_ROW_BYTES:
            return False
        known = self._roles
        try:
            texts = contents.to_pylist()
            roles = [known.get(role) or self._known_role(role) for role in values.field(self._role).to_pylist()]
            lists = [column.to_pylist() for column in extras.values()]
        except UnicodeDecodeError:  # Parquet does not check what it calls text
            return False
        messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]
        spans = [slice(first, last) for first, last in pairwise(offsets)]
        rows.plain, rows.joined = True, _joiner(column, offsets, contents)
        rows.at = list(range(batch.num_rows))
        rows.messages = [messages[span] for span in spans]
        rows.texts = [texts[span] for span in spans]
        rows.roles = [tuple(roles[span]) for span in spans]
        names = list(extras)
        rows.extras = (
            [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)] if names else [{} for _ in spans]
        )
        return True


def has_calls(message: dict[str, Any]) -> bool:
    """Tells a message that calls tools, and so needs no text."""
    return bool(message.get("tool_calls") or message.get("function_call"))


def _plain(batch: Any) -> list[Any]:
    """Turns a record batch into dicts; a row that is too large, or no UTF-8, is named without being decoded."""
    if batch.nbytes <= MAX_ROW_BYTES:
        try:
            return batch.to_pylist()
        except UnicodeDecodeError:
            pass
    return [_plain_row(batch.slice(at, 1)) for at in range(batch.num_rows)]


def _plain_row(row: Any) -> Any:
    size = sum(column.nbytes for column in row.columns)  # of the slice, not of the batch behind it
    if size > MAX_ROW_BYTES:
        return too_large(size)
    try:
        return row.to_pylist()[0]
    except UnicodeDecodeError:
        return Finding("encoding", "", "bytes that are not UTF-8", "UTF-8")


def _column(batch: Any, name: str | None) -> Any:
    at = batch.schema.get_field_index(name) if name else -1
    return batch.column(at) if at >= 0 else None


def _is_text(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_string(kind) or types.is_large_string(kind)


def _flat_messages(column: Any, names: set[str]) -> tuple[list[int], Any] | None:
    """Returns (offsets, struct array) of a list column whose messages have exactly these text fields and no nulls."""
    import pyarrow.types as types

    if column is None or not (types.is_list(column.type) or types.is_large_list(column.type)) or column.null_count:
        return None
    kind = column.type.value_type
    if not types.is_struct(kind) or {field.name for field in kind} != names:
        return None
    if not all(_is_text(field.type) for field in kind):
        return None
    offsets = column.offsets.to_pylist()  # not to_numpy, which imports pandas
    first = offsets[0]
    values = column.values.slice(first, offsets[-1] - first)
    if values.null_count or any(values.field(name).null_count for name in names):
        return None
    return [offset - first for offset in offsets], values


def _joiner(column: Any, offsets: list[int], contents: Any) -> Callable[[], bytes] | None:
    """Returns what joins the texts as `Texts` does, in half the time because no text becomes a Python string."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_list(column.type) or not pa.types.is_string(contents.type):
        return None

    # Scalars out of an array, because `pyarrow.scalar` would import pandas.
    marks = pa.Array.from_buffers(pa.string(), 2, [None, integers([0, 1, 2], "int32").buffers()[1],
                                                   pa.py_buffer((MESSAGE + ROW).encode())])  # fmt: skip

    def join() -> bytes:
        rows = pc.binary_join(pa.ListArray.from_arrays(integers(offsets, "int32"), contents), marks[0])
        whole = pc.binary_join(pa.ListArray.from_arrays(integers([0, len(rows)], "int32"), rows), marks[1])
        return whole[0].as_buffer().to_pybytes()

    return join


def _largest(texts: Any, offsets: list[int]) -> int:
    import numpy as np
    import pyarrow.compute as pc

    lengths = pc.binary_length(texts).to_pylist()
    ends = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))[offsets]
    return int(np.diff(ends).max(initial=0))


def _first(names: Any, given: str | None, candidates: tuple[str, ...]) -> str | None:
    return given or next((name for name in candidates if name in names), None)


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
