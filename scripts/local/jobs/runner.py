"""Runs jobs: a queue, and for each job its steps in order, each in a process of its own.

The status of a job is stored before anything is done about it. What a kill interrupted is settled at the next start: a
job that waited is queued again, one that ran has failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

from scripts.local.core import faults, lookup, processes
from scripts.local.core.parts import Key, Tracking
from scripts.local.core.state import State
from scripts.local.core.store import Document
from scripts.local.core.web import AzureError
from scripts.local.core.workspace_record import Workspace
from scripts.local.jobs import command_step, engine_step
from scripts.local.jobs.job_reader import JobReader
from scripts.local.jobs.steps import CHAT, Step, StepRun, Value
from scripts.local.resources import models
from scripts.local.resources.jobs import ENDED, set_status
from scripts.local.resources.run_history import LOG_NAMES
from scripts.local.storage import containers, uris

STOPPED = "The local Azure ML was stopped while the job ran."


class StepFailed(Exception):
    """A step ended without success; `error` is what the job reports, `told` whether the log says it already."""

    def __init__(self, code: str, message: str, told: bool = False) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message}
        self.told = told


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
        if status in ("NotStarted", "Queued"):
            return None
        if status == "CancelRequested":
            set_status(self.state, workspace.scope, name, "Canceled")
        else:
            error = {"code": "SystemError", "message": STOPPED}
            set_status(self.state, workspace.scope, name, "Failed", error)
        return str(lookup.job(self.state, workspace, name).body["status"])

    def using_compute(self, workspace: Workspace, compute: str) -> str | None:
        """Returns the name of a job that runs or waits on a compute, or None."""
        for scope, name in self.tasks:
            if scope == workspace.scope:
                document = lookup.job(self.state, workspace, name)
                steps = JobReader(self.state, workspace, name, document.body["properties"]).steps()
                if any(step.compute and step.compute.lower() == compute.lower() for step in steps):
                    return name
        return None

    def folder(self, workspace: Workspace, job: str) -> Path:
        """Returns the folder in which a job runs; job names are unique within a workspace only."""
        return self.state.home.jobs / workspace.identifier / job

    def steps(self, workspace: Workspace, document: Document) -> list[dict[str, Any]]:
        """Returns the steps of a job with their status, down to those within the fine-tuning component."""
        found = []
        for name, status in (document.body.get("steps") or {}).items():
            found.append({"name": name, "status": status})
            with contextlib.suppress(FileNotFoundError, ValueError):
                inner = json.loads((self.folder(workspace, document.name) / name / "steps.json").read_text())
                found += [{"name": f"{name}.{step['name']}", "status": step["status"]} for step in inner["steps"]]
        return found

    # -- one job

    async def _job(self, workspace: Workspace, name: str) -> None:
        scope = workspace.scope
        set_status(self.state, scope, name, "Queued")
        async with self.slots:
            if not set_status(self.state, scope, name, "Preparing"):
                return
            try:
                await self._run(workspace, name)
            except Exception as error:
                await self._end(workspace, name, "Failed", self._failed(error).error)
            else:
                await self._end(workspace, name, "Completed")

    def _failed(self, error: Exception) -> StepFailed:
        """Returns what a job reports of an exception: whatever it is, the job must end."""
        if isinstance(error, StepFailed):
            return error
        if isinstance(error, AzureError):
            return StepFailed(error.code, error.message)
        self.state.log.error("a job failed", exc_info=error)
        return StepFailed("SystemError", f"The local Azure ML could not run the job: {error}.")

    async def _run(self, workspace: Workspace, name: str) -> None:
        document = lookup.job(self.state, workspace, name)
        properties = document.body["properties"]
        await self.tracking.create_run(workspace, name, properties)
        steps = JobReader(self.state, workspace, name, properties).steps()
        log = self._log(workspace, name, properties["jobType"])
        states = {step.name: "NotStarted" for step in steps}
        set_status(self.state, workspace.scope, name, "Running")
        failed: StepFailed | None = None
        for step in steps:
            if any(states.get(need) != "Completed" for need in step.needs()):
                states[step.name] = "Canceled"
                continue
            self._step_state(workspace, name, states, step.name, "Running")
            if len(steps) > 1:
                self._say(log, f"Step {step.name} started.")
            try:
                await self._step(workspace, name, properties, steps, step, log)
                self._step_state(workspace, name, states, step.name, "Completed")
            except Exception as error:
                self._step_state(workspace, name, states, step.name, "Failed")
                failed = self._failed(error)
                if not (properties.get("settings") or {}).get("continue_on_step_failure", True):
                    break
        set_status(self.state, workspace.scope, name, "Finalizing")
        if failed is not None:
            if not failed.told:
                self._say(log, failed.error["message"])
            raise failed
        models.register_outputs(self.state, workspace, name, properties)

    async def _step(
        self, workspace: Workspace, job: str, properties: dict[str, Any], steps: list[Step], step: Step, log: Path
    ) -> None:
        fault = faults.happening(self.state, "job")
        if fault is not None:
            raise StepFailed(fault.code, fault.message)
        folder = self.folder(workspace, job) / step.name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "logs").mkdir(parents=True)
        (folder / "logs" / "executionlogs.txt").symlink_to(log)
        inputs = {key: self._path(workspace, steps, key, value) for key, value in step.inputs.items()}
        outputs = {key: uris.resolve(self.state, workspace, uri) for key, uri in step.outputs.items()}
        run = StepRun(workspace, job, properties, step, folder, inputs, outputs, self.tracking.address(workspace))
        child = await (engine_step if step.kind == CHAT else command_step).start(self.state, run)
        self._remember(workspace, job, child.identity)
        cancel = self.state.start(self._cancel_by_fault(workspace, job))
        try:
            code = await child.wait()
        finally:
            cancel.cancel()
            await asyncio.shield(child.stop())
            self._remember(workspace, job, None)
        if code != 0:
            raise _failure(folder, step.name, code)

    def _path(self, workspace: Workspace, steps: list[Step], key: str, value: Value) -> str:
        """Returns an input as a step gets it: a literal's text, or an absolute path, or a registry URI as it is."""
        if value.literal is not None:
            return str(value.literal)
        uri = value.uri or ""
        if value.step and value.output:
            uri = next(step for step in steps if step.name == value.step).outputs[value.output]
        if uris.REGISTRY.fullmatch(uri):
            return uri
        path = uris.resolve(self.state, workspace, uri, "models" if "model" in value.kind else "data")
        if not path.exists():
            raise StepFailed("UserError", f"Input {key} cannot be read: {uri} does not exist.")
        return str(path)

    async def _cancel_by_fault(self, workspace: Workspace, job: str) -> None:
        await asyncio.sleep(1)
        if faults.happening(self.state, "job.cancel"):
            set_status(self.state, workspace.scope, job, "CancelRequested")
            self.state.start(self.cancel(workspace.scope, job))

    def _remember(self, workspace: Workspace, job: str, identity: dict[str, Any] | None) -> None:
        document = lookup.job(self.state, workspace, job)
        self.state.store.put(workspace.scope, "jobs", job, {**document.body, "process": identity})

    def _step_state(self, workspace: Workspace, job: str, states: dict[str, str], step: str, state: str) -> None:
        states[step] = state
        document = lookup.job(self.state, workspace, job)
        self.state.store.put(workspace.scope, "jobs", job, {**document.body, "steps": states})

    def _log(self, workspace: Workspace, job: str, kind: str) -> Path:
        path = containers.artifacts(self.state, workspace, job) / LOG_NAMES[kind]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path

    def _say(self, log: Path, text: str) -> None:
        with log.open("a") as file:
            file.write(f"{time.strftime('%H:%M:%S')} {text}\n")

    async def _end(self, workspace: Workspace, name: str, status: str, error: dict[str, str] | None = None) -> None:
        try:
            await self.tracking.end_run(workspace, name, status)
        except Exception:  # MLflow's database may be broken or full; the job has ended all the same
            self.state.log.exception("the MLflow run of job %s", name)
        set_status(self.state, workspace.scope, name, status, error)


def _failure(folder: Path, step: str, code: int) -> StepFailed:
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
        error = json.loads((folder / "error.json").read_text())
        return StepFailed(str(error["code"]), str(error["message"]), told=True)
    reason = f"ended with exit code {code}" if code >= 0 else f"was ended by signal {-code}"
    if code == -9:
        reason += ", as the system does when memory runs out"
    tail = ""
    with contextlib.suppress(FileNotFoundError):
        lines = (folder / "output.txt").read_text(errors="replace").strip().splitlines()
        tail = f" Its last line was: {lines[-1]}" if lines else ""
    return StepFailed("UserError", f"Step {step} {reason}.{tail}")
