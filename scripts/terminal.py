"""How wide a line may be: no wider than the terminal, and no wider than reads well where it is wider."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

COLUMNS = 80
_LEAST = 40


def width() -> int:
    """Returns how many columns a line may take."""
    return max(_LEAST, min(COLUMNS, shutil.get_terminal_size((COLUMNS, 24)).columns))


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
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    words = [max(len(word) for cell in column for word in cell.split() or [""]) for column in zip(*cells, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > width() and max(widths) > 1:
        # between words first; where all columns are as narrow as their longest word, a word gives way
        loose = [most if most > word else 0 for most, word in zip(widths, words, strict=True)]
        widths[loose.index(max(loose)) if any(loose) else widths.index(max(widths))] -= 1
    broken = [
        ["\n".join(textwrap.wrap(cell, most, break_on_hyphens=False)) for cell, most in zip(row, widths, strict=True)]
        for row in cells
    ]
    return tabulate(broken[1:], headers=broken[0], disable_numparse=True, **more)


def is_shown(stream: Any = None) -> bool:
    """Tells whether a person reads a stream; a log or a program wants a sentence on one line."""
    try:
        return bool((stream or sys.stdout).isatty())
    except ValueError:  # closed
        return False
