"""A value as YAML: one that no reader takes for anything else, and that cannot change the structure around it."""

from __future__ import annotations

import re
from typing import Any

import yaml

from scripts.errors import UserError
from scripts.strict_yaml import Loader

# Text that YAML 1.1 and 1.2 readers alike take for what it is, without quotes.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./\-]*(?::[A-Za-z0-9_./\-]+)*")
_WORDS_OF_YAML = frozenset("y n yes no on off true false null".split())


class Row(list[int]):
    """Numbers that a file has in lines, not each in one of its own."""


class _Dumper(yaml.SafeDumper):
    """Quotes text that a reader of YAML 1.2 would take for a number, such as 5e-6."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    tag = "tag:yaml.org,2002:str"
    plain = Loader("").resolve(yaml.ScalarNode, value, (True, False)) == tag  # type: ignore[no-untyped-call]
    return dumper.represent_scalar(tag, value, style=None if plain else "'")


def _row(dumper: yaml.SafeDumper, value: Row) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Row, _row)


def document(data: dict[str, Any]) -> str:
    """Returns data as a file that this project writes for itself: the same content, the same bytes."""
    return str(
        yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False)
    )


class Bare(str):
    """Text for a comment, which needs no quotes; `bare` makes sure that it stays on its line."""


def to_yaml(value: Any) -> str:
    """Returns a scalar as YAML that reads back as the same type and value under YAML 1.1 and 1.2."""
    if isinstance(value, Bare):
        return value
    if value is None or isinstance(value, dict | list | tuple):
        raise UserError(f"{value!r:.60} is not a single value; a template may only insert text, numbers and booleans")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):  # 5e-06 is text to a YAML 1.1 reader such as the SDK's; 5.0e-06 is a number to all
        text = repr(value)
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    text = str(value)  # raises here where the template names what there is not
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML:
        return text
    return str(yaml.safe_dump(text, default_style='"', allow_unicode=True, width=float("inf"))).rstrip("\n")


def bare(value: Any) -> Bare:
    """Marks text for a comment: what could end the line, or may not stand in YAML, is replaced by a blank."""
    return Bare(" ".join("".join(letter if letter.isprintable() else " " for letter in str(value)).split()))
