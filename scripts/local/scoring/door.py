"""Who may ask the scoring server: who has its key, and no page of a browser.

Every user of this machine reaches a port on 127.0.0.1, and so does every page in a browser on it: under another name
that leads here (DNS rebinding), or from another site.
"""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

KEY_VARIABLE = "AZUREML_LOCAL_SCORING_KEY"  # an environment, unlike a command line, only its owner can read
NAMES = ("127.0.0.1", "localhost")


class Door:
    """An ASGI application in front of another one. Without a key whoever names the loopback may pass."""

    def __init__(self, application: ASGIApp, key: str) -> None:
        self.application, self.key = application, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or lets the application answer."""
        refused = self._refused(Headers(scope=scope)) if scope["type"] == "http" else None
        await (refused or self.application)(scope, receive, send)

    def _refused(self, headers: Headers) -> PlainTextResponse | None:
        host, page = headers.get("host", ""), headers.get("origin")
        if host.partition(":")[0].lower() not in NAMES or page not in (None, f"http://{host}"):
            return PlainTextResponse("Only programs on this machine may ask.", 403)
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if self.key and not (scheme.lower() == "bearer" and secrets.compare_digest(given.encode(), self.key.encode())):
            return PlainTextResponse("The key of this server is missing.", 401)
        return None
