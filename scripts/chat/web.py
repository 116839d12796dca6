"""`python -m scripts.chat.web`: one page on this machine to talk to the deployment.

The page knows no key: it asks this process, which asks the endpoint. Only the page that this process handed out may
ask: every request carries a token that is drawn at the start, comes from this origin, and names this host.
"""

from __future__ import annotations

import argparse
import json
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable, Generator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from scripts.azure import client as client_module
from scripts.chat.turns import checked, save, saved_in
from scripts.conversation import endpoint as endpoint_module
from scripts.errors import USAGE, UserError, main
from scripts.pages import page
from scripts.values.read import add_arguments, from_arguments

MOST_BYTES = 1_000_000  # of a request from the page
ROLES = ("system", "user", "assistant")
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
           "Cross-Origin-Resource-Policy": "same-origin"}  # fmt: skip

Ask = Callable[[list[dict[str, str]], dict[str, Any]], Generator[str, None, None]]


class Server:
    """The page's server, on 127.0.0.1 only; port 0 takes a free one.

    GET / is the page; POST /ask streams an answer as lines of JSON; POST /save appends a row.
    """

    def __init__(self, port: int, title: str, parameters: dict[str, Any], ask: Ask, saved: Path) -> None:
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self.socket.getsockname()[1]
        self.title, self.parameters, self.ask, self.saved = title, parameters, ask, saved
        self.token = secrets.token_urlsafe(24)
        self.hosts = {f"{name}:{self.port}" for name in ("127.0.0.1", "localhost")}
        routes = [
            Route("/", self._page),
            Route("/ask", self._ask, methods=["POST"]),
            Route("/save", self._save, methods=["POST"]),
        ]
        application = Starlette(routes=routes, exception_handlers={HTTPException: _refused, UserError: _said})
        # Nothing is logged: the token is in the page's address.
        self.uvicorn = uvicorn.Server(uvicorn.Config(
            application, log_level="critical", access_log=False, lifespan="off", ws="none", server_header=False,
            timeout_graceful_shutdown=1,
        ))  # fmt: skip

    @property
    def address(self) -> str:
        """The URL to open, with the token in it."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    def serve(self) -> None:
        """Answers until Ctrl-C, or until `uvicorn.should_exit` is set."""
        with self.socket:
            self.uvicorn.run([self.socket])

    async def _page(self, request: Request) -> Response:
        self._check_host(request)
        if not self._is_token(request.query_params.get("token", "")):
            raise HTTPException(403, "open the address that the command printed: it has the token in it")
        nonce = secrets.token_urlsafe(16)
        settings = {"token": self.token, "title": self.title, "parameters": self.parameters}
        policy = page.content_policy(nonce)
        text = page.document("chat/page.html.j2", policy, title=self.title, settings=settings, nonce=nonce)
        return HTMLResponse(text, headers={**HEADERS, "Content-Security-Policy": f"{policy}; frame-ancestors 'none'"})

    async def _ask(self, request: Request) -> Response:
        given = await self._body(request)
        wanted = given.get("parameters") or {}
        if not isinstance(wanted, dict):
            raise HTTPException(400, "parameters: send an object")
        pieces = self.ask(_messages(given), {name: checked(name, value) for name, value in wanted.items()})
        first = await run_in_threadpool(next, pieces, "")
        return StreamingResponse(_lines(first, pieces), media_type="application/x-ndjson", headers=HEADERS)

    async def _save(self, request: Request) -> Response:
        rows = save(_messages(await self._body(request)), self.saved)
        return JSONResponse({"file": str(self.saved), "rows": rows}, headers=HEADERS)

    async def _body(self, request: Request) -> dict[str, Any]:
        """Returns the JSON of a request that our own page sent."""
        self._check_host(request)
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "same-origin")
        foreign = origin is not None and origin not in {f"http://{host}" for host in self.hosts}
        if foreign or site != "same-origin" or not self._is_token(request.headers.get("X-Chat-Token", "")):
            raise HTTPException(
                403, "only the page that this program handed out may ask; open the address that it printed"
            )
        if not request.headers.get("Content-Type", "").startswith("application/json"):
            raise HTTPException(415, "send JSON")
        body = b""
        async for chunk in request.stream():  # to its end: a reply over unread bytes would be reset before it is read
            body += chunk[: MOST_BYTES + 1 - len(body)]
        if not 0 < len(body) <= MOST_BYTES:
            raise HTTPException(413, f"send between 1 and {MOST_BYTES} bytes")
        try:
            given = json.loads(body)
        except ValueError:
            raise HTTPException(400, "this is not JSON") from None
        if not isinstance(given, dict):
            raise HTTPException(400, "send an object")
        return given

    def _check_host(self, request: Request) -> None:
        if request.headers.get("Host") not in self.hosts:  # another name for this address: DNS rebinding
            raise HTTPException(403, "this page is for this machine only")

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token.encode())


async def _refused(_: Request, error: Any) -> Response:
    sentence = "there is nothing here" if error.status_code in (404, 405) else error.detail
    return JSONResponse({"error": sentence}, error.status_code, {**HEADERS, **(error.headers or {})})


async def _said(_: Request, error: Any) -> Response:
    """The page shows it; a status of failure would be an error in the browser's console."""
    return JSONResponse({"error": str(error)}, headers=HEADERS)


async def _lines(first: str, pieces: Generator[str, None, None]) -> AsyncIterator[str]:
    try:
        yield _line({"text": first})
        async for piece in iterate_in_threadpool(pieces):
            yield _line({"text": piece})
        yield _line({"done": True})
    except UserError as error:
        yield _line({"error": str(error)})
    finally:  # the page was closed, or its user stopped the answer: the endpoint has better things to do
        pieces.close()


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False) + "\n"


def _messages(given: dict[str, Any]) -> list[dict[str, str]]:
    messages = given.get("messages")
    if not isinstance(messages, list) or not messages:
        raise HTTPException(400, "messages: send a list of them")
    for message in messages:
        right = isinstance(message, dict) and message.get("role") in ROLES and isinstance(message.get("content"), str)
        if not right:
            raise HTTPException(400, "messages: each has a role (system, user, assistant) and content")
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.chat.web", description="Talk to the deployment in a browser."
    )
    add_arguments(parser)
    parser.add_argument("--port", type=int, default=8010, help="on 127.0.0.1 (default 8010; 0 takes a free one)")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    endpoint = endpoint_module.require(values, client_module.connect(values), endpoint_module.name_of(values))
    with endpoint_module.http_client(endpoint.timeout) as http:
        title = f"{endpoint.model} at {endpoint.name}"
        try:
            server = Server(
                options.port, title, dict(values.data["request"]),
                lambda messages, parameters: endpoint.pieces(messages, parameters, http),
                saved_in(values.environment),
            )  # fmt: skip
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "a port is at most 65535"
            raise UserError(
                f"port {options.port} cannot be had ({reason}); give another one with --port", USAGE
            ) from None
        print(f"open {server.address}\nCtrl-C ends it", flush=True)
        try:
            server.serve()
        except KeyboardInterrupt:
            print(file=sys.stderr)
    return 0


if __name__ == "__main__":
    main(run)
