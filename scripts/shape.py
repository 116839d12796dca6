"""Plain data, of JSON or YAML, as what a type says: the dataclasses that hold a file's content are its schema."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, TypeVar

T = TypeVar("T")
_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "a mapping",
          list: "a list"}  # fmt: skip


def shaped(kind: type[T], data: Any, foreign: bool = False) -> T:
    """Returns data as `kind`: a dataclass, str, int, float, bool, list[…], tuple[…, ...], dict[str, …], `… | None`.

    A `ValueError` names the first key that is missing, unknown, or holds another type. `foreign`: another program
    writes the file, and keys that are unknown here are its own.
    """
    return typing.cast(T, _shaped(kind, data, "", foreign))


def _shaped(kind: Any, data: Any, at: str, foreign: bool) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return data
    if origin is types.UnionType:
        return None if data is None else _shaped(inner[0], data, at, foreign)
    if dataclasses.is_dataclass(kind):
        return _record(kind, _of(dict, data, at), at, foreign)
    if origin in (list, tuple):
        each_of = enumerate(_of(list, data, at))
        return origin(_shaped(inner[0], each, f"{at}[{number}]", foreign) for number, each in each_of)
    if origin is dict:
        return {key: _shaped(inner[1], each, _below(at, key), foreign) for key, each in _of(dict, data, at).items()}
    return _of(kind, data, at)


def _record(kind: Any, data: dict[Any, Any], at: str, foreign: bool) -> Any:
    types_of = typing.get_type_hints(kind)
    fields = {each.name: each for each in dataclasses.fields(kind)}
    for key in data.keys() - fields.keys() if not foreign else ():
        raise ValueError(f"{_below(at, key)} is unknown here, so a newer version of this project may have written it")
    for name, each in fields.items():
        if name not in data and each.default is each.default_factory is dataclasses.MISSING:
            raise ValueError(f"{_below(at, name)} is missing")
    found = {name: _shaped(types_of[name], data[name], _below(at, name), foreign) for name in fields if name in data}
    try:
        return kind(**found)
    except ValueError as error:  # a rule of its own
        raise ValueError(f"{at}.{error}".lstrip(".")) from None


def _of(kind: type, data: Any, at: str) -> Any:
    """Returns data of a plain type; a whole number is a number too, and a truth value is neither."""
    if kind is float and type(data) is int and abs(data) < 2**63:
        data = float(data)
    if type(data) is not kind:
        raise ValueError(f"{at + ': ' if at else ''}found {data!r:.60}, expected {_WORDS[kind]}")
    return data


def _below(at: str, key: Any) -> str:
    return f"{at}.{key!s:.60}".lstrip(".")
