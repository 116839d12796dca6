"""The control routes of the plain listener: health, status and stopping. Each call carries the key of emulator.json."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from pathlib import Path
from typing import Any

from scripts.local.core import lookup
from scripts.local.core.web import AzureError, Call, Routes
from scripts.local.resources import endpoints
from scripts.local.resources.jobs import ENDED

routes = Routes()
HEADER = "x-local-key"


def allowed(call: Call) -> bool:
    """Says whether a control request comes from someone who can read the home."""
    return secrets.compare_digest(call.request.headers.get(HEADER, "").encode(), call.state.record.key.encode())


@routes("GET", "/control/health")
async def health(call: Call) -> Any:
    """Says that this is the emulator, and of which process; 503 while it stops."""
    if call.state.stopping.is_set():
        raise AzureError(503, "ServiceUnavailable", "The local Azure ML is stopping.")
    return {"pid": os.getpid()}


@routes("GET", "/control/status")
async def status(call: Call) -> Any:
    """Returns what runs: workspaces, jobs that have not ended, endpoints with their deployments, disk used."""
    state, record = call.state, call.state.record
    names = {workspace.scope: workspace.name for workspace in lookup.workspaces(state)}
    running = [
        {"workspace": names[each.scope], "name": each.name, "status": each.body["status"]}
        for each in state.store.list("jobs")
        if each.body["status"] not in ENDED
    ]
    found = []
    for each in state.store.list("endpoints"):
        workspace = lookup.workspace_of_scope(state, each.scope)
        inside = endpoints.deployments_of(state, workspace, each.name)
        found.append(
            {
                "workspace": workspace.name,
                "name": each.name,
                "state": each.body["properties"]["provisioningState"],
                "deployments": {
                    one.name.partition("/")[2]: one.body["properties"]["provisioningState"] for one in inside
                },
            }
        )
    shown = [
        {
            "subscription_id": each.subscription,
            "resource_group": each.group,
            "workspace": each.name,
            "region": each.region,
        }
        for each in lookup.workspaces(state)
    ]
    return {
        "pid": os.getpid(),
        "home": str(state.home.root),
        "started": record.started,
        "ports": {key: getattr(record, key) for key in ("proxy_port", "plain_port", "tls_port")},
        "workspaces": shown,
        "running_jobs": running,
        "endpoints": found,
        "disk_bytes": await asyncio.to_thread(_disk_used, state.home.root),
    }


def _disk_used(root: Path) -> int:
    total = 0
    for path in root.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # jobs and uploads rename and remove files meanwhile
            total += 0 if path.is_dir() else path.lstat().st_size
    return total


@routes("POST", "/control/stop")
async def stop(call: Call) -> Any:
    """Stops the emulator; its process ends when its jobs and deployments have."""
    call.state.stopping.set()
    return {"pid": os.getpid()}
