"""The control routes of the plain listener: health, status and stopping. Each call carries the key of emulator.json."""

from __future__ import annotations

import os
import secrets
from typing import Any

from scripts.local import jobs, workspaces
from scripts.local.web import Call, Routes

routes = Routes()
HEADER = "x-local-key"


def allowed(call: Call) -> bool:
    """Says whether a control request comes from someone who can read the home."""
    return secrets.compare_digest(call.request.headers.get(HEADER, ""), call.emulator.record["key"])


@routes("GET", "/control/health")
async def health(call: Call) -> Any:
    """Says that this is the emulator, and of which process."""
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
        inside = [one for one in emulator.store.list("deployments", each.scope) if one.name.startswith(each.name + "/")]
        found.append(
            {
                "workspace": names[each.scope],
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
    disk = sum(path.lstat().st_size for path in emulator.home.root.rglob("*") if not path.is_dir())
    return {
        "pid": os.getpid(),
        "home": str(emulator.home.root),
        "started": emulator.record["started"],
        "ports": ports,
        "workspaces": shown,
        "running_jobs": running,
        "endpoints": found,
        "disk_bytes": disk,
    }


@routes("POST", "/control/stop")
async def stop(call: Call) -> Any:
    """Stops the emulator; its process ends when its jobs and deployments have."""
    call.emulator.stopping.set()
    return {"pid": os.getpid()}
