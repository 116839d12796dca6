"""What may be wrong with the text itself, looked for in a whole chunk at once: one pass over its bytes, not one a row.

The texts of a chunk are joined, messages by U+001F and rows by U+001E; what is found is traced back to its row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import xxhash

from scripts.dataset.checks import Finding
from scripts.dataset.private_data import address, hints, private

ROW, MESSAGE = "\x1e", "\x1f"
_ROW, _MESSAGE = ROW.encode(), MESSAGE.encode()
_BLANKS, _ENDS = (0x20, 0x09, 0x0D), (0x0A, 0x1E, 0x1F)  # of a line or text
_MOST_LAST = 64  # white space signs at the end of a text that are looked at
_ACCENTS = (b"\xcc", b"\xcd")  # begin the combining accents, U+0300 to U+036F
_REPLACEMENT = "\ufffd".encode()
_MOJIBAKE = ("\u00e2\u20ac".encode(), "\u00c3\u00a9".encode(), "\u00c3\u00bc".encode(), "\u00c3\u00b6".encode())
_C1 = re.compile(rb"\xc2[\x80-\x9f]")
EXPECTED = {"secret": "no secrets", "personal": "no personal data", "email": "no personal data"}

_SCANNER = ThreadPoolExecutor(1)  # RE2 works without Python's lock


class Texts:
    """The texts of some conversations as one piece of bytes, and where each row's begin.

    `paths` are their keys in the row, where they are not the contents of its messages.
    """

    def __init__(self, texts: list[list[str]], paths: list[list[str]] | None = None) -> None:
        self._paths = paths
        self.marked: set[int] = set()  # rows that hold the separators themselves
        self._take(self._join(texts))
        marks = (len(texts) - 1 if texts else 0, sum(map(len, texts)) - sum(map(bool, texts)))
        if (self._count(_ROW), self._count(_MESSAGE)) != marks:
            clean = []
            for at, row in enumerate(texts):
                if any(ROW in text or MESSAGE in text for text in row):
                    self.marked.add(at)
                    row = [text.replace(ROW, "\x1d").replace(MESSAGE, "\x1d") for text in row]
                clean.append(row)
            self._take(self._join(clean))
        ends = self._low[self._signs == _ROW[0]]
        self.starts = np.concatenate(([0], ends + 1)) if texts else np.empty(0, np.int64)
        self.lengths = np.diff(np.concatenate((self.starts, [len(self.blob) + 1]))) - 1
        self._hints = _SCANNER.submit(_hinted, self.blob, self._low)  # the work of a chunk's tenth, while others go on

    @staticmethod
    def _join(texts: list[list[str]]) -> bytes:
        return _ROW.join([MESSAGE.join(row).encode("utf-8", "surrogatepass") for row in texts])

    def _take(self, blob: bytes) -> None:
        self.blob = blob
        self.bytes = np.frombuffer(self.blob, np.uint8)
        self._low = np.flatnonzero(self.bytes < 32)
        self._signs = self.bytes[self._low]

    def _count(self, sign: bytes) -> int:
        return int(np.count_nonzero(self._signs == sign[0]))

    def canonical(self) -> list[bytes]:
        """Returns each row's text as a reader takes it: without white space that nobody sees, and accents composed.

        That is white space at the end of a line or text, and all but one blank of those between words; indentation
        stays.
        """
        signs, blob = self.bytes, self.blob
        white = signs <= 0x20
        at = np.flatnonzero(white[:-1] & white[1:])  # white space before white space, or before the end of a text
        at = at[np.isin(signs[at], _BLANKS)]
        before_end = np.isin(signs[at + 1], _ENDS)
        if at.size:
            firsts = np.flatnonzero(np.diff(at, prepend=-2) > 1)
            lasts = np.append(firsts[1:], at.size) - 1
            begins_line = (at[firsts] == 0) | np.isin(signs[at[firsts] - 1], _ENDS)
            indentation = np.repeat(begins_line & ~before_end[lasts], lasts - firsts + 1)
            at = at[~indentation]
        at = np.union1d(at, self._last_lines())
        if at.size:
            ends = [*at.tolist(), len(blob)]
            blob = b"".join([blob[start:end] for start, end in zip([0, *(at + 1).tolist()], ends, strict=True)])
        rows = blob.split(_ROW)
        if _ACCENTS[0] in blob or _ACCENTS[1] in blob:
            for index, row in enumerate(rows):
                if _ACCENTS[0] in row or _ACCENTS[1] in row:
                    text = unicodedata.normalize("NFC", row.decode("utf-8", "surrogatepass"))
                    rows[index] = text.encode("utf-8", "surrogatepass")
        return rows

    def _last_lines(self) -> Any:
        """Returns the positions of white space that ends a text."""
        found, at = [], np.append(self._low[self._signs >= 0x1E], len(self.blob)) - 1
        for _ in range(_MOST_LAST):
            at = at[(at >= 0) & np.isin(self.bytes[at], (*_BLANKS, 0x0A))]
            found.append(at)
            if not at.size:
                break
            at = at - 1
        return np.concatenate(found)

    def row_of(self, positions: Any) -> Any:
        """Returns the row of each byte position."""
        return np.searchsorted(self.starts, positions, side="right") - 1

    def findings(self) -> Iterator[tuple[int, Finding]]:
        """Yields (row, finding), one a row and check: control signs, garbled text, likely secrets, addresses."""
        if len(self.starts):
            yield from self._control()
            if not self.blob.isascii():
                yield from self._garbled()
            yield from self.private()

    def private(self) -> Iterator[tuple[int, Finding]]:
        """Yields (row, finding), one a row and check: likely secrets, personal data, addresses."""
        yield from self._secrets()
        yield from self._emails()

    def finding(self, row: int, check: str, at: int, found: str, expected: str) -> tuple[int, Finding]:
        """Returns a row, and what was found in it at a byte position."""
        number = self.blob.count(_MESSAGE, int(self.starts[row]), at)
        path = self._paths[row][number] if self._paths else f"messages[{number}].content"
        return row, Finding(check, path, found, expected)

    def _control(self) -> Iterator[tuple[int, Finding]]:
        signs = self._signs
        odd = self._low[(signs != 9) & (signs != 10) & (signs != 13) & (signs != 30) & (signs != 31)]
        rows, firsts = np.unique(self.row_of(odd), return_index=True)
        where = {row: (at, self.blob[at]) for row, at in zip(rows.tolist(), odd[firsts].tolist(), strict=True)}
        for row, at in self._find(b"\x7f"):
            where.setdefault(row, (at, 0x7F))
        if not self.blob.isascii() and b"\xc2" in self.blob:
            for found in _C1.finditer(self.blob):
                where.setdefault(int(self.row_of(found.start())), (found.start(), self.blob[found.start() + 1]))
        where |= {row: (int(self.starts[row]), 0x1E) for row in self.marked}
        for row, (at, sign) in sorted(where.items()):
            yield self.finding(row, "control", at, f"U+{sign:04X}", "printable text, tab and line break")

    def _garbled(self) -> Iterator[tuple[int, Finding]]:
        seen: set[int] = set()
        signs = [(b"\xef", _REPLACEMENT, "the replacement character U+FFFD")]
        signs += [(b"\xc3", sign, f"'{sign.decode()}', UTF-8 read as Latin-1") for sign in _MOJIBAKE]
        for lead, sign, what in signs:
            for row, at in self._find(sign) if lead in self.blob else ():
                if row not in seen:
                    seen.add(row)
                    yield self.finding(row, "garbled", at, what, "text in its own encoding")

    def _secrets(self) -> Iterator[tuple[int, Finding]]:
        """Looks for secrets and personal data in the lines that hold a hint of any."""
        edges, firsts = self._hints.result()
        seen: set[tuple[int, str]] = set()
        for line in np.flatnonzero(firsts >= 0).tolist():
            row = int(self.row_of(edges[line]))
            end = int(self.starts[row] + self.lengths[row])
            for check, at, what in private(self.blob, int(edges[line] + firsts[line]), int(edges[line + 1]), end):
                if (row, check) not in seen:
                    seen.add((row, check))
                    yield self.finding(row, check, at, what, EXPECTED[check])

    def _emails(self) -> Iterator[tuple[int, Finding]]:
        if b"@" not in self.blob:
            return
        seen: set[int] = set()
        signs = np.flatnonzero(self.bytes == 0x40)
        for at, row in zip(signs.tolist(), self.row_of(signs).tolist(), strict=True):
            if row in seen:
                continue
            found = address(self.blob, max(int(self.starts[row]), at - 64), at)
            if found:
                seen.add(row)
                yield self.finding(row, "email", at, found, EXPECTED["email"])

    def _find(self, sign: bytes) -> Iterator[tuple[int, int]]:
        """Yields each row that has `sign`, and its first position there."""
        at = self.blob.find(sign)
        while at >= 0:
            row = int(self.row_of(at))
            yield row, at
            at = self.blob.find(sign, int(self.starts[row] + self.lengths[row]))


def _hinted(blob: bytes, low: Any) -> tuple[Any, Any]:
    """Returns where the lines of a text begin, and in each where the first hint of private data stands, or -1."""
    edges = np.concatenate(([0], low + 1, [len(blob)]))
    return edges, hints(blob, edges)


def digests(rows: list[bytes]) -> Any:
    """Returns the 128-bit xxh3 hash of each row as an array of shape (rows, 2)."""
    hashed = b"".join([xxhash.xxh3_128_digest(row) for row in rows])
    return np.frombuffer(hashed, dtype="<u8").reshape(-1, 2)
