"""How a file of JSON holds its rows, whatever it is called: a row a line, in a list, one after the other, in a wrapper.

It is told by the file's beginning, so that nothing is read whole. A list a line is a row a line (a conversation without
a name), a list that is the whole file holds the rows, and so does `data` in `{"version": 1, "data": [...]}`.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Any

import orjson

from scripts.dataset.archives import opened
from scripts.dataset.checks import MAX_ROW_BYTES
from scripts.dataset.file import File

HEAD_BYTES = 2**16
WRAPPERS = ("data", "rows", "examples", "conversations", "dialogues", "dialogs", "instances", "samples", "records",
            "items", "train")  # fmt: skip  # keys of an object whose list holds rows
_OF_A_ROW = {"messages", "prompt", "instruction", "question", "query", "chosen", "response", "answer", "completion",
             "output", "text"}  # fmt: skip  # an object with one of these is a row, whatever lists it has
_OF_A_TURN = {"role", "from", "speaker", "author"}
_LOOKED_AT = 20  # lines, for one that is a row of its own
_TOKEN = re.compile(rb'["{}\[\]]')
_STRING_END = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)
_COLON = re.compile(rb"\s*:\s*")


@dataclass(frozen=True)
class Shape:
    """How the rows lie: `lines`, or items of a list that begins at byte `start`, or objects in a row (`base` 0)."""

    is_lines: bool = True
    base: int = 0
    start: int = 0
    key: str | None = None  # of the wrapper's list
    other_keys: frozenset[str] = frozenset()  # the wrapper's other keys before it


def shape_of(file: File) -> Shape:
    """Looks at the beginning of a file of JSON."""
    with opened(file) as stream:
        head = stream.read(HEAD_BYTES)
        text = head.removeprefix(codecs.BOM_UTF8).lstrip()
        # Whether a line that fills the head is the whole file or the first of many, only its end can tell.
        while text[:1] in (b"[", b"{") and b"\n" not in text and len(text) < MAX_ROW_BYTES:
            more = stream.read(len(text))
            head += more
            text += more
            if not more:
                break
        is_all = len(head) < MAX_ROW_BYTES and not stream.read(1)
    return _shape(text, len(head) - len(text), is_all)


def _shape(text: bytes, skipped: int, is_all: bool) -> Shape:
    first, _, rest = text.partition(b"\n")
    lines = [first, *rest.split(b"\n", _LOOKED_AT)[:_LOOKED_AT]] if first[:1] in (b"[", b"{") else []
    if not lines or (any(line.startswith(first[:1]) and _is_json(line) for line in lines[1:])):
        return Shape()
    alone = is_all and not rest.strip()
    is_whole = is_all or b"\n" in text  # the first line
    if first.startswith(b"["):
        whole = _json(first) if is_whole else None
        if whole is not None and (not alone or _is_talk(whole)):
            return Shape()
        return Shape(False, 1, skipped)
    if not alone and is_whole and _is_json(first):
        return Shape()
    keys = top_keys(text)
    wrapper = next((each for each in keys if each[0] in WRAPPERS and _holds_rows(text[each[1] :])), None)
    if wrapper is not None and not _OF_A_ROW & {key for key, _ in keys}:
        before = frozenset(key for key, at in keys if at < wrapper[1])
        return Shape(False, 1, skipped + wrapper[1], wrapper[0], before)
    return Shape() if b"\n" not in text.rstrip() else Shape(False, 0, skipped)


def top_keys(text: bytes) -> list[tuple[str, int]]:
    """Returns the keys of the object that `text` begins with, and where their values begin; `text` may break off."""
    keys = []
    depth = at = 0
    while found := _TOKEN.search(text, at):
        at = found.end()
        if found[0] == b'"':
            end = _STRING_END.match(text, at)
            if end is None:
                break
            colon = _COLON.match(text, end.end())
            if depth == 1 and colon:
                keys.append((end[0][:-1].decode("utf-8", "replace"), colon.end()))
            at = end.end()
        else:
            depth += 1 if found[0] in b"{[" else -1
            if depth <= 0:
                break
    return keys


def _holds_rows(text: bytes) -> bool:
    """Tells whether a value that begins here is a list of rows, and not the turns of one."""
    if not re.match(rb"\[\s*[\[{]", text):
        return False
    first = text[1:].lstrip()
    return first.startswith(b"[") or not _OF_A_TURN & {key for key, _ in top_keys(first)}


def _is_talk(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(e, dict) and _OF_A_TURN & e.keys() for e in value)


def _is_json(text: bytes) -> bool:
    return _json(text) is not None


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
