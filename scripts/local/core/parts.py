"""The parts of the emulator that live as long as it does, by what others need of them. server.py makes them.

jobs/runner.py, serving/scoring_servers.py and resources/mlflow_server.py have what stands behind the protocols.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from scripts.local.core.state import State
from scripts.local.core.store import Document
from scripts.local.core.workspace_record import Workspace

Key = tuple[str, str]  # the workspace's scope, and the name of a job, or endpoint/deployment in lower case


class Runner(Protocol):
    """Checks and runs jobs. `observed` are the jobs whose status a stream has asked for."""

    observed: set[Key]

    def check(self, workspace: Workspace, job: str, properties: dict[str, Any]) -> None:
        """Raises AzureError for what is wrong in a job."""

    def submit(self, workspace: Workspace, name: str) -> None:
        """Queues a job that is stored."""

    async def cancel(self, scope: str, name: str) -> None:
        """Ends a job; returns when its processes are gone and its status is Canceled."""

    def using_compute(self, workspace: Workspace, compute: str) -> str | None:
        """Returns the name of a job that runs or waits on a compute, or None."""

    def steps(self, workspace: Workspace, document: Document) -> list[dict[str, Any]]:
        """Returns the steps of a job with their status."""


class Server(Protocol):
    """The process behind a deployment. `ready` is set while it answers; `failure` says why it never will."""

    port: int
    ready: asyncio.Event
    slots: asyncio.Semaphore
    limit: int
    in_flight: int
    failure: str | None


class Servers(Protocol):
    """The processes behind the deployments."""

    def serving(self, key: Key) -> Server | None:
        """Returns the server of a deployment, or None."""

    async def provide(self, key: Key) -> None:
        """Brings up the server of a deployment; raises AzureError when it does not come up."""

    async def remove(self, key: Key) -> None:
        """Ends the server of a deployment, even one that only starts; returns when its process is gone."""


class Tracking(Protocol):
    """MLflow."""

    async def open(self, *workspaces: Workspace) -> None:
        """Opens the workspaces' databases ahead of need."""

    async def request(self, workspace: Workspace, request: Request, path: str) -> Response:
        """Passes a request on to MLflow."""

    async def create_run(self, workspace: Workspace, job: str, properties: dict[str, Any]) -> None:
        """Makes the run of a job, with the job's name as its id; does nothing where there is one."""

    async def end_run(self, workspace: Workspace, job: str, status: str) -> None:
        """Gives the run of a job the status with which the job ended."""

    def address(self, workspace: Workspace) -> str:
        """Returns the tracking URI for a job on this machine."""


@dataclasses.dataclass(frozen=True)
class Parts:
    """What a request's handler, and the work of an operation, may reach."""

    state: State
    runner: Runner
    servers: Servers
    tracking: Tracking
    work: Mapping[str, Work]  # of operations, by a name that survives a restart


Work = Callable[[Parts, dict[str, Any]], Awaitable[None]]
