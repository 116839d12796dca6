"""`python -m scripts.chat.web`: one page on this machine to talk to the deployment.

The page knows no key: it asks this process, which asks the endpoint. An answer comes as it grows, as text and from time
to time as HTML (scripts/pages/markdown.py); nothing that a model says becomes markup or a request. Only the page that
this process handed out may ask: every request carries a token that is drawn at the start, comes from this origin, and
names this host.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import secrets
import sys
import time
from collections.abc import Callable, Generator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from scripts.azure import client as client_module
from scripts.chat import base as base_module
from scripts.chat.base import Base
from scripts.chat.examples import examples, is_message
from scripts.chat.turns import checked, save, saved_in
from scripts.conversation import endpoint as endpoint_module
from scripts.errors import USAGE, UserError, main
from scripts.pages import markdown, page
from scripts.values.read import Values, add_arguments, from_arguments

PORT = 8010
MOST_BYTES = 1_000_000  # of a request from the page
RENDERED_EVERY = 0.1  # seconds between two renderings of an answer that grows

Ask = Callable[[list[dict[str, str]], dict[str, Any]], Generator[str, None, None]]


class Refused(Exception):
    """A request that is not answered: the HTTP status, and why in a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Server(ThreadingHTTPServer):
    """The page's server, on 127.0.0.1 only; port 0 takes a free one."""

    daemon_threads = True

    def __init__(
        self,
        port: int,
        title: str,
        parameters: dict[str, Any],
        ask: Ask,
        saved: Path,
        base: Base | None = None,
        examples: list[dict[str, Any]] | str = "",
    ) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.title, self.parameters, self.ask, self.saved = title, parameters, ask, saved
        self.base = base or Base("nobody has said where the base model is", can=False)
        self.examples = examples  # or a sentence that says why there are none
        self.token = secrets.token_urlsafe(24)
        self.hosts = {f"{name}:{self.server_address[1]}" for name in ("127.0.0.1", "localhost")}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a client that is gone, whatever it was being sent."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """The URL to open, with the token in it."""
        return f"http://127.0.0.1:{self.server_address[1]}/?token={self.token}"


class Handler(BaseHTTPRequestHandler):
    """GET / is the page; POST /ask streams an answer as lines of JSON; POST /save appends a row."""

    server: Server

    def do_GET(self) -> None:
        """The page."""
        self._answer(self._page)

    def do_POST(self) -> None:
        """What the page asks for."""
        self._answer({"/ask": self._ask, "/save": self._save}.get(self.path.partition("?")[0], self._nothing))

    def _answer(self, work: Callable[[], None]) -> None:
        try:
            if self.headers.get("Host") not in self.server.hosts:  # another name for this address: DNS rebinding
                raise Refused(403, "this page is for this machine only")
            work()
        except Refused as error:
            self._send(error.status, json.dumps({"error": str(error)}).encode(), "application/json")
        except UserError as error:  # the page shows it; a status of failure would be an error in the browser's console
            self._send(200, json.dumps({"error": str(error)}).encode(), "application/json")
        except (BrokenPipeError, ConnectionResetError):  # the page was closed, or its user stopped the answer
            self.close_connection = True

    def _nothing(self) -> None:
        raise Refused(404, "there is nothing here")

    def _page(self) -> None:
        path, _, query = self.path.partition("?")
        if path != "/":
            self._nothing()
        if not self._is_token(parse_qs(query).get("token", [""])[0]):
            raise Refused(403, "open the address that the command printed: it has the token in it")
        nonce = secrets.token_urlsafe(16)
        server = self.server
        settings = {
            "token": server.token, "title": server.title, "parameters": server.parameters,
            "base": {"can": server.base.can, "how": server.base.how}, "examples": server.examples,
        }  # fmt: skip
        policy = page.content_policy(nonce)
        text = page.document("chat/page.html.j2", policy, title=self.server.title, settings=settings, nonce=nonce)
        headers = {"Content-Security-Policy": f"{policy}; frame-ancestors 'none'"}
        self._send(200, text.encode(), "text/html; charset=utf-8", headers)

    def _ask(self) -> None:
        given = self._body()
        wanted = given.get("parameters") or {}
        if not isinstance(wanted, dict):
            raise Refused(400, "parameters: send an object")
        parameters = {name: checked(name, value) for name, value in wanted.items()}
        asked = {"tuned": self.server.ask, "base": self.server.base.ask if self.server.base.can else None}
        ask = asked.get(str(given.get("who", "tuned")))
        if ask is None:
            raise Refused(400, "who: send tuned, or base where it can be asked")
        with contextlib.closing(ask(_messages(given), parameters)) as pieces:  # who leaves ends it
            first = next(pieces, "")
            self._head(200, "application/x-ndjson; charset=utf-8")
            try:
                self._grow(itertools.chain([first], pieces))
            except UserError as error:
                self._line({"error": str(error)})

    def _grow(self, pieces: Iterator[str]) -> None:
        """Sends every piece at once; with some comes the HTML of all that came, which takes the place of the text."""
        text, due = "", 0.0
        for piece in pieces:
            text += piece
            html = {}
            if time.monotonic() >= due:
                begun = time.monotonic()
                html = {"html": markdown.rendered(text)}
                due = time.monotonic() + RENDERED_EVERY + 4 * (time.monotonic() - begun)
            self._line({"text": piece, **html})
        self._line({"done": True, "html": markdown.rendered(text)})

    def _save(self) -> None:
        rows = save(_messages(self._body()), self.server.saved)
        said = json.dumps({"file": str(self.server.saved), "rows": rows}).encode()
        self._send(200, said, "application/json")

    def _body(self) -> dict[str, Any]:
        """Returns the JSON of a request that our own page sent."""
        origin, site = self.headers.get("Origin"), self.headers.get("Sec-Fetch-Site", "same-origin")
        foreign = origin is not None and origin not in {f"http://{host}" for host in self.server.hosts}
        if foreign or site != "same-origin" or not self._is_token(self.headers.get("X-Chat-Token", "")):
            raise Refused(403, "only the page that this program handed out may ask; open the address that it printed")
        if not self.headers.get("Content-Type", "").startswith("application/json"):
            raise Refused(415, "send JSON")
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or len(length) > 12 or not 0 < int(length) <= MOST_BYTES:
            # A reply over unread bytes would be reset before the page has read it.
            self.rfile.read(min(int(length), 10 * MOST_BYTES) if length.isdecimal() and len(length) <= 12 else 0)
            raise Refused(413, f"send between 1 and {MOST_BYTES} bytes")
        try:
            given = json.loads(self.rfile.read(int(length)))
            json.dumps(given, ensure_ascii=False).encode()  # half of a pair of surrogates is no character
        except (ValueError, RecursionError):
            raise Refused(400, "this is not JSON") from None
        if not isinstance(given, dict):
            raise Refused(400, "send an object")
        return given

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.server.token.encode())

    def _send(self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self._head(status, kind, {"Content-Length": str(len(content)), **(headers or {})})
        self.wfile.write(content)

    def _head(self, status: int, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        always = {"Content-Type": kind, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
                  "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}  # fmt: skip
        for name, value in {**always, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def _line(self, content: dict[str, Any]) -> None:
        self.wfile.write(json.dumps(content, ensure_ascii=False).encode() + b"\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the token is in the page's address."""


def _messages(given: dict[str, Any]) -> list[dict[str, str]]:
    messages = given.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "messages: send a list of them")
    if not all(map(is_message, messages)):
        raise Refused(400, "messages: each has a role (system, user, assistant) and content")
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def _examples(values: Values) -> list[dict[str, Any]] | str:
    """Returns held-out conversations with their true answers, or a sentence that says why there are none."""
    try:
        return [
            {"messages": _messages({"messages": case.messages}), "truth": case.truth,
             "html": markdown.rendered(case.truth)}
            for case in examples(values)
        ]  # fmt: skip
    except UserError as error:
        return str(error)


def run(arguments: list[str] | None = None) -> int:
    """The command: see `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.chat.web", description="Talk to the deployment in a browser."
    )
    add_arguments(parser)
    parser.add_argument("--port", type=int, help=f"on 127.0.0.1 (default {PORT}, or a free one where that is taken)")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    client = client_module.connect(values)
    endpoint = endpoint_module.require(values, client, endpoint_module.name_of(values))
    with endpoint_module.http_client(endpoint.timeout) as http:
        about = (
            f"{endpoint.model} at {endpoint.name}", dict(values.data["request"]),
            lambda messages, parameters: endpoint.pieces(messages, parameters, http),
            saved_in(values.environment), base_module.find(values, client, endpoint.model, http), _examples(values),
        )  # fmt: skip
        try:
            server = Server(PORT if options.port is None else options.port, *about)
        except (OSError, OverflowError) as error:
            if options.port is not None:
                reason = getattr(error, "strerror", None) or "a port is at most 65535"
                raise UserError(
                    f"port {options.port} cannot be had ({reason}); give another one with --port", USAGE
                ) from None
            server = Server(0, *about)
        print(f"open {server.address}\nCtrl-C ends it", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print(file=sys.stderr)
        finally:
            server.server_close()
    return 0


if __name__ == "__main__":
    main(run)
