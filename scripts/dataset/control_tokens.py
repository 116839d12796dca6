"""Text that a chat template reads as its own: `<|im_end|>` in a message ends the turn, whoever wrote it there.

The tokens are those of the model's tokenizer that its template writes or that begin and end a text; without that
tokenizer, those of the families that most models come from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from scripts.dataset.checks import Finding
from scripts.dataset.text_checks import Texts
from scripts.dataset.tokenizer import Tokenizer

# ChatML, Llama 3 and Phi; DeepSeek; Gemma; Llama 2 and Mistral.
FAMILIES = (
    rb"<\|\w{2,40}\|>",
    "<\uff5c[^<>\\s]{2,60}\uff5c>".encode(),
    rb"<start_of_turn>|<end_of_turn>",
    rb"\[INST\]|\[/INST\]|<<SYS>>",
)
BEGINNINGS = (b"<|", b"<\xef", b"<s", b"<e", b"<<", b"[I", b"[/")  # of these: two bytes


class ControlTokens:
    """Looks for control tokens in the texts of a chunk."""

    def __init__(self, coder: Tokenizer | None = None) -> None:
        tokens = [token.encode() for token in (coder.control_tokens() if coder else ()) if len(token) > 1]
        patterns: list[bytes] = [re.escape(token) for token in tokens]
        beginnings = {token[:2] for token in tokens}
        if coder is None or coder.stands_in:
            patterns, beginnings = [*patterns, *FAMILIES], {*beginnings, *BEGINNINGS}
        patterns.sort(key=len, reverse=True)  # of two tokens that begin alike the longer is meant
        self._pattern = re.compile(b"|".join(patterns))
        self._seconds: dict[int, Any] = {}  # first byte -> which bytes may follow it
        for first, second in sorted(beginnings):
            self._seconds.setdefault(first, np.zeros(256, dtype=bool))[second] = True

    def findings(self, texts: Texts) -> Iterator[tuple[int, Finding]]:
        """Yields (row, finding), one a row: a control token in each row's texts."""
        seen = set()
        for at in self._candidates(texts.bytes):
            found = self._pattern.match(texts.blob, at)
            row = int(texts.row_of(at)) if found else -1
            if found and row not in seen:
                seen.add(row)
                yield texts.finding(row, "control_tokens", at, found[0].decode(), "text without it")

    def _candidates(self, text: Any) -> Iterator[int]:
        """Yields where two bytes stand with which a token begins: found by NumPy, ten times as fast as by `re`."""
        for first, seconds in self._seconds.items():
            places = np.flatnonzero(text[:-1] == first)
            yield from places[seconds[text[places + 1]]].tolist()
