"""Scoring servers: the process behind each deployment, probed until it is ready and started again when it ends."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import os
import time
from pathlib import Path
from typing import Any

from scripts.local.core import lookup, ports, processes
from scripts.local.core.faults import GUIDE
from scripts.local.core.state import Key, State
from scripts.local.core.store import Document
from scripts.local.core.web import AzureError
from scripts.local.resources import models
from scripts.local.resources.deployments import log_path

SCORING = "scripts.local.scoring"
RESTARTS = 5  # a server that ends by itself is started again, this often in a row
STEADY = 60.0  # seconds after which an end no longer counts as one in a row


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a server is to be: two equal plans need no new server."""

    model: Path
    concurrent: int
    variables: tuple[tuple[str, str], ...]


def plan(state: State, document: Document) -> Plan:
    """Returns the plan of a deployment's server; raises AzureError where its model cannot be served."""
    properties = document.body["properties"]
    variables = properties.get("environmentVariables") or {}
    return Plan(
        models.folder_of(state, lookup.workspace_of_scope(state, document.scope), properties["model"]),
        properties["requestSettings"]["maxConcurrentRequestsPerInstance"] * document.body["sku"]["capacity"],
        tuple(sorted((str(key), str(value)) for key, value in variables.items())),
    )


class ScoringServer:
    """The scoring server of one deployment. `ready` is set while it answers; `failure` says why it never will."""

    def __init__(self, state: State, key: Key, plan: Plan) -> None:
        self.state, self.key, self.plan = state, key, plan
        self.log = log_path(state, key)
        self.port = 0
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        self.failure: str | None = None
        self.limit = 2 * plan.concurrent  # beyond it Azure answers 429
        self.slots = asyncio.Semaphore(plan.concurrent)
        self.in_flight = 0
        self.task = state.start(self._keep())
        self.task.add_done_callback(lambda _: self._ended())  # also where it was cancelled before it began

    async def stop(self) -> None:
        """Ends the server; returns when its process is gone."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def wait_ready(self) -> None:
        """Waits until the server answers; raises AzureError when it does not come up."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self.ready, self.ended)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        if not self.ready.is_set():
            last = processes.tail(self.log, 1)
            reason = str(self.failure) + (f" Its log ends with: {last}" if last else "")
            raise AzureError(400, "ResourceNotReady", f"{reason} {GUIDE}#error-resourcenotready")

    def _ended(self) -> None:
        self.failure = self.failure or "User container was stopped."
        self.ready.clear()
        self.ended.set()

    async def _keep(self) -> None:
        ends, was_ready = 0, False
        while ends <= RESTARTS:
            started = time.monotonic()
            code = await self._run()
            was_ready = was_ready or self.ready.is_set()
            self.ready.clear()
            if not was_ready:
                self.failure = f"User container has crashed or terminated with exit code {code}."
                return
            ends = 1 if time.monotonic() - started > STEADY else ends + 1
            self.state.log.warning("the server of %s ended with exit code %d", self.key[1], code)
            await asyncio.sleep(min(ends, 5))
        self.failure = f"User container has crashed or terminated {ends} times in a row."

    async def _run(self) -> int:
        self.port = ports.free()
        settings = self.state.settings
        # Tests name another module than SCORING.
        words = ["-m", os.environ.get("AZUREML_LOCAL_SCORING", SCORING), "--model-dir", str(self.plan.model)]
        words += ["--port", str(self.port), "--log", str(self.log), "--max-batch", str(settings.max_batch)]
        words += ["--answer-shape", settings.answer_shape]
        words += ["--threads", str(settings.serving_threads)] if settings.serving_threads else []
        child = await processes.spawn(words, self.log, dict(self.plan.variables))
        self._remember(child.identity)
        watch = self.state.start(self._watch())
        try:
            return await child.process.wait()
        finally:
            watch.cancel()
            await asyncio.shield(child.stop())
            self._remember(None)

    async def _watch(self) -> None:
        """Asks the readiness probe until it answers; a server that takes too long is given up."""
        import httpx

        seconds = self.state.settings.ready_seconds
        deadline = time.monotonic() + seconds
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while time.monotonic() < deadline:
                try:
                    if (await client.get(f"http://127.0.0.1:{self.port}/")).status_code == 200:
                        self.ready.set()
                        return
                except httpx.HTTPError:
                    pass  # it does not listen yet
                await asyncio.sleep(0.1)
        self.failure = f"Readiness probe failed: the container was not ready within {seconds:g} s."
        self.task.cancel()

    def _remember(self, identity: dict[str, Any] | None) -> None:
        self.state.store.put(self.key[0], "servers", self.key[1], {"process": identity})


class ScoringServers:
    """The scoring servers that run."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.running: dict[Key, ScoringServer] = {}
        self.starting: dict[Key, ScoringServer] = {}
        self.leaving: set[Key] = set()  # deployments that are being deleted: what waits to start does not
        self.changing: dict[Key, asyncio.Lock] = collections.defaultdict(asyncio.Lock)  # one change at a time

    def resume(self) -> None:
        """Starts the servers of the deployments that a process that is gone had served."""
        for document in self.state.store.list("servers"):
            processes.end_stray(document.body["process"])
        for document in self.state.store.list("deployments"):
            if document.body["properties"]["provisioningState"] == "Succeeded":
                key = (document.scope, document.name.lower())
                try:
                    self.running[key] = ScoringServer(self.state, key, plan(self.state, document))
                except AzureError as error:
                    self.state.log.error("deployment %s: %s", document.name, error.message)

    async def close(self) -> None:
        """Ends every server."""
        await asyncio.gather(*(server.stop() for server in self.running.values()))
        self.running.clear()

    def serving(self, key: Key) -> ScoringServer | None:
        """Returns the server of a deployment, or None."""
        return self.running.get(key)

    async def remove(self, key: Key) -> None:
        """Ends the server of a deployment, even one that only starts; returns when its process is gone."""
        self.leaving.add(key)
        try:
            starting = self.starting.get(key)
            if starting is not None:
                await starting.stop()
            async with self.changing[key]:
                server = self.running.pop(key, None)
                if server is not None:
                    await server.stop()
                self.state.store.delete(key[0], "servers", key[1])
        finally:
            self.leaving.discard(key)

    async def provide(self, key: Key) -> None:
        """Brings up the server of a deployment, then ends the one that it replaces; one that is the same stays."""
        async with self.changing[key]:
            document = self.state.store.get(key[0], "deployments", key[1])
            if document is None or key in self.leaving:
                raise AzureError(
                    409, "Conflict", f"Deployment {key[1].partition('/')[2]} was deleted before it started."
                )
            wanted = plan(self.state, document)
            before = self.running.get(key)
            if before is not None and before.plan == wanted and before.failure is None:
                await before.wait_ready()
                return
            server = self.starting[key] = ScoringServer(self.state, key, wanted)
            try:
                await server.wait_ready()
            except BaseException:
                await server.stop()
                raise
            finally:
                del self.starting[key]
            self.running[key] = server
            if before is not None:
                await before.stop()
