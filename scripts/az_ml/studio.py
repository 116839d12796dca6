"""--web: opens the studio's page in the browser. Never a reason to fail: the command has done its work by then."""

from __future__ import annotations

import sys
import webbrowser
from typing import Any

_STUDIO = "https://ml.azure.com"


def open_job(job: Any) -> None:
    """Opens the page of a job, which the service names."""
    service = (job.services or {}).get("Studio")
    if service is None or not service.endpoint:
        print("WARNING: --web: the service names no studio page for this job", file=sys.stderr)
        return
    _open(service.endpoint)


def open_endpoint(endpoint: Any) -> None:
    """Opens the page of an online endpoint."""
    workspace = endpoint.id.split("/onlineEndpoints")[0]
    tenant = getattr(endpoint.identity, "tenant_id", None)
    _open(f"{_STUDIO}/endpoints/realtime/{endpoint.name}/detail?wsid={workspace}&tid={tenant}")


def _open(address: str) -> None:
    if not webbrowser.open_new_tab(address):
        print(f"WARNING: --web: no browser could be opened; the page is {address}", file=sys.stderr)
