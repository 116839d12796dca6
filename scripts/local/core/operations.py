"""Long-running operations, as Azure does them: a status URL in `Azure-AsyncOperation`, polled until it is terminal.

An operation is a named piece of work and the words it is about, stored before the reply is sent. Work is written so
that it can run twice: after a kill, what had not finished is simply run again.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

from scripts.local.core import faults
from scripts.local.core.state import PROVIDER, Parts
from scripts.local.core.store import Document
from scripts.local.core.web import SUBSCRIPTION, AzureError, Call, Routes, not_found, reply

routes = Routes()
SCOPE = "operations"
# Azure's clients otherwise poll every 5 or 30 s; `Retry-After: 0` would be ignored and a fraction would crash them.
POLL_SOON = {"x-ms-retry-after-ms": "50"}
POLL_LATER = {"x-ms-retry-after-ms": "500"}
KEPT = 86400.0  # seconds that the outcome of an operation can be asked for


def begin(call: Call, work: str, name: str, *, location_style: bool = False) -> dict[str, str]:
    """Starts an operation on a resource of the call's workspace and returns the headers that say where to poll.

    Called in one transaction with the change that it completes, so that no kill leaves a change that nothing completes.
    With `location_style` the client is sent to `Location` (202 until done), as Azure does for the cancelling of a job.
    """
    assert work in call.parts.work, f"routes.py has no work {work}"
    identifier = str(uuid.uuid4())
    words = {"scope": call.ws.scope, "name": name}
    call.state.store.put(SCOPE, "operations", identifier, {"work": work, "words": words, "status": "InProgress"})
    call.state.start(run(call.parts, identifier))
    group = "mfeOperationResults" if location_style else "mfeOperationsStatus"
    url = (
        f"https://management.azure.com/subscriptions/{call.ws.subscription}{PROVIDER}/locations/{call.ws.region}"
        f"/{group}/{identifier}?api-version=2023-04-01-preview"
    )
    return {("Location" if location_style else "Azure-AsyncOperation"): url, **POLL_SOON}


def put_and_begin(call: Call, work: str, kind: str, name: str, body: dict[str, Any]) -> tuple[Document, dict[str, str]]:
    """Stores a resource and begins the operation that completes it; returns what is stored, and the headers."""
    with call.state.store.transaction():
        return call.state.store.put(call.ws.scope, kind, name, body), begin(call, work, name)


async def run(parts: Parts, identifier: str) -> None:
    """Runs the work of a stored operation and stores how it ended."""
    state = parts.state
    document = state.store.get(SCOPE, "operations", identifier)
    assert document is not None
    body = document.body
    outcome: dict[str, Any]
    try:
        await asyncio.sleep(state.settings.lro_seconds + faults.delay(state))
        await parts.work[body["work"]](parts, body["words"])
        outcome = {"status": "Succeeded"}
    except AzureError as error:
        outcome = {"status": "Failed", **error.envelope()}
    except Exception as error:
        state.log.exception("operation %s", body["work"])
        failure = AzureError(500, "InternalServerError", f"The local Azure ML failed with {error!r}.")
        outcome = {"status": "Failed", **failure.envelope()}
    state.store.put(SCOPE, "operations", identifier, {**body, **outcome})


def resume(parts: Parts) -> None:
    """Runs every operation again that a kill interrupted."""
    state = parts.state
    for document in state.store.list("operations"):
        if document.body["status"] == "InProgress":
            state.start(run(parts, document.name))
        elif time.time() - document.modified > KEPT:
            state.store.delete(SCOPE, "operations", document.name)


def _find(call: Call) -> Document:
    document = call.state.store.get(SCOPE, "operations", call.words["id"])
    if document is None:
        raise not_found(f"Operation {call.words['id']} was not found.", "ResourceNotFound")
    return document


def _poll_again(document: Document) -> dict[str, str]:
    """Returns the header that spaces the polls: soon at first, then slower, as the CLI prints a dot for each."""
    return POLL_SOON if time.time() - document.created < 1 else POLL_LATER


@routes("GET", SUBSCRIPTION + PROVIDER + "/locations/{location}/mfeOperationsStatus/{id}")
async def status(call: Call) -> Any:
    """Answers a poll of `Azure-AsyncOperation`."""
    document = _find(call)
    shown = {key: document.body[key] for key in ("status", "error") if key in document.body}
    return reply(shown, headers=_poll_again(document))


@routes("GET", SUBSCRIPTION + PROVIDER + "/locations/{location}/mfeOperationResults/{id}")
async def result(call: Call) -> Any:
    """Answers a poll of `Location`: 202 while the work runs, then 200, or the work's error."""
    document = _find(call)
    body = document.body
    if body["status"] == "InProgress":
        headers = {"Location": str(call.request.url.replace(scheme="https")), **_poll_again(document)}
        return reply(status=202, headers=headers)
    if body["status"] == "Failed":
        return reply({"error": body["error"]}, 400)
    return reply({"status": body["status"]})
