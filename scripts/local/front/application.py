"""Which host answers what: the names of the emulated hosts, and the application that serves them."""

from __future__ import annotations

import errno
import re
import sqlite3
import uuid
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from scripts.azure.regions import REGIONS
from scripts.errors import UserError
from scripts.local.core import clock, lookup
from scripts.local.core.state import Parts, State
from scripts.local.core.store import Overtaken
from scripts.local.core.web import MOST_BYTES, AzureError, Call, Layer, Routes, bad_request, received, reply
from scripts.local.front import control, identity

REGION = f"(?P<region>{'|'.join(REGIONS)})"
# Host name -> family of routes. `azcliprod` is the account of the CLI's own version check: it has nothing here.
HOSTS = {
    "arm": re.compile(r"management\.azure\.com"),
    "identity": re.compile(r"login\.(microsoftonline\.com|windows\.net)"),
    "data": re.compile(rf"{REGION}\.api\.azureml\.ms"),
    "scoring": re.compile(rf"(?P<endpoint>[a-z0-9-]+)\.{REGION}\.inference\.ml\.azure\.com"),
    "blob": re.compile(r"(?P<account>[a-z0-9]+)\.blob\.core\.windows\.net"),
    "control": re.compile(r"127\.0\.0\.1|localhost"),
}


def family_of(host: str) -> tuple[str | None, dict[str, str]]:
    """Returns the family of routes of a host, and the words in its name; None where it is not emulated."""
    for family, pattern in HOSTS.items():
        match = pattern.fullmatch(host.lower())
        if match:
            return family, match.groupdict()
    return None, {}


def is_emulated(state: State, host: str) -> bool:
    """Says whether the proxy may open a tunnel for a host."""
    family, words = family_of(host)
    if family == "blob":
        return words["account"] == "azcliprod" or lookup.workspace_of_account(state, words["account"]) is not None
    return family not in (None, "control")


def _refusal(call: Call, error: Exception) -> AzureError:
    """Returns what a request is refused with, whatever its handler raised: clients can show an envelope alone."""
    if isinstance(error, AzureError):
        return error
    if isinstance(error, UserError):  # about a file in the home
        return bad_request(str(error))
    if isinstance(error, Overtaken):
        return AzureError(409, "Conflict", f"{str(error)[0].upper()}{str(error)[1:]}: ask again.")
    if getattr(error, "errno", None) == errno.ENOSPC or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        # No 500, which clients repeat for minutes.
        return AzureError(507, "InsufficientStorage", f"No space is left on the disk of {call.state.home.root}.")
    call.state.log.error("%s %s", call.request.method, call.request.url.path, exc_info=error)
    message = f"The local Azure ML failed with {type(error).__name__}: {error}; see {call.state.home.log}."
    return AzureError(500, "InternalServerError", message)


class Application:
    """The ASGI application of both listeners. The TLS one serves Azure's hosts, the plain one only the loopback's."""

    def __init__(self, parts: Parts, tables: dict[str, Routes], plain: bool) -> None:
        self.parts, self.tables, self.plain = parts, tables, plain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        host = request.headers.get("host", "").rsplit(":", 1)[0].lower()
        family, host_words = family_of(host)
        # A browser that was talked into calling the loopback is refused here: under another name, or by another's page.
        page = request.headers.get("origin")
        if page is not None and page != f"{request.url.scheme}://{request.headers.get('host', '')}":
            response = reply(AzureError(403, "ForeignOrigin", f"A page of {page} may not ask.").envelope(), 403)
        elif family not in self.tables or (family == "control") != self.plain:
            response = reply(AzureError(421, "NotEmulated", f"Host {host!r} is not served here.").envelope(), 421)
        else:
            response = await self._answer(Call(self.parts, request, host_words, host), str(family))
        response.headers.setdefault("date", clock.http_date())
        await response(scope, receive, send)

    async def _answer(self, call: Call, family: str) -> Response:
        """Handles a call and turns what its handler returns or raises into a response."""
        identifier = str(uuid.uuid4())
        response: Response | None = None
        try:
            result = await self._handle(call, family)
            response = result if isinstance(result, Response) else reply(result)
        except ClientDisconnect:
            response = reply(status=499)
        except Exception as error:
            refusal = _refusal(call, error)
        if response is None:
            region = call.ws.region if hasattr(call, "ws") else call.words.get("region", "eastus")
            response = reply(refusal.envelope(region, identifier), refusal.status, refusal.headers())
        response.headers.setdefault("x-ms-request-id", identifier)
        return response

    async def _handle(self, call: Call, family: str) -> Any:
        path = call.request.scope["path"]
        if not path.isprintable():
            raise AzureError(400, "BadRequest", "The path of the request has control characters.")
        if self.plain:
            control.admit(call)
        route, words = self.tables[family].find(call.request.method, path)
        call.words.update(words)
        if family in ("arm", "data"):
            identity.authorise(call)
        elif "workspace" in words:
            identity.authorise(call, lookup.scope_of_path(words))
        if not route.streams:
            body = await received(call.request, MOST_BYTES)
            if body is None:
                message = f"The request content size exceeds the maximum size of {MOST_BYTES >> 20} MB."
                raise AzureError(413, "RequestContentTooLarge", message, layer=Layer.GATEWAY)
            call.body = body
        if "workspace" in words:
            call.ws = lookup.workspace_of_path(call.state, words)
        return await route.handler(call)
