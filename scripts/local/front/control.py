"""The control routes of the plain listener: health, status and stopping. Each call carries the key of emulator.json."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from pathlib import Path
from typing import Any

from scripts.local.core import clock, code, lookup
from scripts.local.core.store import Document, Store
from scripts.local.core.tokens import read_token
from scripts.local.core.web import AzureError, Call, Routes, bad_request
from scripts.local.resources.endpoints import deployments_of
from scripts.local.resources.jobs import ENDED

routes = Routes()
HEADER = "x-local-key"
CLOCK = "clock"  # the kind of the document that remembers how far it was put ahead
MOST_HOURS = 24 * 366


def admit(call: Call) -> None:
    """Lets a request to the plain listener pass only with a key: others on this machine can reach its port too."""
    path = call.request.scope["path"]
    if path == "/msi/token":
        return  # it has a key of its own
    if path.startswith("/mlflow/"):
        read_token(call)  # whether it is one for this workspace is looked at when the path has been read
        return
    given = call.request.headers.get(HEADER, "")
    if not secrets.compare_digest(given.encode(), call.state.record.key.encode()):
        raise AzureError(401, "Unauthorized", "The control key is not the one in emulator.json.")


@routes("GET", "/control/health")
async def health(call: Call) -> Any:
    """Says that this is the emulator, of which process and of which code; 503 while it stops."""
    if call.state.stopping.is_set():
        raise AzureError(503, "ServiceUnavailable", "The local Azure ML is stopping.")
    return {"pid": os.getpid(), "code": code.digest()}


@routes("GET", "/control/status")
async def status(call: Call) -> Any:
    """Returns what runs: workspaces, jobs that have not ended, endpoints with their deployments, disk used."""
    state, record = call.state, call.state.record
    workspaces = {workspace.scope: workspace for workspace in lookup.workspaces(state)}
    running = [
        {"workspace": workspaces[job.scope].name, "name": job.name, "status": job.body["status"]}
        for job in state.store.list("jobs")
        if job.body["status"] not in ENDED
    ]
    served = [
        {
            "workspace": workspaces[endpoint.scope].name,
            "name": endpoint.name,
            "state": _condition(endpoint),
            "deployments": {
                name: _condition(deployment)
                for name, deployment in deployments_of(state, workspaces[endpoint.scope], endpoint.name).items()
            },
        }
        for endpoint in state.store.list("endpoints")
    ]
    keys = {"subscription_id": "subscription", "resource_group": "group", "workspace": "name", "region": "region"}
    return {
        "pid": os.getpid(),
        "code": code.digest(),
        "home": str(state.home.root),
        "started": record.started,
        "hours_ahead": clock.hours_ahead(),
        "ports": {key: getattr(record, key) for key in ("proxy_port", "plain_port")},
        "workspaces": [{key: getattr(each, name) for key, name in keys.items()} for each in workspaces.values()],
        "running_jobs": running,
        "endpoints": served,
        "disk_bytes": await asyncio.to_thread(_disk_used, state.home.root),
    }


def _condition(document: Document) -> str:
    return str(document.body["properties"]["provisioningState"])


def _disk_used(root: Path) -> int:
    total = 0
    for path in root.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # jobs and uploads rename and remove files meanwhile
            total += 0 if path.is_dir() else path.lstat().st_size
    return total


@routes("POST", "/control/clock")
async def put_clock(call: Call) -> Any:
    """Puts the clock so many `hours` ahead of the machine's, 0 as it is, and remembers it for the next start."""
    hours = call.json().get("hours")
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not (0 <= hours <= MOST_HOURS):
        raise bad_request(f"hours is {hours!r}; allowed is a number from 0 to {MOST_HOURS}.")
    call.state.store.put("", CLOCK, CLOCK, {"hours": hours})
    clock.put_ahead(hours)
    return {"hours": hours}


def resume_clock(store: Store) -> None:
    """Puts the clock ahead as the last process had it: what was made meanwhile would else be of the future."""
    kept = store.get("", CLOCK, CLOCK)
    clock.put_ahead(kept.body["hours"] if kept else 0.0)


@routes("POST", "/control/stop")
async def stop(call: Call) -> Any:
    """Stops the emulator; its process ends when its jobs and deployments have."""
    call.state.stopping.set()
    return {"pid": os.getpid()}
