"""The jobs that run or wait: submitting, cancelling, and what a start finds of them.

The status of a job is stored before anything is done about it. What a kill interrupted is settled at the next start: a
job that waited is queued again, one that ran has failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scripts.errors import UserError
from scripts.files import read_json
from scripts.local.core import lookup, processes
from scripts.local.core.state import Key, State, Tracking, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import AzureError
from scripts.local.jobs import cores, job_run
from scripts.local.jobs.job_reader import JobReader
from scripts.local.jobs.job_run import JobRun
from scripts.local.resources.jobs import ENDED, WAITING, set_status

LOOK_AGAIN = 0.5  # seconds between two looks whether a job's cores are free
STOPPED = "The local Azure ML was stopped while the job ran."


@dataclass(frozen=True)
class InnerStep:
    """A step within the fine-tuning component."""

    name: str
    status: str


@dataclass(frozen=True)
class Inner:
    """What the engine says in steps.json; when a step began and ended is not read here."""

    steps: list[InnerStep]


class Runner:
    """The jobs that run or wait, by (scope, name)."""

    def __init__(self, state: State, tracking: Tracking) -> None:
        self.state, self.tracking = state, tracking
        self.slots = asyncio.Semaphore(state.settings.parallel_jobs)
        self.tasks: dict[Key, asyncio.Task[None]] = {}
        self.observed: set[Key] = set()  # jobs whose status a stream has asked for

    def check(self, workspace: Workspace, job: str, properties: dict[str, Any]) -> None:
        """Raises AzureError for what is wrong in a job."""
        JobReader(self.state, workspace, job, properties).steps()

    def submit(self, workspace: Workspace, name: str) -> None:
        """Queues a job that is stored."""
        key = (workspace.scope, name)
        self.tasks[key] = self.state.start(self._job(workspace, name))
        self.tasks[key].add_done_callback(lambda _: self.tasks.pop(key, None))

    async def cancel(self, scope: str, name: str) -> None:
        """Ends a job; returns when its processes are gone and its status is Canceled."""
        task = self.tasks.get((scope, name))
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        workspace = lookup.workspace_of_scope(self.state, scope)
        if lookup.job(self.state, workspace, name).body["status"] not in ENDED:
            await self._end(workspace, name, "Canceled")

    async def close(self) -> None:
        """Ends all jobs because the emulator stops: those that ran have failed, those that waited wait on."""
        running = {key: task for key, task in self.tasks.items() if not task.done()}
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)
        for scope, name in running:
            workspace = lookup.workspace_of_scope(self.state, scope)
            status = self._settle(workspace, name)
            if status is not None:
                await self.tracking.end_run(workspace, name, status)

    def resume(self) -> None:
        """Settles the jobs of a process that is gone; their runs follow in the background, as MLflow takes a while."""
        for document in self.state.store.list("jobs"):
            if document.body["status"] not in ENDED:
                processes.end_stray(document.body.get("process"))
                workspace = lookup.workspace_of_scope(self.state, document.scope)
                status = self._settle(workspace, document.name)
                if status is None:
                    self.submit(workspace, document.name)
                else:
                    self.state.start(self.tracking.end_run(workspace, document.name, status))

    def _settle(self, workspace: Workspace, name: str) -> str | None:
        """Ends a job whose process is gone and returns its status, or None for one that had only waited."""
        status = lookup.job(self.state, workspace, name).body["status"]
        if status in WAITING:
            return None
        stopped = {"code": "SystemError", "message": STOPPED}
        end, error = ("Canceled", None) if status == "CancelRequested" else ("Failed", stopped)
        set_status(self.state, workspace.scope, name, end, error)
        return str(lookup.job(self.state, workspace, name).body["status"])

    def using_compute(self, workspace: Workspace, compute: str) -> str | None:
        """Returns the name of a job that runs or waits on a compute, or None."""
        return next((job.name for job, _ in self._using(workspace, compute)), None)

    def nodes_at_work(self, workspace: Workspace, compute: str) -> int:
        """Returns how many nodes of a compute the jobs have that run on it."""
        running = [nodes for job, nodes in self._using(workspace, compute) if job.body["status"] == "Running"]
        return max(running, default=0)

    def _using(self, workspace: Workspace, compute: str) -> Iterator[tuple[Document, int]]:
        """Yields the jobs that run or wait on a compute, with the most nodes that a step of theirs takes."""
        for scope, name in self.tasks:
            if scope == workspace.scope:
                document = lookup.job(self.state, workspace, name)
                with contextlib.suppress(AzureError):  # of something that is gone by now
                    steps = JobReader(self.state, workspace, name, document.body["properties"]).steps()
                    nodes = [step.nodes for step in steps if step.compute and step.compute.lower() == compute.lower()]
                    if nodes:
                        yield document, max(nodes)

    def steps(self, workspace: Workspace, document: Document) -> list[dict[str, Any]]:
        """Returns the steps of a job with their status, down to those within the fine-tuning component."""
        folder = job_run.folder_of(self.state, workspace, document.name)
        steps = []
        for name, status in (document.body.get("steps") or {}).items():
            steps.append({"name": name, "status": status})
            with contextlib.suppress(UserError):  # a command writes what it likes
                inner = read_json(folder / name / "steps.json", "", Inner, foreign=True) or Inner([])
                steps += [{"name": f"{name}.{step.name}", "status": step.status} for step in inner.steps]
        return steps

    async def _job(self, workspace: Workspace, name: str) -> None:
        try:
            if not set_status(self.state, workspace.scope, name, "Queued"):
                return
            cancel = functools.partial(self.cancel, workspace.scope, name)
            run = JobRun(self.state, self.tracking, workspace, name, cancel)
            while True:
                await self._cores(workspace, name)
                async with self.slots:
                    if self._waited_for(workspace, name) is None:  # others may have come before it
                        await run.run()
                        break
        except Exception as error:  # whatever it is, the job must end
            failure = job_run.failure(self.state, error)
            await self._end(workspace, name, "Failed", failure.error)
        else:
            await self._end(workspace, name, "Completed")

    async def _cores(self, workspace: Workspace, name: str) -> None:
        """Waits until nobody else holds the cores that a job needs."""
        said = None
        while (reason := self._waited_for(workspace, name)) is not None:
            if reason != said:
                self.state.log.info("job %s: %s", name, reason)
                said = reason
            await asyncio.sleep(LOOK_AGAIN)

    def _waited_for(self, workspace: Workspace, name: str) -> str | None:
        properties = lookup.job(self.state, workspace, name).body["properties"]
        try:
            steps = JobReader(self.state, workspace, name, properties).steps()
        except AzureError:
            return None  # what is wrong by now is said when it runs
        return cores.waited_for(self.state, workspace, steps)

    async def _end(self, workspace: Workspace, job: str, status: str, error: dict[str, str] | None = None) -> None:
        """Stores how a job ended, for MLflow too."""
        try:
            await self.tracking.end_run(workspace, job, status)
        except Exception:  # MLflow's database may be broken or full; the job has ended all the same
            self.state.log.exception("the MLflow run of job %s", job)
        await self.state.lasting(lambda: set_status(self.state, workspace.scope, job, status, error))
