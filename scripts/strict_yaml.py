"""YAML as a reader takes it: 1.2's scalars, the line of every key, and a sentence for whatever would surprise.

Keys written twice, aliases, merge keys, tags, bottomless nesting and numbers of no type are refused, not guessed at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from scripts.errors import MISSING, UserError
from scripts.files import read_text

_TEXT = "tag:yaml.org,2002:str"
_UNMERGED = re.compile(r"^<{7} ", re.MULTILINE)
_DEEPEST = 50
_LARGEST = 2**22  # bytes, which take seconds to read

try:  # libyaml, where PyYAML was built with it, reads four times faster
    from yaml import CSafeLoader as _BaseLoader
except ImportError:  # pragma: no cover
    from yaml import SafeLoader as _BaseLoader  # type: ignore[assignment]


class Loader(_BaseLoader):
    """YAML with 1.2's scalars: `5e-6` is a number and `yes`, `on` or `012` are text, as a reader would expect."""


Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    ("float", r"^[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$", "-+0123456789."),
):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def _number(loader: Loader, node: yaml.ScalarNode) -> int | float:
    """Reads a number of at most 64 bits; beyond that, readers of the rendered YAML do not agree on what it is."""
    text = loader.construct_scalar(node)
    value = int(text) if node.tag.endswith("int") else float(text)
    if abs(value) >= 2**63:
        raise ValueError(text)
    return value


for _tag in ("int", "float"):
    Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _number)


def read_yaml(path: Path, loader: type = Loader, name: str = "") -> tuple[dict[str, Any], dict[str, int]]:
    """Reads a YAML mapping; returns it with the line of every dotted key. A `UserError` names file, line and fault.

    `loader` says by which rules: ours (YAML 1.2's scalars) unless given, PyYAML's SafeLoader for what the SDK will
    read. `name` is what errors call the file.
    """
    name = name or path.name
    text = read_text(path, "save it as UTF-8 text, or restore it", name, _LARGEST)
    if text is None:
        raise UserError(f"{name}: no such file; restore it or run in the project's folder", MISSING)
    return parse_yaml(text, name, loader)


def parse_yaml(text: str, name: str, loader: type = Loader) -> tuple[dict[str, Any], dict[str, int]]:
    """Returns what `read_yaml` does, of the text of the file `name`."""
    try:
        data, lines = _read(text, name, loader)
    except yaml.YAMLError as error:
        if unmerged := _UNMERGED.search(text):
            line_of_mark = text.count("\n", 0, unmerged.start()) + 1
            raise UserError(f"{name}:{line_of_mark}: a merge left both sides here; keep one of them") from None
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        if "cannot start any token" in problem:
            problem += " (a tab, perhaps: indent with blanks)"
        raise UserError(f"{name}{line}: not valid YAML: {problem}; check indentation, quotes and colons") from None
    if not isinstance(data, dict | None):
        kind = "a list" if isinstance(data, list) else "a single value"
        raise UserError(f"{name}:1: expected a mapping of keys to values, found {kind}")
    return data or {}, lines


def scalar(text: str) -> Any:
    """Reads one YAML value from the command line: `3` is a number, `true` a boolean, `"16"` and `abc` are text."""
    try:
        return _read(text, "value", Loader)[0]
    except (yaml.YAMLError, UserError):
        return text


def value_at(data: Any, key: str, default: Any = None) -> Any:
    """Returns what stands at a dotted key of nested mappings."""
    for part in key.split("."):
        if not isinstance(data, Mapping) or part not in data:
            return default
        data = data[part]
    return data


def nearest(known: Container[str], key: str) -> str:
    """Returns a dotted key if it is known, else the nearest one above it that is; an empty text where none is."""
    while key and key not in known:
        key = key.rpartition(".")[0]
    return key


def shown(value: Any) -> str:
    """Returns a value as an error shows it: as JSON, short, and printable."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)
    return text if len(text) <= 80 else text[:77] + "..."


def _read(text: str, name: str, loader: type) -> tuple[Any, dict[str, int]]:
    """Returns what a YAML text says, and the line of every dotted key in it."""
    reader = loader("")
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):  # composing takes the program's stack a level of the text
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                at = f"{name}:{event.start_mark.line + 1}" if event.start_mark else name
                raise UserError(f"{at}: nested deeper than {_DEEPEST} levels; nothing here needs more than a few")
        node = yaml.compose(text, Loader=loader)
        if node is None:
            return None, {}
        lines = dict(_lines(node, "", 1, name, reader, set()))
        return reader.construct_document(node), lines
    finally:
        reader.dispose()


def _lines(node: yaml.Node, key: str, line: int, name: str, reader: Any, seen: set[int]) -> Iterator[tuple[str, int]]:
    """Yields the dotted keys below `node` with their lines; refuses what would mean other things than it seems to."""
    at = f"{name}:{line}: " + f"{key}: " * bool(key)
    if node.tag not in (reader.resolve(type(node), node.value, (True, False)), _TEXT):
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        raise UserError(f"{at}a tag such as {tag} is not allowed; write the value alone")
    if isinstance(node, yaml.ScalarNode):
        try:
            reader.construct_object(node)
        except ValueError:
            found, kind = shown(node.value), node.tag.rpartition(":")[2]
            raise UserError(f"{at}found {found}, no {kind} that can be read; correct it or put it in quotes") from None
        return
    if id(node) in seen:
        raise UserError(f"{at}an alias of a mapping or list is not allowed; write it out, so that every key has a line")
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield f"{key}.{number}", item.start_mark.line + 1
            yield from _lines(item, f"{key}.{number}", line, name, reader, seen)
        return
    first: dict[str, int] = {}
    for key_node, value_node in node.value:
        line, word = key_node.start_mark.line + 1, key_node.value
        if key_node.tag != _TEXT or not word.isprintable():
            raise UserError(f"{name}:{line}: a key must be plain text, found {shown(word)}; put it in quotes")
        inner = f"{key}.{word}".lstrip(".")
        if word in first:
            raise UserError(f"{name}:{line}: {inner}: written twice, first in line {first[word]}; keep one of them")
        first[word] = line
        yield inner, line
        yield from _lines(value_node, inner, line, name, reader, seen)
