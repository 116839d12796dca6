"""Shared access signatures: what the service gives out, for an account, and the check of one that comes with a request.

Signed as Microsoft describes it in `Create an account SAS` and `Create a service SAS`, for versions since 2020-12-06.

The SDK signs one blob itself to stream the log of a command job, and takes what `listSecrets` gave it, a shared access
signature, for the account's key (azure-ai-ml 1.18 and later). The service that would refuse it says nothing else with
it: it is taken for the key here too, so that such a log can be read.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hmac
import secrets
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from urllib.parse import quote

from scripts.local.core.state import State
from scripts.local.core.web import Call
from scripts.local.storage.blob_files import BlobError
from scripts.local.storage.shared_key import account_key

VERSION = "2021-12-02"
DAYS = 2  # what is given out ends at midnight, in between one and two days
# What is signed, in the service's own order; a blob's name stands between the two of a service SAS.
OF_ACCOUNT = ("sp", "ss", "srt", "st", "se", "sip", "spr", "sv", "ses")
BEFORE = ("sp", "st", "se")
AFTER = ("si", "sip", "spr", "sv", "sr", "snapshot", "ses", "rscc", "rscd", "rsce", "rscl", "rsct")
NEEDED = {"GET": "r", "HEAD": "r", "PUT": "wca", "DELETE": "d"}  # any of these permissions; to list a container: l
REFUSED = (
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly "
    "including the signature."
)


def shared_access(state: State, account: str) -> str:
    """Returns a signature for everything in an account, as clients ask the service for it."""
    return next(_given_out(state, account))


def authorise(call: Call, account: str, path: str) -> bool:
    """Lets a request with a signature pass; tells whether it is one of the account, as the service gives it out.

    `path`: container and blob. What Azure answers is from its list of error codes and from public threads.
    """
    # Of `listSecrets` it begins with a question mark; behind another one, as clients put it, the version is lost.
    query, key = {"sv": VERSION, **call.query}, account_key(call.state, account)
    of_account = "srt" in query
    container, _, blob = path.partition("/")
    if of_account:
        signed = _is_signed(query, key, _text_of_account(query, account))
    else:
        name = container if query.get("sr") == "c" else path
        text = _text_of_service(query, f"/blob/{account}/{name}")
        fits = bool(blob) or query.get("sr") == "c"  # a blob's says nothing of its container
        signed = fits and any(_is_signed(query, each, text) for each in (key, *_given_out(call.state, account)))
    if not signed:
        raise BlobError(403, "AuthenticationFailed", REFUSED)
    if not _holds_now({"st": "2000-01-01", "se": "", **query}):
        raise BlobError(403, "AuthenticationFailed", f"{REFUSED} Signature not valid in the specified time frame.")
    _refuse_elsewhere(call, query)
    kind, listing = "o" if blob else "c", query.get("comp") == "list" and not blob
    if of_account and kind not in query["srt"]:
        message = "This request is not authorized to perform this operation using this resource type."
        raise BlobError(403, "AuthorizationResourceTypeMismatch", message)
    if of_account and "b" not in query.get("ss", ""):
        message = "This request is not authorized to perform this operation using this service."
        raise BlobError(403, "AuthorizationServiceMismatch", message)
    if not set("l" if listing else NEEDED[call.request.method]) & set(query.get("sp", "")):
        message = "This request is not authorized to perform this operation using this permission."
        raise BlobError(403, "AuthorizationPermissionMismatch", message)
    return of_account


def _refuse_elsewhere(call: Call, query: Mapping[str, str]) -> None:
    """Refuses what a signature does not let come over this protocol (`spr`) or from this address (`sip`).

    Microsoft's `Shared access signature error codes`; an address is one or a range, `168.1.5.60-168.1.5.70`.
    """
    if call.request.url.scheme not in (query.get("spr") or "https,http").split(","):
        message = "This request is not authorized to perform this operation using this protocol."
        raise BlobError(403, "AuthorizationProtocolMismatch", message)
    if not query.get("sip"):
        return
    source = call.request.client.host if call.request.client else ""
    first, _, last = query["sip"].partition("-")
    try:
        within = ip_address(first) <= ip_address(source) <= ip_address(last or first)  # type: ignore[operator]
    except (ValueError, TypeError):  # what is no address, or one of the other kind, is no address of the client's
        within = False
    if not within:
        message = f"This request is not authorized to perform this operation using this source IP {source}."
        raise BlobError(403, "AuthorizationSourceIPMismatch", message)


def _given_out(state: State, account: str) -> Iterator[str]:
    """Yields what is given out today, and what was yesterday: the same words all day long, as they may be signed with.

    The SDK reads them as base64, which does not go with every length: then the end is a second later.
    """
    today = datetime.datetime.now(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in (DAYS, DAYS - 1):
        for second in range(60):
            end = (today + datetime.timedelta(days=day, seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
            query = {"sv": VERSION, "ss": "b", "srt": "sco", "sp": "rwdlac", "se": end}
            query["sig"] = _sign(account_key(state, account), _text_of_account(query, account))
            token = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
            try:
                base64.b64decode(token)
            except binascii.Error:
                continue
            yield token
            break


def _text_of_account(query: Mapping[str, str], account: str) -> str:
    return "\n".join([account, *(query.get(name, "") for name in OF_ACCOUNT), ""])


def _text_of_service(query: Mapping[str, str], resource: str) -> str:
    before, after = ([query.get(name, "") for name in names] for names in (BEFORE, AFTER))
    return "\n".join([*before, resource, *after])


def _sign(key: str, text: str) -> str:
    return base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), "sha256")).decode()


def _is_signed(query: Mapping[str, str], key: str, text: str) -> bool:
    return secrets.compare_digest(_sign(key, text).encode(), query.get("sig", "").encode())


def _holds_now(query: Mapping[str, str]) -> bool:
    try:
        start, end = (datetime.datetime.fromisoformat(query[name]) for name in ("st", "se"))
    except ValueError:
        return False
    utc = datetime.UTC
    start, end = (each if each.tzinfo else each.replace(tzinfo=utc) for each in (start, end))
    return start <= datetime.datetime.now(utc) < end
