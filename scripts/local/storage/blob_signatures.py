"""Shared access that a client signs itself, for one blob.

The SDK does so to stream the log of a command job, and takes what `listSecrets` gave it, a shared access signature, for
the account's key (azure-ai-ml 1.18 and later). The service that would refuse it says nothing else with it: it is taken
for the key here too, so that such a log can be read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping

# What is signed, in the service's own order (version 2020-12-06 and later); the blob's name stands between the two.
BEFORE = ("sp", "st", "se")
AFTER = ("si", "sip", "spr", "sv", "sr", "snapshot", "ses", "rscc", "rscd", "rsce", "rscl", "rsct")


def is_signed(query: Mapping[str, str], blob: str, key: str) -> bool:
    """Tells whether a query's signature for a blob (`account/container/name`) was made with a key."""
    before, after = ([query.get(name, "") for name in names] for names in (BEFORE, AFTER))
    values = [*before, f"/blob/{blob}", *after]
    try:
        wanted = hmac.digest(base64.b64decode(key), "\n".join(values).encode(), hashlib.sha256)
        given = base64.b64decode(query.get("sig", ""))
    except binascii.Error:
        return False
    return secrets.compare_digest(wanted, given)
