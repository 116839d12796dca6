"""Hides secrets and personal data in text that a page shows: a row is put on show to be understood, not to be used."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scripts.dataset.private_data import hints, spans

MASK = "[hidden]"
EDGE = 400  # characters that tell a secret that begins before a cut for what it is


def hidden(texts: Sequence[str]) -> list[str]:
    """Returns texts with a mask in the place of each secret, number and address that the checks would find."""
    raw = [text.encode("utf-8", "replace") for text in texts]
    firsts = hints(b"".join(raw), np.cumsum([0, *map(len, raw)]))
    return [_masked(*each) for each in zip(raw, firsts.tolist(), strict=True)]


def _masked(raw: bytes, first: int) -> str:
    pieces, at = [], 0
    for start, end in sorted(spans(raw, first)):
        if start >= at:
            pieces += [raw[at:start], MASK.encode()]
        at = max(at, end)
    return b"".join([*pieces, raw[at:]]).decode("utf-8", "replace")


def cut(text: str, limit: int) -> str:
    """Returns a text without its secrets, cut at `limit` characters; of a secret at the edge no half is left."""
    return cuts([(text, limit)])[0]


def cuts(texts: Sequence[tuple[str, int]]) -> list[str]:
    """Does so with many texts, much faster than with one after another."""
    limits = [limit for _, limit in texts]
    shown = hidden([text[: limit + EDGE] for text, limit in texts])
    return [text if len(text) <= limit else f"{text[:limit]} …" for text, limit in zip(shown, limits, strict=True)]
