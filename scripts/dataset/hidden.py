"""Hides secrets and personal data in text that a page shows: a row is put on show to be understood, not to be used."""

from __future__ import annotations

from scripts.dataset.private_data import spans

MASK = "[hidden]"
EDGE = 400  # characters that tell a secret that begins before a cut for what it is


def hidden(text: str) -> str:
    """Returns a text with a mask in the place of each secret, number and address that the checks would find."""
    raw = text.encode("utf-8", "replace")
    pieces, at = [], 0
    for start, end in sorted(spans(raw)):
        if start >= at:
            pieces += [raw[at:start], MASK.encode()]
        at = max(at, end)
    return b"".join([*pieces, raw[at:]]).decode("utf-8", "replace")


def cut(text: str, limit: int) -> str:
    """Returns a text without its secrets, cut at `limit` characters; of a secret at the edge no half is left."""
    text = hidden(text[: limit + EDGE])
    return text if len(text) <= limit else f"{text[:limit]} …"
