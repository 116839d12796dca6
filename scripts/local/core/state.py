"""What is handed to everything: a workspace, the state that all share, and the parts that live as long as the emulator.

server.py makes them. What stands behind the protocols, and says what each method does, is in jobs/runner.py,
serving/scoring_servers.py and resources/mlflow_server.py. One event loop, one thread for the store; heavy work happens
in child processes.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from scripts.local.core.home import Credentials, Home, Record
from scripts.local.core.settings import Settings
from scripts.local.core.store import Document, Store

PROVIDER = "/providers/Microsoft.MachineLearningServices"
T = TypeVar("T")
Key = tuple[str, str]  # the workspace's scope, and the name of a job, or endpoint/deployment in lower case


@dataclasses.dataclass(frozen=True)
class Workspace:
    """A registered workspace. `scope` is its key in the store, `path` its ARM id."""

    subscription: str
    group: str
    name: str
    region: str
    account: str
    identifier: str

    @property
    def path(self) -> str:
        """The ARM id."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}{PROVIDER}/workspaces/{self.name}"

    @property
    def scope(self) -> str:
        """The key under which the store keeps this workspace's resources."""
        return f"{self.subscription}/{self.group}/{self.name}".lower()

    @property
    def account_path(self) -> str:
        """The ARM id of the storage account."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
        return f"{group}/providers/Microsoft.Storage/storageAccounts/{self.account}"

    @property
    def container(self) -> str:
        """The blob container of the default datastore."""
        return f"azureml-blobstore-{self.identifier}"


@dataclasses.dataclass(frozen=True)
class State:
    """The home and what was read from it, the store, and the work that goes on beside the requests."""

    home: Home
    record: Record  # ports and key of this process, as in emulator.json
    settings: Settings
    credentials: Credentials
    store: Store
    log: logging.Logger
    stopping: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = dataclasses.field(default_factory=set)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs work in the background; an exception in it is logged, as nobody awaits it."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def lasting(self, write: Callable[[], T]) -> T:
        """Writes to the store how work ended, again and again while the disk is full: it must not be lost."""
        while True:
            try:
                return write()
            except sqlite3.OperationalError as error:
                self.log.error("the end of some work cannot be stored: %s", error)
                await asyncio.sleep(1)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.log.error("background work failed", exc_info=task.exception())


class Runner(Protocol):
    """Checks and runs jobs. `observed` are the jobs whose status a stream has asked for."""

    observed: set[Key]

    def check(self, workspace: Workspace, job: str, properties: dict[str, Any]) -> None: ...
    def submit(self, workspace: Workspace, name: str) -> None: ...
    async def cancel(self, scope: str, name: str) -> None: ...
    def using_compute(self, workspace: Workspace, compute: str) -> str | None: ...
    def nodes_at_work(self, workspace: Workspace, compute: str) -> int: ...
    def steps(self, workspace: Workspace, document: Document) -> list[dict[str, Any]]: ...


class Server(Protocol):
    """The process behind a deployment. `ready` is set while it answers; `failure` says why it never will."""

    port: int
    secret: str
    ready: asyncio.Event
    slots: asyncio.Semaphore
    limit: int
    in_flight: int
    copies: int  # of requests to others, which take no place
    failure: str | None

    async def settled(self) -> None: ...
    def refuses(self, port: int) -> None: ...


class Servers(Protocol):
    """The processes behind the deployments."""

    def serving(self, key: Key) -> Server | None: ...
    async def provide(self, key: Key) -> Document: ...
    async def remove(self, key: Key, drains: bool = False) -> None: ...


class Tracking(Protocol):
    """MLflow."""

    async def open(self, *workspaces: Workspace) -> None: ...
    async def request(self, workspace: Workspace, request: Request, body: bytes, path: str) -> Response: ...
    async def create_run(self, workspace: Workspace, job: str, properties: dict[str, Any]) -> None: ...
    async def end_run(self, workspace: Workspace, job: str, status: str) -> None: ...
    def variables(self, workspace: Workspace, job: str) -> dict[str, str]: ...


@dataclasses.dataclass(frozen=True)
class Parts:
    """What a request's handler, and the work of an operation, may reach."""

    state: State
    runner: Runner
    servers: Servers
    tracking: Tracking
    work: Mapping[str, Work]  # of operations, by a name that survives a restart


Work = Callable[[Parts, dict[str, Any]], Awaitable[None]]
