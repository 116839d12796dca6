"""Long-running operations, as Azure does them: a status URL in `Azure-AsyncOperation`, polled until it is terminal.

An operation is a named piece of work and the words it is about, stored before the reply is sent. Work is written so
that it can run twice: after a kill, what had not finished is simply run again.
"""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from typing import Any

from starlette.responses import Response

from scripts.local.core import clock, faults
from scripts.local.core.state import PROVIDER, Parts, State
from scripts.local.core.store import Document
from scripts.local.core.web import SUBSCRIPTION, AzureError, Call, Routes, not_found, reply

routes = Routes()
SCOPE = "operations"
# Azure's clients otherwise poll every 5 or 30 s; `Retry-After: 0` would be ignored and a fraction would crash them.
POLL_SOON = {"x-ms-retry-after-ms": "50"}
POLL_LATER = {"x-ms-retry-after-ms": "500"}
KEPT = 86400.0  # seconds that the outcome of an operation can be asked for
MOST_KEPT = 1000  # outcomes at most, the newest
ENDED = ("Succeeded", "Failed")
ON_ITS_WAY = ("Creating", "Updating", "Deleting")
RESOURCES = {"compute": "computes", "endpoint": "endpoints", "deployment": "deployments"}  # by the first word of work
NEVER = "0001-01-01T00:00:00+00:00"  # .NET's smallest time, which Azure shows as the end of what has not ended


@dataclasses.dataclass(frozen=True)
class Style:
    """How a family of operations is polled: the words in its URLs, what it says while it runs, how long it may take."""

    status: str = "mfeOperationsStatus"
    result: str = "mfeOperationResults"
    running: str = "Updating"  # also while something is made or deleted
    timeout: str = "PT30M"


# As recorded by Microsoft's tests of the SDK and the CLI, 2022 to 2026.
STYLES = {
    "compute": Style(status="computeOperationsStatus", result="", running="InProgress"),
    "job": Style(status="", running="InProgress", timeout="PT1H"),
}


def _style(work: str) -> Style:
    return STYLES.get(work.partition(".")[0], Style())


def begin(call: Call, work: str, name: str, place: str = "", **more: Any) -> dict[str, str]:
    """Starts an operation on a resource of the call's workspace and returns the headers that say where to poll.

    Called in one transaction with the change that it completes, so that no kill leaves a change that nothing completes.
    `place`: the path in the workspace of the resource that is there at the end; without it `Location` is the result.
    `more` words are for the work, of what was so when the request came.
    Azure's styles: computes have `Azure-AsyncOperation` only, a cancelled job `Location` only, the others both.
    """
    assert work in call.parts.work, f"routes.py has no work {work}"
    style, identifier = _style(work), f"{work.partition('.')[0]}:{call.ws.identifier}:{uuid.uuid4()}"
    words = {"scope": call.ws.scope, "name": name, **more}
    body = {"work": work, "words": words, "status": style.running}
    _forget(call.state)
    call.state.store.put(SCOPE, "operations", identifier, body)
    call.state.start(run(call.parts, identifier))
    base = f"/subscriptions/{call.ws.subscription}{PROVIDER}/locations/{call.ws.region}"
    version = call.query.get("api-version", "2023-04-01-preview")

    def url(path: str) -> str:
        return f"https://management.azure.com{path}?api-version={version}"

    headers = dict(POLL_SOON)
    if style.status:
        headers["Azure-AsyncOperation"] = url(f"{base}/{style.status}/{identifier}")
    if style.result:
        headers["Location"] = url(f"{call.ws.path}/{place}" if place else f"{base}/{style.result}/{identifier}")
        headers["x-ms-async-operation-timeout"] = style.timeout
    return headers


def put_and_begin(
    call: Call, work: str, kind: str, name: str, body: dict[str, Any], place: str = ""
) -> tuple[Document, dict[str, str]]:
    """Stores a resource and begins the operation that completes it; returns what is stored, and the headers."""
    with call.state.store.transaction():
        return call.state.store.put(call.ws.scope, kind, name, body), begin(call, work, name, place)


async def run(parts: Parts, identifier: str) -> None:
    """Runs the work of a stored operation and stores how it ended."""
    state = parts.state
    document = state.store.get(SCOPE, "operations", identifier)
    if document is None:  # what began it was undone, as where the disk is full
        return
    body = document.body
    failure: AzureError | None = None
    try:
        await asyncio.sleep(state.settings.lro_seconds + faults.delay(state))
        await parts.work[body["work"]](parts, body["words"])
    except AzureError as error:
        failure = error
    except Exception as error:
        state.log.exception("operation %s", body["work"])
        failure = AzureError(500, "InternalServerError", f"The local Azure ML failed with {error!r}.")
    await state.lasting(lambda: _end(state, document, failure))


def _end(state: State, operation: Document, failure: AzureError | None) -> None:
    """Stores how an operation ended; what it was about and could not complete has failed too, whatever the reason."""
    with state.store.transaction():
        if failure is None:
            state.store.change(operation, status="Succeeded")
            return
        family, _, verb = operation.body["work"].partition(".")
        words, kind = operation.body["words"], RESOURCES.get(family)
        document = state.store.get(words["scope"], kind, words["name"]) if kind else None
        if document is not None:
            _fail(state, document, failure, ("Deleting",) if verb == "delete" else ("Creating", "Updating"))
        state.store.change(operation, status="Failed", error=failure.fault())


def _fail(state: State, document: Document, failure: AzureError, before: tuple[str, ...] = ON_ITS_WAY) -> None:
    """Gives a resource that is in one of these states the state Failed; a cluster says why itself."""
    properties = document.body["properties"]
    if properties["provisioningState"] in before:
        properties["provisioningState"] = "Failed"
        if document.kind == "computes":
            properties["provisioningErrors"] = [{"error": {"code": failure.code, "message": failure.message}}]
        state.store.change(document)


def _forget(state: State) -> None:
    """Forgets outcomes that nobody will ask for any more, so that there are never more than a few."""
    ended = [each for each in state.store.list("operations") if each.body["status"] in ENDED]
    for number, each in enumerate(reversed(ended)):
        if number >= MOST_KEPT or clock.now() - each.modified > KEPT:
            state.store.delete(SCOPE, "operations", each.name)


def resume(parts: Parts) -> None:
    """Runs every operation again that a kill interrupted; what is on its way without one has failed."""
    state = parts.state
    going = set()
    for document in state.store.list("operations"):
        if document.body["status"] not in ENDED:
            going.add((document.body["words"]["scope"], document.body["words"]["name"].lower()))
            state.start(run(parts, document.name))
    lost = AzureError(500, "InternalServerError", "The local Azure ML ended before this was done.")
    for kind in RESOURCES.values():
        for document in state.store.list(kind):
            if (document.scope, document.name.lower()) not in going:
                _fail(state, document, lost)


def refuse_leaving(state: State, document: Document, what: str) -> None:
    """Refuses to change a resource that is being deleted: what is acknowledged must not be gone a moment later.

    Azure's answer for a deployment, and for the tags and keys of an endpoint, is unverified: 409, as for a cluster.
    """
    work = f"{document.kind.removesuffix('s')}.delete"
    for each in state.store.list("operations"):
        words = each.body["words"]
        same = (words["scope"], words["name"].lower()) == (document.scope, document.name.lower())
        if same and each.body["work"] == work and each.body["status"] not in ENDED:
            raise AzureError(409, "Conflict", f"{what} is being deleted: wait until it is gone.")


def _find(call: Call) -> Document:
    document = call.state.store.get(SCOPE, "operations", call.words["id"])
    if document is None:
        raise not_found(f"Operation {call.words['id']} was not found.", "ResourceNotFound")
    return document


def _poll_again(document: Document) -> dict[str, str]:
    """Returns the header that spaces the polls: soon at first, then slower, as the CLI prints a dot for each."""
    return POLL_SOON if clock.now() - document.created < 1 else POLL_LATER


@routes("GET", SUBSCRIPTION + PROVIDER + "/locations/{location}/mfeOperationsStatus/{id}")
async def status(call: Call) -> Any:
    """Answers a poll of an endpoint, deployment or job (`Azure-AsyncOperation`).

    `percentComplete` was recorded as 0.0 from start to end since 2024, and not at the end by previews of the API.
    """
    document = _find(call)
    body, ended = document.body, document.body["status"] in ENDED
    shown = {
        **({"error": body["error"]} if "error" in body else {}),
        "id": call.request.url.path,
        "name": document.name,
        "status": body["status"],
        "startTime": clock.iso(document.created),
        "endTime": clock.iso(document.modified) if ended else NEVER,
        **({} if ended and call.api.endswith("-preview") else {"percentComplete": 0.0}),
    }
    return reply(shown, headers=_poll_again(document))


@routes("GET", SUBSCRIPTION + PROVIDER + "/locations/{location}/computeOperationsStatus/{id}")
async def compute_status(call: Call) -> Any:
    """Answers a poll of a cluster's operation (`Azure-AsyncOperation`)."""
    document = _find(call)
    shown: dict[str, Any] = {key: document.body[key] for key in ("status", "error") if key in document.body}
    if document.body["status"] == "Succeeded":
        shown["percentComplete"] = 100.0
    return reply(shown, headers=_poll_again(document))


@routes("GET", SUBSCRIPTION + PROVIDER + "/locations/{location}/mfeOperationResults/{id}")
async def result(call: Call) -> Any:
    """Answers a poll of `Location`: 202 while the work runs, then 200 without content, or the work's error.

    Recorded is no body at all; `null`, as the front end writes elsewhere, is what a client that reads JSON can read.
    """
    document = _find(call)
    body = document.body
    if body["status"] not in ENDED:
        headers = {"Location": str(call.request.url.replace(scheme="https")), **_poll_again(document)}
        return reply({}, 202, headers)
    if body["status"] == "Failed":
        return reply({"error": body["error"]}, 400)
    return Response("null", media_type="application/json")
