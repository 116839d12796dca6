"""Anyone's YAML: which of many files are Azure ML's, read as leniently as the SDK does, with the line of every key."""

from __future__ import annotations

import datetime
import os
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
_ENDINGS = (".yml", ".yaml")
_NOT_OURS = {".git", ".venv", "node_modules", "__pycache__", "site-packages"}
_OURS = "azureml"  # what a broken file has to mention for its fault to be Azure ML's
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
        yield from (Path(here, name) for name in names if name.endswith(_ENDINGS))


def _matching(pattern: str) -> Iterator[Path]:
    start = Path(pattern).anchor
    try:
        yield from Path(start or ".").glob(pattern.removeprefix(start))
    except (ValueError, NotImplementedError):  # no pattern
        return


def read(path: Path, today: datetime.date | None = None) -> Document | Finding | None:
    """Returns a document of Azure ML's, a finding for one of it that cannot be read, None for any other file."""
    name = path.as_posix()
    try:
        content = path.read_bytes() if path.stat().st_size <= _LARGEST else b""
        text = content.decode("utf-8-sig")
        node = yaml.compose(text, Loader=_LOADER)
        if not isinstance(node, yaml.MappingNode):
            return None
        lines: dict[str, int] = {}
        repeated: dict[str, int] = {}
        _lines(node, "", 1, lines, repeated, 0)
        data = _plain(yaml.load(text, Loader=_LOADER))
    except UnicodeDecodeError:
        return None
    except (_TooMuch, RecursionError):
        return None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        if _OURS not in text.lower() or "{{" in text.replace("${{", ""):  # another program's, or a template
            return None
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        return Finding(f"{name}:{mark.line + 1 if mark else 1}", "", f"not valid YAML: {problem}", "yaml")
    kind = document_kinds.kind_of(data)
    return Document(path, name, kind, data, lines, repeated, text, today or datetime.date.today()) if kind else None


def _lines(node: yaml.Node, key: str, line: int, lines: dict[str, int], repeated: dict[str, int], depth: int) -> None:
    """Writes down the line of every dotted key below a node."""
    if len(lines) > _MOST or depth > _DEEPEST:
        raise _TooMuch
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines[f"{key}.{number}"] = item.start_mark.line + 1
            _lines(item, f"{key}.{number}", line, lines, repeated, depth + 1)
    elif isinstance(node, yaml.MappingNode):
        own: dict[str, int] = {}
        for key_node, value in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            at, line = f"{key}.{key_node.value}".lstrip("."), key_node.start_mark.line + 1
            if key_node.value in own and key_node.value != "<<":
                repeated[at] = own[key_node.value]
            own[key_node.value] = lines[at] = line
            _lines(value, at, line, lines, repeated, depth + 1)


def _plain(value: Any) -> Any:
    """Returns data with texts as keys, as JSON and every program behind it have them."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
