"""Scoring: what stands in front of the deployments at <endpoint>.<region>.inference.ml.azure.com.

It checks the key or token, chooses the deployment (by header, else by traffic), limits what a deployment takes on, and
turns what goes wrong into the status that Azure gives.
"""

from __future__ import annotations

import asyncio
import functools
import random
import secrets
import time
import uuid
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from scripts.local.core import faults, lookup, tokens
from scripts.local.core.state import Server, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import AzureError, Call, Routes, not_found
from scripts.local.resources import endpoints
from scripts.local.resources.deployments import seconds

if TYPE_CHECKING:
    import httpx

routes = Routes()
HEADER = "azureml-model-deployment"


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


def _choose(call: Call, workspace: Workspace, endpoint: Document) -> str:
    wanted = call.request.headers.get(HEADER)
    existing = endpoints.deployments_of(call.state, workspace, endpoint.name)
    if wanted:
        if wanted not in existing:
            raise not_found(f"Endpoint {endpoint.name} has no deployment {wanted!r}.", "NotFound")
        return wanted
    shares = endpoint.body["properties"]["traffic"]
    traffic = {name: share for name, share in shares.items() if share > 0 and name in existing}
    if not traffic:
        raise not_found(f"Endpoint {endpoint.name} gives no deployment any traffic.", "NotFound")
    return random.choices(list(traffic), weights=list(traffic.values()))[0]


@routes("GET POST", "/score")
async def score(call: Call) -> Response:
    """Answers a scoring request."""
    workspace, endpoint = _endpoint(call)
    _authorise(call, workspace, endpoint)
    faults.inject(call.state, "scoring")
    chosen = _choose(call, workspace, endpoint)
    server = call.parts.servers.serving((workspace.scope, f"{endpoint.name}/{chosen}".lower()))
    document = call.state.store.get(workspace.scope, "deployments", f"{endpoint.name}/{chosen}")
    if server is None or document is None or server.failure is not None:
        raise AzureError(503, "ServiceUnavailable", f"Deployment {chosen} of endpoint {endpoint.name} does not serve.")
    timeout = seconds(document.body["properties"]["requestSettings"]["requestTimeout"])
    started = time.monotonic()
    try:
        answer = await asyncio.wait_for(_ask(call, server, chosen), timeout)
    except TimeoutError:
        raise AzureError(408, "RequestTimeout", f"Deployment {chosen} did not answer within {timeout:g} s.") from None
    response = _outcome(answer, chosen)
    response.headers["x-ms-run-function-duration"] = f"{(time.monotonic() - started) * 1000:.1f}"
    response.headers["x-ms-request-id"] = call.request.headers.get("x-ms-request-id") or str(uuid.uuid4())
    response.headers[HEADER] = chosen
    return response


async def _ask(call: Call, server: Server, chosen: str) -> httpx.Response:
    import httpx

    if server.in_flight >= server.limit:
        raise AzureError(
            429,
            "TooManyRequests",
            f"Deployment {chosen} already has {server.in_flight} requests, and takes {server.limit}.",
        )
    server.in_flight += 1
    try:
        body = await call.request.body()
        await server.ready.wait()
        async with server.slots:
            kind = call.request.headers.get("content-type", "application/json")
            url = f"http://127.0.0.1:{server.port}/score"
            return await _http().request(call.request.method, url, content=body, headers={"content-type": kind})
    except httpx.HTTPError as error:
        message = f"The model of deployment {chosen} ended the connection without an answer ({type(error).__name__})."
        raise AzureError(502, "BadGateway", message) from None
    finally:
        server.in_flight -= 1


def _outcome(answer: httpx.Response, chosen: str) -> Response:
    """Turns the model's answer into the gateway's: an error of the model is 424, but for 400, its word on the input."""
    kind = answer.headers.get("content-type", "application/json")
    if answer.status_code == 200:
        return Response(answer.content, 200, media_type=kind)
    status = 400 if answer.status_code == 400 else 424
    headers: dict[str, Any] = {
        "ms-azureml-model-error-statuscode": str(answer.status_code),
        "ms-azureml-model-error-reason": "model_error",
    }
    return Response(answer.content, status, headers, kind)
