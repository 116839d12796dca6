"""The parts of the emulator that live as long as it does, by what others need of them. server.py makes them.

What stands behind the protocols, and says what each method does, is in jobs/runner.py, serving/scoring_servers.py and
resources/mlflow_server.py.
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

    def check(self, workspace: Workspace, job: str, properties: dict[str, Any]) -> None: ...
    def submit(self, workspace: Workspace, name: str) -> None: ...
    async def cancel(self, scope: str, name: str) -> None: ...
    def using_compute(self, workspace: Workspace, compute: str) -> str | None: ...
    def steps(self, workspace: Workspace, document: Document) -> list[dict[str, Any]]: ...


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

    def serving(self, key: Key) -> Server | None: ...
    async def provide(self, key: Key) -> None: ...
    async def remove(self, key: Key) -> None: ...


class Tracking(Protocol):
    """MLflow."""

    async def open(self, *workspaces: Workspace) -> None: ...
    async def request(self, workspace: Workspace, request: Request, path: str) -> Response: ...
    async def create_run(self, workspace: Workspace, job: str, properties: dict[str, Any]) -> None: ...
    async def end_run(self, workspace: Workspace, job: str, status: str) -> None: ...
    def address(self, workspace: Workspace) -> str: ...


@dataclasses.dataclass(frozen=True)
class Parts:
    """What a request's handler, and the work of an operation, may reach."""

    state: State
    runner: Runner
    servers: Servers
    tracking: Tracking
    work: Mapping[str, Work]  # of operations, by a name that survives a restart


Work = Callable[[Parts, dict[str, Any]], Awaitable[None]]
