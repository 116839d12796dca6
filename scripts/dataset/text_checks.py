"""What may be wrong with the text itself, looked for in a whole chunk at once: one pass over its bytes, not one a row.

The texts of a chunk are joined, messages by U+001F and rows by U+001E; what is found is traced back to its row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import xxhash

from scripts.dataset.checks import Finding

ROW, MESSAGE = "\x1e", "\x1f"
_ROW, _MESSAGE = ROW.encode(), MESSAGE.encode()
_BLANKS, _ENDS = (0x20, 0x09, 0x0D), (0x0A, 0x1E, 0x1F)  # of a line or text
_MOST_LAST = 64  # white space signs at the end of a text that are looked at
_ACCENTS = (b"\xcc", b"\xcd")  # begin the combining accents, U+0300 to U+036F
_REPLACEMENT = "\ufffd".encode()
_MOJIBAKE = ("\u00e2\u20ac".encode(), "\u00c3\u00a9".encode(), "\u00c3\u00bc".encode(), "\u00c3\u00b6".encode())
_C1 = re.compile(rb"\xc2[\x80-\x9f]")
WORD = 19  # secrets are long words; shorter ones are not looked at
_KEY_LINE = 40  # a line of a private key is longer still
_WINDOW = 128
_PER_CHUNK = 20_000  # words looked at in a chunk of ordinary text are a few hundred; this bounds a hostile one

SECRETS = {  # what services document of their own keys
    "AWS access key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub token": rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})",
    "Hugging Face token": rb"\bhf_[A-Za-z]{30,}\b",
    "OpenAI key": rb"\bsk-(?:proj-)?[A-Za-z0-9_-]{20,}",
    "Google API key": rb"\bAIza[0-9A-Za-z_-]{35}",
    "Slack token": rb"\bxox[abprs]-[0-9A-Za-z-]{10,}",
    "Azure account key": rb"(?:AccountKey|SharedAccessKey|SharedAccessSignature)=[A-Za-z0-9+/=%&-]{20,}",
    "signed URL": rb"[?&]sig=[A-Za-z0-9%+/]{30,}",
    "JSON web token": rb"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    "password": rb"\b(?:password|passwd|api[_-]?key|client_secret|access_token)[\"']?[:=][\"']?[^\s\"']{8,}",
}
_SECRET = re.compile(b"|".join(b"(%s)" % pattern for pattern in SECRETS.values()))
_NAMES = list(SECRETS)
_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
_EMAIL = re.compile(rb"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b")


class Texts:
    """The texts of some conversations as one piece of bytes, and where each row's begin."""

    def __init__(self, texts: list[list[str]], joined: Callable[[], bytes] | None = None) -> None:
        self.marked: set[int] = set()  # rows that hold the separators themselves
        self._take(joined() if joined else self._join(texts))
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

    @staticmethod
    def _join(texts: list[list[str]]) -> bytes:
        return ROW.join([MESSAGE.join(row) for row in texts]).encode("utf-8", "surrogatepass")

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
            yield from self._secrets()
            yield from self._emails()

    def _finding(self, row: int, check: str, at: int, found: str, expected: str) -> tuple[int, Finding]:
        message = self.blob.count(_MESSAGE, int(self.starts[row]), at)
        return row, Finding(check, f"messages[{message}].content", found, expected)

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
            yield self._finding(row, "control", at, f"U+{sign:04X}", "printable text, tab and line break")

    def _garbled(self) -> Iterator[tuple[int, Finding]]:
        seen: set[int] = set()
        signs = [(b"\xef", _REPLACEMENT, "the replacement character U+FFFD")]
        signs += [(b"\xc3", sign, f"'{sign.decode()}', UTF-8 read as Latin-1") for sign in _MOJIBAKE]
        for lead, sign, what in signs:
            for row, at in self._find(sign) if lead in self.blob else ():
                if row not in seen:
                    seen.add(row)
                    yield self._finding(row, "garbled", at, what, "text in its own encoding")

    def _secrets(self) -> Iterator[tuple[int, Finding]]:
        seen: set[int] = set()
        for start, end in self._long_words():
            row = int(self.row_of(start))
            if row in seen:
                continue
            begin = max(int(self.starts[row]), start - _WINDOW)
            found = _SECRET.search(self.blob, begin, end)
            name = _NAMES[found.lastindex - 1] if found and found.lastindex else ""
            if found is None and end - start >= _KEY_LINE:
                found, name = _PRIVATE_KEY.search(self.blob, begin, start + WORD), "private key"
            if found:
                seen.add(row)
                yield self._finding(row, "secret", found.start(), f"{name} {masked(found[0])}", "no secrets")

    def _long_words(self) -> Iterator[tuple[int, int]]:
        """Yields about where words of `WORD` bytes or more stand, at most `_PER_CHUNK`.

        Four bytes are looked at together: a word that long covers four of them in a row without a byte below 33.
        (x - 33) borrows from the byte's top bit where the byte is smaller; other alphabets have that bit and pass.
        """
        fours = self.bytes[: len(self.bytes) // 4 * 4].view("<u4")
        free = ((fours - np.uint32(0x21212121)) & ~fours & np.uint32(0x80808080)) == 0
        if len(free) < 4:
            return
        runs = np.flatnonzero(free[:-3] & free[1:-2] & free[2:-1] & free[3:])
        if not runs.size:
            return
        breaks = np.flatnonzero(np.diff(runs) > 1)
        firsts = runs[np.concatenate(([0], breaks + 1))][:_PER_CHUNK] * 4
        lasts = runs[np.concatenate((breaks, [len(runs) - 1]))][:_PER_CHUNK] * 4
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
            yield first, min(last + 20, first + 4096)

    def _emails(self) -> Iterator[tuple[int, Finding]]:
        if b"@" not in self.blob:
            return
        seen: set[int] = set()
        for at in np.flatnonzero(self.bytes == 0x40)[:_PER_CHUNK].tolist():
            row = int(self.row_of(at))
            if row in seen:
                continue
            found = _EMAIL.search(self.blob, max(int(self.starts[row]), at - 64), at + _WINDOW)
            if found and found.start() < at < found.end():
                seen.add(row)
                yield self._finding(row, "email", at, masked(found[0]), "no personal data")

    def _find(self, sign: bytes) -> Iterator[tuple[int, int]]:
        """Yields each row that has `sign`, and its first position there."""
        at = self.blob.find(sign)
        while at >= 0:
            row = int(self.row_of(at))
            yield row, at
            at = self.blob.find(sign, int(self.starts[row] + self.lengths[row]))


def digests(rows: list[bytes]) -> Any:
    """Returns the 128-bit xxh3 hash of each row as an array of shape (rows, 2)."""
    hashed = b"".join([xxhash.xxh3_128_digest(row) for row in rows])
    return np.frombuffer(hashed, dtype="<u8").reshape(-1, 2)


def masked(secret: bytes) -> str:
    """Returns enough of a secret to find it, never enough to use it: a few characters and its length."""
    text = secret.decode("utf-8", "replace")
    name, at, host = text.partition("@")
    if at:
        return f"{name[:1]}…@…{host[host.rfind('.') :]}"
    return f"{text[:4]}… ({len(text)} characters)"
