"""Anyone's YAML: which of many files are Azure ML's, read as leniently as the SDK does, with the line of every key."""

from __future__ import annotations

import datetime
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from scripts.azure import document_kinds
from scripts.errors import MISSING, UserError
from scripts.validate.documents import Document, Finding

_LARGEST = 2**20  # bytes; Azure ML's YAML has some thousand
_MOST = 20_000  # keys and items, aliases written out
_DEEPEST = 60
_LONGEST = 10_000  # bits of a number; Python writes out none much longer
_ENDINGS = (".yml", ".yaml")
_NOT_OURS = {".git", ".venv", "node_modules", "__pycache__", "site-packages"}
_OURS = re.compile("azuremlschemas|azureml:")  # what a broken file has to mention for its fault to be Azure ML's
_TEMPLATE = re.compile(r"(?<!\$)\{\{|\{%")
_SEVERAL = "expected a single document in the stream"  # the parser's words
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _TooMuch(Exception):
    """The document is larger than any of Azure ML's."""


def paths(named: list[str]) -> list[Path]:
    """Returns the files of paths, folders (all YAML below them) and patterns; a `UserError` for one that gives none."""
    found: dict[Path, None] = {}
    for name in named:
        path = Path(name)
        if path.is_dir():
            below = sorted(_below(path))
        elif path.exists():
            below = [path]
        else:
            below = sorted(each for each in _matching(name) if each.is_file())
        if not below:
            what = "has no .yml or .yaml below it" if path.is_dir() else "no such file, and no pattern that fits one"
            raise UserError(f"{name}: {what}; name a file, a folder or a pattern in quotes", MISSING)
        found.update(dict.fromkeys(below))
    return list(found)


def _below(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if each not in _NOT_OURS]
        below = (Path(here, name) for name in names if name.endswith(_ENDINGS))
        yield from (path for path in below if path.is_file())  # no link to nowhere, no pipe


def _matching(pattern: str) -> Iterator[Path]:
    start = Path(pattern).anchor
    try:
        yield from Path(start or ".").glob(pattern.removeprefix(start))
    except (ValueError, NotImplementedError):  # no pattern
        return


def read(path: Path, today: datetime.date | None = None) -> Document | Finding | None:
    """Returns a document of Azure ML's, a finding for one of it that cannot be read, None for any other file."""
    name = printable(path.as_posix())
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        return None
    text = content.replace(b"\0", b"").decode("latin-1")  # enough to see whether an unreadable file is Azure ML's
    try:
        text = content.decode("utf-8-sig")
        node = yaml.compose(text, Loader=_LOADER)
        if not isinstance(node, yaml.MappingNode):
            return None
        lines: dict[str, int] = {}
        repeated: dict[str, int] = {}
        _lines(node, "", lines, repeated, itertools.count())
        data = _plain(yaml.load(text, Loader=_LOADER))
    except (_TooMuch, RecursionError):
        return None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        if not _OURS.search(text.lower()) or _TEMPLATE.search(text):  # another program's, or a template
            return None
        mark = getattr(error, "problem_mark", None)
        return Finding(f"{name}:{mark.line + 1 if mark else 1}", "", _sentence(error), "yaml")
    kind = document_kinds.kind_of(data)
    return Document(path, name, kind, data, lines, repeated, text, today or datetime.date.today()) if kind else None


def _sentence(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 text (byte {error.start}), and Azure ML reads no other"
    if getattr(error, "context", None) == _SEVERAL:
        return "another document begins here, and Azure ML reads files of one; make a file of each"
    return f"not valid YAML: {getattr(error, 'problem', None) or str(error).splitlines()[0]}"


def printable(text: str) -> str:
    """Returns a text as a terminal, XML and JSON may have it: what would steer or break them is written out."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _lines(
    node: yaml.Node, key: str, lines: dict[str, int], repeated: dict[str, int], seen: Iterator[int], depth: int = 0
) -> None:
    """Writes down the line of every dotted key below a node; `seen` counts them, those of the same name too."""
    if next(seen) > _MOST or depth > _DEEPEST:
        raise _TooMuch
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines[f"{key}.{number}"] = item.start_mark.line + 1
            _lines(item, f"{key}.{number}", lines, repeated, seen, depth + 1)
    elif isinstance(node, yaml.MappingNode):
        own: dict[str, int] = {}
        for key_node, value in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            at, line = f"{key}.{key_node.value}".lstrip("."), key_node.start_mark.line + 1
            if key_node.value in own and key_node.value != "<<":
                repeated[at] = own[key_node.value]
            own[key_node.value] = lines[at] = line
            _lines(value, at, lines, repeated, seen, depth + 1)


def _plain(value: Any) -> Any:
    """Returns data with texts as keys, as JSON and every program behind it have them."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, int) and value.bit_length() > _LONGEST:
        raise ValueError("a number of thousands of digits")
    return [_plain(each) for each in value] if isinstance(value, list) else value
