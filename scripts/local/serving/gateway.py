"""Scoring: what stands in front of the deployments at <endpoint>.<region>.inference.ml.azure.com.

It checks the key or token, chooses the deployment (by header, else by traffic), limits what a deployment takes on, and
turns what goes wrong into what Azure answers. Its own refusals are plain text. Sources: Microsoft, Troubleshoot online
endpoints; the router's script in a public image; users' logs of 2022 to 2026.

Server-sent events pass through as they come, as on Azure (Microsoft, Use streaming endpoints deployed from prompt flow,
of managed online endpoints; microsoft/promptflow#1090 saw them come in bursts of some 3 s, which is not copied). How
Azure ends a stream whose time is up, or whose server ends, is unverified: here the connection is broken off.

Mirrored traffic: of the requests that come by traffic, not by header, a share is copied to one more deployment, and
its answers are dropped (Microsoft, Safe rollout for online endpoints). A copy that finds no place there is dropped too:
what Azure does then is unverified.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import secrets
import time
import uuid
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from scripts.conversation.answer import EVENTS
from scripts.local.core import faults, lookup, tokens
from scripts.local.core.state import Key, Server, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import AzureError, Call, Routes, not_found, received
from scripts.local.resources import deployment_log, endpoints
from scripts.local.resources.deployments import seconds

if TYPE_CHECKING:
    import httpx

routes = Routes()
T = TypeVar("T")
HEADER = "azureml-model-deployment"
MOST_BYTES = 16 * 2**20  # of a request, so that no client fills the memory. What Azure takes, and its words: unverified
# Seconds after which to ask again, where a server is started anew and not there within a request's own time. Azure is
# said to answer 424 while a container restarts; 503 is what clients, the SDK among them, ask again at.
RETRY_AFTER = 2
PAUSE = 0.1  # seconds until a request is sent again: a process that ends may take connections for a moment longer


@functools.cache
def _http() -> httpx.AsyncClient:
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    return httpx.AsyncClient(trust_env=False, timeout=None, limits=limits)


def _endpoint(call: Call) -> tuple[Workspace, Document]:
    for document in call.state.store.list("endpoints", name=call.words["endpoint"]):
        workspace = lookup.workspace_of_scope(call.state, document.scope)
        if workspace.region == call.words["region"]:
            return workspace, document
    raise not_found(f"There is no endpoint {call.words['endpoint']} in region {call.words['region']}.", "NotFound")


def _refused(message: str) -> AzureError:
    return AzureError(401, "Unauthorized", message)


def _authorise(call: Call, workspace: Workspace, endpoint: Document) -> None:
    mode = endpoint.body["properties"]["authMode"]
    scheme, _, given = call.request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given:
        what = "key" if mode == "Key" else "token"
        raise _refused(f"Endpoint {endpoint.name} needs the header 'Authorization: Bearer' with a {what}.")
    if mode == "Key":
        if not any(secrets.compare_digest(given.encode(), key.encode()) for key in endpoint.body["keys"].values()):
            raise _refused(f"The key is not one of endpoint {endpoint.name}.")
        return
    audience = str(tokens.read_token(call).get("aud", ""))
    wanted = "https://ml.azure.com" if mode == "AADToken" else endpoints.scoring_audience(workspace, endpoint.name)
    if audience.rstrip("/") != wanted:
        raise _refused(f"The token is for {audience}, not for {wanted}.")


def _choose(call: Call, workspace: Workspace, endpoint: Document) -> str | None:
    wanted = call.request.headers.get(HEADER)
    existing = endpoints.deployments_of(call.state, workspace, endpoint.name)
    if wanted:
        return wanted if wanted in existing else None
    shares = endpoint.body["properties"]["traffic"]
    traffic = {name: share for name, share in shares.items() if share > 0 and name in existing}
    return random.choices(list(traffic), weights=list(traffic.values()))[0] if traffic else None


@routes("GET POST", "/score", streams=True)
async def score(call: Call) -> Response:
    """Answers a scoring request."""
    started = time.monotonic()
    workspace, endpoint = _endpoint(call)
    _authorise(call, workspace, endpoint)
    response = await _answer(call, workspace, endpoint)
    identifier = call.request.headers.get("x-request-id") or str(uuid.uuid4())
    response.headers["x-request-id"] = response.headers["x-ms-request-id"] = identifier
    response.headers["x-ms-run-function-failed"] = str(response.status_code != 200)
    response.headers["x-ms-run-fn-exec-ms"] = f"{(time.monotonic() - started) * 1000:.3f}"
    response.headers["server"] = "azureml-frontdoor"
    return response


@routes("POST", "/swagger.json")
async def post_swagger(call: Call) -> Response:
    """Answers as Azure does to who takes the swagger URI for the scoring URI: the model's 405, in a 424."""
    workspace, endpoint = _endpoint(call)
    _authorise(call, workspace, endpoint)
    return _refused_by_model(405, b"Method Not Allowed", "text/plain")


async def _answer(call: Call, workspace: Workspace, endpoint: Document) -> Response:
    fault = faults.happening(call.state, "scoring")
    if fault is not None:
        if fault.status == 429:
            return _overflow()
        raise fault.error()
    # Before a deployment is chosen, and a place in it is taken: who sends slowly holds up nobody, and is sent to one
    # that is there by then.
    body = await received(call.request, MOST_BYTES)
    if body is None:
        return PlainTextResponse(f"The request has more than {MOST_BYTES} bytes.", 413)
    chosen = _choose(call, workspace, _endpoint(call)[1])
    if chosen is None:
        return PlainTextResponse(
            "No valid deployments to route to. Please check that the endpoint has at least one deployment with "
            "positive weight values or use a deployment specific header to route.",
            404,
        )
    if HEADER not in call.request.headers:
        _mirror(call, workspace, endpoint, body)
    key = (workspace.scope, f"{endpoint.name}/{chosen}".lower())
    document = call.state.store.get(workspace.scope, "deployments", f"{endpoint.name}/{chosen}")
    server = call.parts.servers.serving(key)
    if server is None or document is None:
        return _refused_by_model(502, b"", "text/plain", "model_not_ready")
    settings = document.body.get("served", document.body)["properties"]["requestSettings"]
    if server.in_flight >= server.limit:
        return _overflow()
    until = asyncio.get_running_loop().time() + seconds(settings["requestTimeout"])
    async with AsyncExitStack() as held:
        held.enter_context(_place(server))
        try:
            async with asyncio.timeout_at(until):
                answer = await _while_connected(call.request, _ask(call, key, body, held))
        except TimeoutError:
            latest = call.parts.servers.serving(key)
            if latest is not None and not latest.ready.is_set():
                return PlainTextResponse("", 503, {"Retry-After": str(RETRY_AFTER)})
            return PlainTextResponse("upstream request timeout", 408)
        if isinstance(answer, Passing):
            answer.held, answer.until = held.pop_all(), until
    answer.headers[HEADER] = chosen
    return answer


def _mirror(call: Call, workspace: Workspace, endpoint: Document, body: bytes) -> None:
    """Begins to send a copy of a request to the deployment that has a mirrored share, as often as that says.

    Nobody waits for it, and it takes none of the places that others have.
    """
    for name, share in endpoint.body["properties"].get("mirrorTraffic", {}).items():
        key = (workspace.scope, f"{endpoint.name}/{name}".lower())
        server = call.parts.servers.serving(key)
        document = call.state.store.get(workspace.scope, "deployments", f"{endpoint.name}/{name}")
        if random.uniform(0, 100) < share and server is not None and document is not None:
            call.state.start(_copy(call, key, document, server, body))


async def _copy(call: Call, key: Key, document: Document, server: Server, body: bytes) -> None:
    """Sends a copy, drops its answer, and leaves a line in the deployment's log."""
    import httpx

    if server.in_flight + server.copies < server.limit:
        settings, said = document.body.get("served", document.body)["properties"]["requestSettings"], "no answer"
        with _copies(server), contextlib.suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(seconds(settings["requestTimeout"])), AsyncExitStack() as held:
                said = str((await _ask(call, key, body, held)).status_code)
    else:
        said = "dropped, as there are too many"
    deployment_log.append(deployment_log.folder(call.state, key) / "log.txt", f"a mirrored request: {said}")


@contextlib.contextmanager
def _copies(server: Server) -> Iterator[None]:
    server.copies += 1
    try:
        yield
    finally:
        server.copies -= 1


@contextlib.contextmanager
def _place(server: Server) -> Iterator[None]:
    server.in_flight += 1
    try:
        yield
    finally:
        server.in_flight -= 1


class Passing(StreamingResponse):
    """An answer that is sent as it comes, and broken off where its time is up or its server ends.

    What is `held` for it is given back when the last of it is sent, or its client is gone.
    """

    held: AsyncExitStack
    until: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends what comes."""
        import httpx

        async with self.held:
            with contextlib.suppress(TimeoutError, ClientDisconnect, httpx.HTTPError):
                async with asyncio.timeout_at(self.until):
                    await _while_connected(Request(scope, receive), self.stream_response(send))


async def _while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Returns the result of work; ends it as soon as the client is gone, so that its place is free for others."""

    async def hang_up() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    answering, listening = asyncio.ensure_future(work), asyncio.ensure_future(hang_up())
    try:
        await asyncio.wait((answering, listening), return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise ClientDisconnect
        return await answering
    finally:
        answering.cancel()
        listening.cancel()
        await asyncio.gather(answering, listening, return_exceptions=True)


async def _ask(call: Call, key: Key, body: bytes, held: AsyncExitStack) -> Response:
    """Asks the server of a deployment, and the next one where that takes no more requests.

    What was sent is sent again only where no byte of an answer came, so that nothing can have been answered twice, and
    to one more process only: it may be the request that ends the servers. A stream keeps what it needs in `held`.
    """
    import httpx

    lost: set[int] = set()  # the ports of processes that ended while they had it
    while True:
        server = call.parts.servers.serving(key)
        if server is None or server.failure:
            return _refused_by_model(502, b"", "text/plain", "model_not_ready")
        await server.settled()
        async with AsyncExitStack() as mine:
            await mine.enter_async_context(server.slots)
            if not server.ready.is_set() or call.parts.servers.serving(key) is not server:
                continue  # it went while this one waited for its turn
            port = server.port
            kind = call.request.headers.get("content-type", "application/json")
            headers = {"content-type": kind, "authorization": f"Bearer {server.secret}"}
            request = _http().build_request(
                call.request.method, f"http://127.0.0.1:{port}/score", content=body, headers=headers
            )
            try:
                answer = await _http().send(request, stream=True)
            except httpx.ConnectError:  # nothing was sent
                server.refuses(port)
                continue
            except httpx.HTTPError:  # it ended, and took the connection with it
                lost.add(port)
                if len(lost) > 1:
                    return _refused_by_model(502, b"", "text/plain")
                await asyncio.sleep(PAUSE)
                continue
            mine.push_async_callback(answer.aclose)
            kind = answer.headers.get("content-type", "application/json")
            if answer.status_code == 200 and kind.startswith(EVENTS):
                held.push_async_exit(mine.pop_all())
                return Passing(answer.aiter_raw(), headers={"content-type": kind})
            try:
                content = await answer.aread()
            except httpx.HTTPError:
                return _refused_by_model(502, b"", "text/plain")
        if answer.status_code == 200:
            return Response(content, 200, media_type=kind)
        return _refused_by_model(answer.status_code, content, kind)


def _refused_by_model(status: int, body: bytes, kind: str, reason: str = "model_error") -> Response:
    """Returns the 424 that Azure makes of whatever a model answers but 200, with the model's own body."""
    headers = {"ms-azureml-model-error-statuscode": str(status), "ms-azureml-model-error-reason": reason}
    return Response(body, 424, headers, kind)


def _overflow() -> Response:
    """Returns the refusal of a request beyond twice what the deployment's instances take on at a time."""
    return PlainTextResponse("", 429, {"ms-azureml-model-error-reason": "too_many_pending_request"})
