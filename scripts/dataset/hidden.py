"""Hides secrets and personal data in text that a page shows: a row is put on show to be understood, not to be used."""

from __future__ import annotations

import re

from scripts.dataset.text_checks import SECRETS

MASK = "[hidden]"
_HIDDEN = re.compile(
    rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?s:.*?)(?:-----END (?:[A-Z]+ )*PRIVATE KEY-----|\Z)"
    rb"|[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b|"
    + b"|".join(b"(?:%s)" % pattern for pattern in SECRETS.values()),
    re.IGNORECASE,
)


def hidden(text: str) -> str:
    """Returns a text with a mask in the place of each secret and address."""
    return _HIDDEN.sub(MASK.encode(), text.encode("utf-8", "replace")).decode()


def cut(text: str, limit: int) -> str:
    """Returns a text without its secrets, cut at `limit` characters; of a secret at the edge no half is left."""
    text = hidden(text[: 2 * limit + 1000]) if len(text) > 2 * limit + 1000 else hidden(text)
    return text if len(text) <= limit else f"{text[:limit]} …"
