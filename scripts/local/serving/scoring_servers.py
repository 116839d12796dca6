"""Scoring servers: the process behind each deployment, probed until it is ready and started again when it ends."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from scripts.local.core import lookup, ports, processes
from scripts.local.core.faults import FAULTS
from scripts.local.core.state import Key, State
from scripts.local.core.store import Document
from scripts.local.core.web import AzureError
from scripts.local.engine import threads
from scripts.local.resources import deployment_log, models
from scripts.local.resources.deployments import PROBES, probe_seconds, seconds
from scripts.local.scoring.door import KEY_VARIABLE
from scripts.local.serving import conda_file

SCORING = "scripts.local.scoring"
RESTARTS = 5  # a server that ends by itself is started again, this often in a row
STEADY = 60.0  # seconds after which an end no longer counts as one in a row


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a server is to be: two equal plans need no new server. `probes`: how long each waits for it, in seconds."""

    model: Path
    concurrent: int
    variables: tuple[tuple[str, str], ...]
    probes: tuple[tuple[str, float], ...] = dataclasses.field(compare=False)
    patience: float = dataclasses.field(compare=False)  # seconds that a request may take, and so what one in work has


def plan(state: State, document: Document) -> Plan:
    """Returns the plan of a deployment's server; raises AzureError where its model cannot be served."""
    properties = document.body["properties"]
    requests = properties["requestSettings"]
    variables = properties.get("environmentVariables") or {}
    return Plan(
        models.folder_of(state, lookup.workspace_of_scope(state, document.scope), properties["model"]),
        requests["maxConcurrentRequestsPerInstance"] * document.body["sku"]["capacity"],
        tuple(sorted((str(key), str(value)) for key, value in variables.items())),
        tuple((name.removesuffix("Probe").capitalize(), probe_seconds(properties.get(name))) for name in PROBES),
        seconds(requests["requestTimeout"]),
    )


def served(document: Document) -> Document | None:
    """Returns what of a deployment serves: itself, before a change that failed, or None where it never came up."""
    before = document.body.get("served")
    if before is None and document.body["properties"]["provisioningState"] != "Succeeded":
        return None
    return dataclasses.replace(document, body={**document.body, **(before or {})})


class ScoringServer:
    """The scoring server of one deployment. `ready` is set while it answers; `failure` says why it never will."""

    def __init__(self, state: State, key: Key, plan: Plan) -> None:
        self.state, self.key, self.plan = state, key, plan
        self.log = deployment_log.folder(state, key) / "log.txt"
        self.port = 0
        self.secret = secrets.token_urlsafe(24)  # whoever sends it comes from the gateway, which asks for the key
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        self.refusing = asyncio.Event()  # the present process takes no more requests, though it may still answer some
        self.served = False  # what ends after it has served is started again
        self.children: set[processes.Child] = set()
        self.failure: str | None = None
        self.refused: AzureError | None = None  # the failure in Azure's words, where there are some
        self.limit = 2 * plan.concurrent  # beyond it Azure answers 429
        self.slots = asyncio.Semaphore(plan.concurrent)
        self.in_flight = self.copies = 0
        self.task = state.start(self._keep())
        self.task.add_done_callback(lambda _: self._ended())  # also where it was cancelled before it began

    async def stop(self, grace: float = processes.GRACE) -> None:
        """Ends the server, which has `grace` seconds for what it is answering; returns when its processes are gone."""
        self.task.cancel()
        await asyncio.gather(self.task, *(child.stop(grace) for child in self.children), return_exceptions=True)

    async def settled(self) -> None:
        """Waits until the server answers, or never will."""
        await _first(self.ready.wait(), self.ended.wait())

    def refuses(self, port: int) -> None:
        """Takes note that nobody listens at a port: the process there ends, and the next one is started at once."""
        if port == self.port and self.ready.is_set():
            self.served = True
            self.ready.clear()
            self.refusing.set()

    async def wait_ready(self) -> None:
        """Waits until the server answers; raises AzureError when it does not come up."""
        await self.settled()
        if not self.ready.is_set():
            raise self.refused or self._crashed()

    def _crashed(self) -> AzureError:
        """Returns the failure of a container that ended: nobody answers its probes, as far as Azure sees."""
        last = processes.tail(self.log, 1)
        error = FAULTS["probe-failed"].error()
        error.message += f" {self.failure}" + (f" Its log ends with: {last}" if last else "")
        return error

    def _ended(self) -> None:
        self.failure = self.failure or "User container was stopped."
        self.ready.clear()
        self.ended.set()

    async def _keep(self) -> None:
        ends = 0
        fault = conda_file.reason(self.plan.model)
        if fault is not None:
            self._say(f"{fault}. On Azure the container ends here, and is not started on this machine.")
            self.failure = fault
            return
        while ends <= RESTARTS:
            started = time.monotonic()
            code = await self._run()
            self.served = self.served or self.ready.is_set()
            self.ready.clear()
            if not self.served:
                self.failure = f"User container has crashed or terminated with exit code {code}."
                return
            ends = 1 if time.monotonic() - started > STEADY else ends + 1
            how = "takes no more requests" if code is None else f"ended with exit code {code}"
            self.state.log.warning("the server of %s %s", self.key[1], how)
            await asyncio.sleep(min(ends - 1, 5))
        self.failure = f"User container has crashed or terminated {ends} times in a row."

    def _say(self, line: str) -> None:
        deployment_log.append(self.log, line)

    async def _run(self) -> int | None:
        """Runs a process until it ends, and returns its exit code; None where it only answers what it has begun."""
        self.port = ports.free()
        self.refusing.clear()
        settings = self.state.settings
        # Tests name another module than SCORING.
        words = ["-m", os.environ.get("AZUREML_LOCAL_SCORING", SCORING), "--model-dir", str(self.plan.model)]
        words += ["--port", str(self.port), "--log", str(self.log), "--max-batch", str(settings.max_batch)]
        words += ["--answer-shape", settings.answer_shape, "--cache-mb", str(settings.cache_mb)]
        words += ["--drain", str(self.plan.patience)]
        words += ["--threads", str(settings.serving_threads)] if settings.serving_threads else []
        variables = {**threads.AT_START, **dict(self.plan.variables), KEY_VARIABLE: self.secret}
        child = await processes.spawn(words, self.log, variables)
        self.children.add(child)
        self._remember(child.identity)
        watch = self.state.start(self._watch())
        try:
            await _first(child.process.wait(), self.refusing.wait())
            return child.process.returncode
        finally:
            watch.cancel()
            self.state.start(self._part_with(child))

    async def _part_with(self, child: processes.Child) -> None:
        await child.stop(self.plan.patience)
        self.children.discard(child)
        if not self.children:
            self._remember(None)

    async def _watch(self) -> None:
        """Asks the probes until they are answered; a server that takes longer than they wait is given up.

        Image pull and the wait for a machine do not count on Azure: its probes' clock starts with the container too.
        """
        import httpx

        settings, started = self.state.settings, time.monotonic()
        deployment_log.event(self.state, self.key, "Started", "Started container inference-server")
        probe, patience = min(self.plan.probes, key=lambda each: each[1])
        allowed = min(patience / settings.start_scale, settings.ready_seconds)
        headers = {"authorization": f"Bearer {self.secret}"}
        async with httpx.AsyncClient(trust_env=False, timeout=5, headers=headers) as client:
            while (passed := time.monotonic() - started) < allowed:
                try:
                    if (await client.get(f"http://127.0.0.1:{self.port}/")).status_code == 200:
                        self._say(f"started: {self._told(passed)}")
                        deployment_log.event(self.state, self.key, "ContainerReady", "Container is ready")
                        self.ready.set()
                        return
                except httpx.HTTPError:
                    pass  # it does not listen yet
                await asyncio.sleep(0.1)
        self.failure = f"It did not answer: {self._told(passed)}."
        self._say(self.failure)
        self.refused = FAULTS["probe-failed"].error()
        self.refused.message = self.refused.message.replace("Liveness", probe) + f" {self.failure}"
        words = f"{probe} probe failed: HTTP probe failed with statuscode: 502"
        deployment_log.event(self.state, self.key, f"{probe}ProbeFailed", words, "Warning")
        self.task.cancel()

    def _told(self, passed: float) -> str:
        """Returns how a start here compares to what the probes allow on Azure."""
        scale = self.state.settings.start_scale
        probes = ", ".join(f"{name.lower()}_probe waits {seconds:g} s" for name, seconds in self.plan.probes)
        return (
            f"{passed:.1f} s here stand for {passed * scale:.0f} s on Azure (serving.start_scale {scale:g}); {probes}"
        )

    def _remember(self, identity: dict[str, Any] | None) -> None:
        with contextlib.suppress(sqlite3.OperationalError):  # a full disk is no reason not to serve
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
        for document in filter(None, map(served, self.state.store.list("deployments"))):
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

    async def remove(self, key: Key, drains: bool = False) -> None:
        """Ends the server of a deployment, even one that only starts; returns when its process is gone.

        `drains`: what it was asked before it lost its traffic has the request timeout to end.
        """
        self.leaving.add(key)
        try:
            serving = self.running.get(key)
            until = time.monotonic() + (serving.plan.patience if serving and drains else 0)
            while serving and serving.in_flight and time.monotonic() < until:
                await asyncio.sleep(0.05)
            starting = self.starting.get(key)
            if starting is not None:
                await starting.stop()
            async with self.changing[key]:
                server = self.running.pop(key, None)
                if server is not None:
                    await server.stop()
                self.state.store.delete(key[0], "servers", key[1])
                shutil.rmtree(deployment_log.folder(self.state, key), ignore_errors=True)
        finally:
            self.leaving.discard(key)

    async def provide(self, key: Key) -> Document:
        """Brings up the server of a deployment, then ends the one that it replaces; one that is the same stays.

        Returns the deployment as it was read: as it is served from now on.
        """
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
                return document
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
                await before.stop(before.plan.patience)
            return document


async def _first(*waits: Coroutine[Any, Any, Any]) -> None:
    """Waits for the first of several things."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
