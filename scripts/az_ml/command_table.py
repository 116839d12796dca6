"""Which commands and options there are: `command_table.json`, a part of the official reference of Azure CLI.

An option is written as `--name -n`, with `=default` and `{allowed, values}` where the reference gives them. Tests hold
the table against the reference's own content, so it is not the place for options of ours.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUTPUT_FORMATS = ("json", "jsonc", "none", "table", "tsv", "yaml", "yamlc")
INTEGERS = frozenset({"--lines", "--max-results"})
_OPTION = re.compile(r"([^={]+?)\s*(?:=([^{\s]*))?\s*(?:\{(.*)\})?")


@dataclass(frozen=True)
class Option:
    """One option of one command, as the reference writes it."""

    names: tuple[str, ...]  # the long name first
    required: bool = False
    default: str | None = None
    allowed: tuple[str, ...] = ()

    @property
    def long(self) -> str:
        """Its long name."""
        return self.names[0]

    @property
    def key(self) -> str:
        """The attribute that holds its value after parsing."""
        return self.long.removeprefix("--").replace("-", "_")

    @property
    def switch(self) -> bool:
        """True for an option that may stand without a value."""
        return self.default == "False"

    @property
    def help(self) -> str:
        """What it is for, in a line."""
        text = str(_table()["options"].get(self.long, ""))
        if self.allowed and not self.switch:
            text += f" One of {', '.join(self.allowed)}."
        if self.default not in (None, "False", "[]"):
            text += f" Default {self.default}."
        return text


@dataclass(frozen=True)
class Command:
    """One command: `name` is what stands after `az` and, where `ml` is True, after `az ml`."""

    name: str
    ml: bool
    summary: str
    options: tuple[Option, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The words of its name."""
        return tuple(self.name.split())

    @property
    def line(self) -> str:
        """How it is called."""
        return f"az {'ml ' if self.ml else ''}{self.name}"


def read_option(text: str, required: bool = False) -> Option:
    """Reads one option of the table: `--type -t {a, b}`, `--lines -l=5000`, `--all=False {false, true}`."""
    match = _OPTION.fullmatch(text)
    assert match, text
    names, default, allowed = match.groups()
    return Option(tuple(names.split()), required, default, tuple(allowed.split(", ")) if allowed else ())


@functools.cache
def commands() -> dict[str, Command]:
    """All commands by name."""
    table = _table()
    return {
        name: Command(
            name,
            part == "ml",
            entry["summary"],
            (*(read_option(text, True) for text in entry["required"]), *map(read_option, entry["optional"])),
        )
        for part in ("ml", "plain")
        for name, entry in table[part].items()
    }


def global_options() -> tuple[Option, ...]:
    """The options that every command takes."""
    return tuple(map(read_option, _table()["global"]))


@functools.cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return found
