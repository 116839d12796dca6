"""Shared keys of the storage account: what is given to clients, and the check of a request that is signed with it.

The signature is as Microsoft describes it in `Authorize with Shared Key`, for versions since 2015-02-21.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from scripts.local.core.state import State
from scripts.local.core.web import Call

SIGNED = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def account_key(state: State, account: str) -> str:
    """Returns the key of a storage account of this home, in base64 as Azure gives it."""
    digest = hmac.digest(state.credentials.sas_signature.encode(), f"account key {account}".encode(), hashlib.sha512)
    return base64.b64encode(digest).decode()


def is_signed(call: Call, account: str) -> bool:
    """Tells whether a request carries the signature of the account's key."""
    scheme, _, value = call.request.headers.get("authorization", "").partition(" ")
    name, _, signature = value.partition(":")
    if scheme.lower() != "sharedkey" or name != account:
        return False
    text = _text(call, account)
    wanted = base64.b64encode(hmac.digest(base64.b64decode(account_key(call.state, account)), text.encode(), "sha256"))
    return secrets.compare_digest(wanted, signature.encode())


def _text(call: Call, account: str) -> str:
    headers = call.request.headers
    values = {name: headers.get(name, "") for name in SIGNED}
    values["content-length"] = values["content-length"].lstrip("0")  # a length of 0 is signed as none
    own = sorted((name.lower(), value.strip()) for name, value in headers.items() if name.lower().startswith("x-ms-"))
    path = call.request.scope.get("raw_path", b"").decode("latin-1").split("?")[0]
    query: dict[str, list[str]] = {}
    for key, value in call.request.query_params.multi_items():
        query.setdefault(key.lower(), []).append(value)
    resource = f"/{account}{path}" + "".join(f"\n{key}:{','.join(sorted(query[key]))}" for key in sorted(query))
    return "\n".join([call.request.method, *values.values(), *(f"{key}:{value}" for key, value in own), resource])
