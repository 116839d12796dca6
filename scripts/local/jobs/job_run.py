"""One job while it runs: its steps in order, each in a process of its own, its log, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.errors import UserError
from scripts.files import read_json
from scripts.local.core import faults, lookup, processes
from scripts.local.core.state import State, Tracking, Workspace
from scripts.local.core.web import AzureError
from scripts.local.jobs import command_step, cores, engine_step, mounts
from scripts.local.jobs.job_reader import JobReader
from scripts.local.jobs.steps import CHAT, Step, StepRun, Value
from scripts.local.resources import models
from scripts.local.resources.jobs import set_status
from scripts.local.resources.run_history import LOG_NAMES
from scripts.local.storage import uris

NEW_NODE = 2.0  # seconds until a preempted job has another node; on Azure minutes or hours


class StepFailed(Exception):
    """A step ended without success; `error` is what the job reports, `told` whether the log says it already."""

    def __init__(self, code: str, message: str, told: bool = False) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message}
        self.told = told


def failure(state: State, error: Exception) -> StepFailed:
    """Returns what a job reports of an exception: whatever it is, the job must end."""
    if isinstance(error, StepFailed):
        return error
    if isinstance(error, AzureError):
        return StepFailed(error.code, error.message)
    if isinstance(error, UserError):  # about a file in the home
        return StepFailed("SystemError", str(error))
    state.log.error("a job failed", exc_info=error)
    return StepFailed("SystemError", f"The local Azure ML could not run the job: {error!r}.")


def folder_of(state: State, workspace: Workspace, job: str) -> Path:
    """Returns the folder in which a job runs; job names are unique within a workspace only."""
    return state.home.jobs / workspace.identifier / job


class JobRun:
    """A job that has its turn. `cancel` makes the work that ends it from outside."""

    def __init__(
        self,
        state: State,
        tracking: Tracking,
        workspace: Workspace,
        name: str,
        cancel: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self.state, self.tracking, self.workspace, self.name, self.cancel = state, tracking, workspace, name, cancel
        self.properties: dict[str, Any] = lookup.job(state, workspace, name).body["properties"]
        self.log = uris.artifacts(state, workspace, name) / LOG_NAMES[self.properties["jobType"]]

    async def run(self) -> None:
        """Runs the job to its end; raises what it fails with."""
        await self.tracking.create_run(self.workspace, self.name, self.properties)
        reader = JobReader(self.state, self.workspace, self.name, self.properties)
        steps = reader.steps()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.touch()
        self._set("Running")
        for note in reader.notes:
            self._say(note)
        try:
            cores.refuse_impossible(self.state, self.workspace, steps)
        except AzureError as error:
            self._say(error.message)
            raise
        statuses = {step.name: "NotStarted" for step in steps}
        failed: StepFailed | None = None
        for step in steps:
            if any(statuses.get(need) != "Completed" for need in step.needs()):
                statuses[step.name] = "Canceled"
                continue
            statuses[step.name] = "Running"
            self._remember(steps=statuses)
            if len(steps) > 1:
                self._say(f"Step {step.name} started.")
            try:
                while not await self._run_step(step, {other.name: other for other in steps}):
                    await self._preempted(step)
                statuses[step.name] = "Completed"
            except Exception as error:
                statuses[step.name] = "Failed"
                failed = failure(self.state, error)
            self._remember(steps=statuses)
            if failed and not (self.properties.get("settings") or {}).get("continue_on_step_failure", True):
                break
        self._set("Finalizing")
        if failed is not None:
            if not failed.told:
                self._say(failed.error["message"])
            raise failed
        if faults.happening(self.state, "job.output"):
            mounts.empty(self.state, self.workspace, self.name, steps)
            return
        models.register_outputs(self.state, self.workspace, self.name, self.properties)

    async def _preempted(self, step: Step) -> None:
        """Puts the job back into the queue, as Azure does when a low priority node is taken away, for a moment here."""
        self._set("Queued")
        lost = "it starts anew, and what it had done is lost"
        what = "it goes on from its last checkpoint" if step.goes_on() else lost
        self._say(f"The node of step {step.name} was preempted: {what}.")
        await asyncio.sleep(NEW_NODE)
        self._set("Running")

    def _folder(self, step: Step) -> Path:
        return folder_of(self.state, self.workspace, self.name) / step.name

    def _set(self, status: str) -> None:
        set_status(self.state, self.workspace.scope, self.name, status)

    async def _run_step(self, step: Step, steps: dict[str, Step]) -> bool:
        """Runs a step to its end; tells whether it came to one, False when its node was taken away."""
        fault = faults.happening(self.state, "job")
        if fault is not None:
            raise StepFailed(fault.code, fault.message)
        folder = self._folder(step)
        if not step.goes_on():  # what a preempted step has left is its checkpoints
            shutil.rmtree(folder, ignore_errors=True)
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        log = folder / "logs" / "executionlogs.txt"
        log.unlink(missing_ok=True)
        log.symlink_to(self.log)
        mounts.refuse(self.state, self.workspace, step)
        inputs = {key: self._path(steps, key, value) for key, value in step.inputs.items()}
        outputs = {key: uris.resolve(self.state, self.workspace, uri) for key, uri in step.outputs.items()}
        tracking = self.tracking.variables(self.workspace, self.name)
        run = StepRun(self.workspace, self.name, self.properties, step, folder, inputs, outputs, tracking)
        child = await (engine_step if step.kind == CHAT else command_step).start(self.state, run)
        taken = asyncio.Event()
        watch = self.state.start(self._watch_faults(child, taken))
        try:
            self._remember(process=child.identity)
            code = await child.process.wait()
        finally:
            watch.cancel()
            await asyncio.shield(child.stop())
            self._remember(process=None)
        if taken.is_set():
            return False
        if step.kind != CHAT:
            command_step.keep_outputs(self.state, run)
        if code != 0:
            raise _failure(folder, step.name, code)
        late = faults.happening(self.state, "job.upload")
        if late is not None:
            raise StepFailed(late.code, late.message)
        return True

    def _path(self, steps: dict[str, Step], key: str, value: Value) -> str:
        """Returns an input as a step gets it: a literal's text, or an absolute path, or a registry URI as it is."""
        if value.literal is not None:
            return value.literal
        uri = steps[value.step].outputs[value.output or ""] if value.step else value.uri or ""
        if uris.REGISTRY.fullmatch(uri):
            return uri
        try:
            path = uris.resolve(self.state, self.workspace, uri, "models" if "model" in value.kind else "data")
        except AzureError as error:
            message = f"Input {key} cannot be read: {error.message}"
            if not uri.lower().startswith("azureml:"):
                message += " Nothing is fetched from outside: put a copy into a datastore of the workspace."
            raise StepFailed("UserError", message) from None
        if not path.exists():
            raise StepFailed("UserError", f"Input {key} cannot be read: {uri} does not exist.")
        return str(path)

    async def _watch_faults(self, child: processes.Child, taken: asyncio.Event) -> None:
        await asyncio.sleep(1)
        if faults.happening(self.state, "job.cancel"):
            self._set("CancelRequested")
            self.state.start(self.cancel())
        elif faults.happening(self.state, "job.preempt"):
            taken.set()
            await child.stop()

    def _remember(self, **content: Any) -> None:
        """Stores the job with other content under some keys: its process, the status of its steps."""
        document = lookup.job(self.state, self.workspace, self.name)
        self.state.store.change(document, **content)

    def _say(self, text: str) -> None:
        with self.log.open("a") as file:
            file.write(f"{time.strftime('%H:%M:%S')} {text}\n")


@dataclass(frozen=True)
class Told:
    """What the engine leaves in error.json."""

    code: str
    message: str


def _failure(folder: Path, step: str, code: int) -> StepFailed:
    with contextlib.suppress(UserError):  # a command writes what it likes
        error = read_json(folder / "error.json", "", Told)
        if error:
            return StepFailed(error.code, error.message, told=True)
    reason = f"ended with exit code {code}" if code >= 0 else f"was ended by signal {-code}"
    if code == -9:
        reason += ", as the system does when memory runs out"
    last = processes.tail(folder / "output.txt", 1)
    said = f" Its last line was: {last}" if last else ""
    return StepFailed("UserError", f"Step {step} {reason}.{said}")
