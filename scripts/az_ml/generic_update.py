"""--set, --add and --remove of the update verbs: az core's generic update of what the service has."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from scripts.errors import FAILED, UserError, suggest

_PARTS = re.compile(r"(\[.*?\])|([^.\[]+)")


def apply(instance: Any, changes: list[tuple[str, list[str]]], force_string: bool = False) -> Any:
    """Applies the changes, in the order of the command line, to a dict or an entity, and returns it."""
    for verb, words in changes:
        if verb == "set":
            for expression in words:
                _set(instance, expression, force_string)
        elif verb == "add":
            _add(instance, words, force_string)
        else:
            _remove(instance, words)
    return instance


def _set(instance: Any, expression: str, force_string: bool) -> None:
    path_text, separator, text = _split(expression)
    path = _path(path_text)
    if not path or not separator:
        raise UserError("usage error: --set KEY=VALUE [KEY=VALUE ...]", FAILED)
    parent = instance
    for depth, part in enumerate(path[:-1]):
        below = _get(parent, part, path[:depth])
        if below is None:  # known, but empty: it becomes an object
            below = {}
            _put(parent, part, below, path[:depth])
        parent = below
    _put(parent, path[-1], text if force_string else _value(text), path[:-1])


def _add(instance: Any, words: list[str], force_string: bool) -> None:
    path = _path(words[0])
    parent = _find(instance, path[:-1])
    target = _get(parent, path[-1], path[:-1])
    if target is None:
        target = []
        _put(parent, path[-1], target, path[:-1])
    if not isinstance(target, list):
        raise UserError(f"--add {words[0]}: it is not a list, so nothing can be added to it", FAILED)
    entry: dict[str, str] = {}
    for word in words[1:]:
        if "=" in word:  # consecutive pairs make one object
            key, value = word.split("=", 1)
            entry[key] = value
            continue
        if entry:
            target.append(entry)
            entry = {}
        target.append(word if force_string else _value(word))
    if entry:
        target.append(entry)


def _remove(instance: Any, words: list[str]) -> None:
    path = _path(words[0])
    parent = _find(instance, path[:-1])
    held = _get(parent, path[-1], path[:-1])
    if len(words) > 1:
        if not isinstance(held, list) or not words[1].isdigit() or int(words[1]) >= len(held):
            raise UserError(f"index {words[1]} doesn't exist on {path[-1]}", FAILED)
        held.pop(int(words[1]))
    elif isinstance(parent, dict):
        del parent[path[-1]]
    else:
        setattr(parent, _snake(path[-1]), [] if isinstance(held, list) else None)


def _split(expression: str) -> tuple[str, str, str]:
    """Splits at the first `=` outside brackets, so that `list[name=x].size=2` is understood."""
    depth = 0
    for place, character in enumerate(expression):
        if character == "=" and not depth:
            return expression[:place], "=", expression[place + 1 :]
        depth += {"[": 1, "]": -1}.get(character, 0)
    return expression, "", ""


def _path(text: str) -> list[str]:
    return [bracket or name for bracket, name in _PARTS.findall(text)]


def _find(instance: Any, path: list[str]) -> Any:
    for depth, part in enumerate(path):
        instance = _get(instance, part, path[:depth])
    return instance


def _get(instance: Any, part: str, above: list[str]) -> Any:
    if part.startswith("["):
        return _element(instance, part[1:-1], above)
    if isinstance(instance, dict) and part in instance:
        return instance[part]
    if not isinstance(instance, (dict, list)) and hasattr(instance, _snake(part)):
        return getattr(instance, _snake(part))
    raise _unknown(instance, part, above)


def _element(instance: Any, index: str, above: list[str]) -> Any:
    if not isinstance(instance, list):
        raise _unknown(instance, f"[{index}]", above)
    if "=" in index:
        key, value = index.split("=", 1)
        found = [each for each in instance if isinstance(each, dict) and each.get(key) in (value, _value(value))]
        if len(found) != 1:
            raise UserError(f"{len(found)} items of {'.'.join(above)} have {key} '{value}', not exactly one", FAILED)
        return found[0]
    if not index.lstrip("-").isdigit() or not -len(instance) <= int(index) < len(instance):
        raise UserError(f"index {index} doesn't exist on {'.'.join(above)}", FAILED)
    return instance[int(index)]


def _put(instance: Any, part: str, value: Any, above: list[str]) -> None:
    if part.startswith("["):
        _element(instance, part[1:-1], above)
        instance[int(part[1:-1])] = value
    elif isinstance(instance, dict):
        instance[part] = value
    elif not isinstance(instance, (list, str, int, float)) and hasattr(instance, _snake(part)):
        setattr(instance, _snake(part), value)
    else:
        raise _unknown(instance, part, above)


def _unknown(instance: Any, part: str, above: list[str]) -> UserError:
    """az's own text, which lists what is there in camelCase."""
    where = ".".join(above)
    if isinstance(instance, list):
        return UserError(
            f"Couldn't find '{part}' in '{where}'. Available options: index into the collection '{where}' with "
            "[<index>] or [<key=value>]",
            FAILED,
        )
    names = list(instance) if isinstance(instance, dict) else list(getattr(instance, "__dict__", {}))
    if not names:
        return UserError(f"Couldn't find '{part}' in '{where}'. '{where}' does not support further indexing.", FAILED)
    offered = sorted(_camel(str(name)) for name in names if not str(name).startswith("_"))
    return UserError(
        f"Couldn't find '{part}' in '{where}'. Available options: {offered}{suggest(part, names)}",
        FAILED,
    )


def _value(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError):
            continue
    return text


def _snake(name: str) -> str:
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first.lower() + "".join(part.capitalize() for part in rest) if rest else name
