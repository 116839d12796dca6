"""The control routes of the plain listener: health, status and stopping. Each call carries the key of emulator.json."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from pathlib import Path
from typing import Any

from scripts.local import endpoints, jobs, workspaces
from scripts.local.web import AzureError, Call, Routes

routes = Routes()
HEADER = "x-local-key"


def allowed(call: Call) -> bool:
    """Says whether a control request comes from someone who can read the home."""
    return secrets.compare_digest(call.request.headers.get(HEADER, ""), call.emulator.record["key"])


@routes("GET", "/control/health")
async def health(call: Call) -> Any:
    """Says that this is the emulator, and of which process; 503 while it stops."""
    if call.emulator.stopping.is_set():
        raise AzureError(503, "ServiceUnavailable", "The local Azure ML is stopping.")
    return {"pid": os.getpid()}


@routes("GET", "/control/status")
async def status(call: Call) -> Any:
    """Returns what runs: workspaces, jobs that have not ended, endpoints with their deployments, disk used."""
    emulator = call.emulator
    names = {workspace.scope: workspace.name for workspace in workspaces.every(emulator)}
    running = [
        {"workspace": names[each.scope], "name": each.name, "status": each.body["status"]}
        for each in emulator.store.list("jobs")
        if each.body["status"] not in jobs.ENDED
    ]
    found = []
    for each in emulator.store.list("endpoints"):
        workspace = workspaces.by_scope(emulator, each.scope)
        inside = endpoints.deployments_of(emulator, workspace, each.name)
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
    ports = {key: value for key, value in emulator.record.items() if key.endswith("_port")}
    shown = [
        {
            "subscription_id": each.subscription,
            "resource_group": each.group,
            "workspace": each.name,
            "region": each.region,
        }
        for each in workspaces.every(emulator)
    ]
    return {
        "pid": os.getpid(),
        "home": str(emulator.home.root),
        "started": emulator.record["started"],
        "ports": ports,
        "workspaces": shown,
        "running_jobs": running,
        "endpoints": found,
        "disk_bytes": await asyncio.to_thread(_disk_used, emulator.home.root),
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
    call.emulator.stopping.set()
    return {"pid": os.getpid()}
