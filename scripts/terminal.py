"""How wide a line may be: no wider than the terminal, and no wider than reads well where it is wider."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

COLUMNS = 80
_LEAST = 40
_PADDING = 2
# What moves the cursor, renames the window or turns the direction of letters: control characters and bidi overrides.
_ORDERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def width() -> int:
    """Returns how many columns a line may take."""
    return max(_LEAST, min(COLUMNS, shutil.get_terminal_size((COLUMNS, 24)).columns))


def plain(text: str) -> str:
    """Returns a text that somebody else wrote, a model or a data set, without what a terminal would obey."""
    return _ORDERS.sub("\ufffd", text.replace("\r", ""))


def wrapped(text: str, indent: str = "", first: str | None = None) -> str:
    """Returns a text whose lines are broken between words; what is longer than a line, a path, stays whole."""
    lines = text.splitlines() or [""]
    heads = [indent if first is None else first, *[indent] * (len(lines) - 1)]
    return "\n".join(
        textwrap.fill(line, width(), initial_indent=head, subsequent_indent=indent, break_on_hyphens=False,
                      break_long_words=False)
        for head, line in zip(heads, lines, strict=True)
    )  # fmt: skip


def table(rows: Sequence[Sequence[str]], headers: Sequence[str], **more: Any) -> str:
    """Returns a table no wider than a line may be: the widest columns are broken between words, where need be."""
    from tabulate import tabulate

    cells = [[str(cell) for cell in row] for row in [headers, *rows]]
    pads = [_PADDING] + [0] * len(rows)  # tabulate makes a column wider than its heading
    columns = [[(cell, pad) for cell, pad in zip(column, pads, strict=True)] for column in zip(*cells, strict=True)]
    widths = [max(len(cell) + pad for cell, pad in column) for column in columns]
    words = [max(len(word) + pad for cell, pad in column for word in cell.split() or [""]) for column in columns]
    while sum(widths) + 2 * (len(widths) - 1) > width() and max(widths) > _PADDING + 1:
        # between words first; where all columns are as narrow as their longest word, a word gives way
        loose = [most if most > word else 0 for most, word in zip(widths, words, strict=True)]
        widths[loose.index(max(loose)) if any(loose) else widths.index(max(widths))] -= 1
    broken = [
        [_broken(cell, most - pad) for cell, most in zip(row, widths, strict=True)]
        for row, pad in zip(cells, pads, strict=True)
    ]
    return tabulate(broken[1:], headers=broken[0], disable_numparse=True, **more)


def _broken(text: str, most: int) -> str:
    return "\n".join(textwrap.wrap(text, most, break_on_hyphens=False))


class Flow:
    """Text that comes in pieces, broken between words as it comes; `say` prints."""

    def __init__(self, say: Callable[[str], Any]) -> None:
        self._say, self._column, self._blanks, self._word = say, 0, "", ""

    def add(self, piece: str) -> None:
        """Prints all of what has come but for the last word, which may go on."""
        *parts, self._word = re.split(r"(\s)", self._word + piece)
        for part in parts:
            self._put(part)

    def end(self) -> None:
        """Prints the last word."""
        self._put(self._word)
        self._blanks = self._word = ""

    def _put(self, part: str) -> None:
        if part == "\n":
            self._say(part)
            self._column, self._blanks = 0, ""
        elif part.isspace():
            self._blanks += part
        elif part:
            if self._column and self._column + len(self._blanks) + len(part) > width():
                self._say("\n")
                self._column, self._blanks = 0, ""
            self._say(self._blanks + part)
            self._column, self._blanks = self._column + len(self._blanks) + len(part), ""


def is_shown(stream: Any = None) -> bool:
    """Tells whether a person reads a stream; a log or a program wants a sentence on one line."""
    try:
        return bool((stream or sys.stdout).isatty())
    except ValueError:  # closed
        return False
