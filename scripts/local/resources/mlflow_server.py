"""MLflow: the real tracking server, embedded. Its Flask application is called in a thread, as it and its import block.
Each workspace has a database of its own.

Two things are added to it: a job's run is made with the job's name as its id, and artifact URIs have the form that
azureml-mlflow reads. The asynchronous batch is Azure ML's own route.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import os
import time
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from scripts import mlflow_private
from scripts.local.core.state import State, Workspace
from scripts.local.core.web import WORKSPACE, Call, Routes

data = Routes()
ARTIFACT_ROOT = "azureml://local"  # never used: both kinds of artifact get their own place below
ENDED = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED"}


class MlflowServer:
    """MLflow's store and REST API on one thread of their own."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.thread = concurrent.futures.ThreadPoolExecutor(1, "mlflow")
        self.client: Any = None
        self.stores: dict[str, Any] = {}
        self.base = ""

    async def open(self, *workspaces: Workspace) -> None:
        """Imports MLflow and opens the workspaces' databases (about 2 s) ahead of need, while the emulator serves."""
        await self._call(self._load)
        for workspace in workspaces:
            await self._call(self._enter, workspace)

    def close(self) -> None:
        """Ends the thread, after what it is doing."""
        self.thread.shutdown(wait=False, cancel_futures=True)

    async def _call(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.thread, functools.partial(function, *arguments))

    def _load(self) -> None:
        if self.client is not None:
            return
        self.state.home.tracking.mkdir(exist_ok=True)
        os.environ |= {
            mlflow_private.ARTIFACT_ROOT_VARIABLE: ARTIFACT_ROOT,
            "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",  # the emulator's own check of the Host header stands
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        from sqlalchemy import event

        from scripts.mlflow_private import SqlLoggedModel, SqlRun, app

        @event.listens_for(SqlRun, "before_insert")
        def place_run(mapper: Any, connection: Any, run: Any) -> None:
            run.artifact_uri = f"{self.base}/experiments/{run.experiment_id}/runs/{run.run_uuid}/artifacts"

        @event.listens_for(SqlLoggedModel, "before_insert")
        def place_model(mapper: Any, connection: Any, model: Any) -> None:
            run = model.source_run_id or model.model_id
            root = f"{self.base}/experiments/{model.experiment_id}/runs/{run}"
            model.artifact_location = f"{root}/artifacts/models/{model.model_id}"

        self.client = app.test_client()

    def _enter(self, workspace: Workspace) -> Any:
        """Makes MLflow work on a workspace's stores (one thread: nobody else is inside) and returns its run store."""
        self._load()
        if workspace.identifier not in self.stores:
            from scripts.mlflow_private import ModelStore, RunStore

            path = self.state.home.tracking / f"{workspace.identifier}.sqlite"
            if not path.exists():
                _create(path)
            database = f"sqlite:///{path}"
            self.stores[workspace.identifier] = (RunStore(database, ARTIFACT_ROOT), ModelStore(database))
        runs, models = self.stores[workspace.identifier]
        mlflow_private.use_stores(runs, models)
        self.base = f"azureml://{workspace.region}.api.azureml.ms/mlflow/v2.0{workspace.path}"
        return runs

    def _request(
        self, workspace: Workspace, method: str, path: str, query: str, body: bytes, kind: str | None
    ) -> Response:
        self._enter(workspace)
        answer = self.client.open(path, method=method, query_string=query, data=body, content_type=kind)
        return Response(answer.data, answer.status_code, media_type=answer.content_type)

    async def request(self, workspace: Workspace, request: Request, path: str) -> Response:
        """Passes a request on to MLflow."""
        body = await request.body()
        kind = request.headers.get("content-type")
        return await self._call(self._request, workspace, request.method, path, request.url.query, body, kind)

    async def create_run(self, workspace: Workspace, job: str, properties: dict[str, Any]) -> None:
        """Makes the run of a job, with the job's name as its id; does nothing where there is one."""
        await self._call(self._create_run, workspace, job, properties["experimentName"], properties["displayName"])

    def _create_run(self, workspace: Workspace, job: str, experiment: str, display_name: str) -> None:
        store = self._enter(workspace)
        from scripts.mlflow_private import SqlRun, SqlTag

        found = store.get_experiment_by_name(experiment)
        identifier = found.experiment_id if found else store.create_experiment(experiment)
        tags = {"mlflow.rootRunId": job, "mlflow.runName": display_name, "mlflow.user": "local user"}
        with store.ManagedSessionMaker(read_only=False) as session:
            if session.get(SqlRun, job) is None:
                run = SqlRun(
                    run_uuid=job,
                    name=display_name,
                    experiment_id=int(identifier),
                    status="RUNNING",
                    lifecycle_stage="active",
                    source_type="UNKNOWN",
                    source_name="",
                    entry_point_name="",
                    source_version="",
                    user_id="local user",
                    start_time=int(time.time() * 1000),
                    tags=[SqlTag(key=key, value=value) for key, value in tags.items()],
                )
                session.add(run)

    async def end_run(self, workspace: Workspace, job: str, status: str) -> None:
        """Gives the run of a job the status with which the job ended."""
        await self._call(self._end_run, workspace, job, ENDED[status])

    def _end_run(self, workspace: Workspace, job: str, status: str) -> None:
        store = self._enter(workspace)
        from scripts.mlflow_private import SqlRun

        with store.ManagedSessionMaker(read_only=False) as session:
            run = session.get(SqlRun, job)
            if run is not None:
                run.status, run.end_time = status, int(time.time() * 1000)

    def address(self, workspace: Workspace) -> str:
        """Returns the tracking URI for a job on this machine: the plain listener, which needs no token."""
        return f"http://127.0.0.1:{self.state.record.plain_port}/mlflow/v2.0{workspace.path}"


def _create(path: Path) -> None:
    """Makes an empty database of MLflow's, whole or not at all: its migrations cannot go on where a kill ended them."""
    import sqlalchemy

    from scripts.mlflow_private import initialize_tables

    partial = path.with_suffix(".partial")
    for left in path.parent.glob(f"{partial.name}*"):
        left.unlink()
    engine = sqlalchemy.create_engine(f"sqlite:///{partial}")
    initialize_tables(engine)
    engine.dispose()
    partial.rename(path)


async def forward(call: Call) -> Any:
    """Answers MLflow's REST API under the workspace's tracking URI."""
    path = "/api/" + call.words["rest"]
    if path.endswith("/preview/mlflow/runs/log-batch-async"):  # azureml-mlflow's own; an empty reply means: done
        response = await call.parts.tracking.request(call.ws, call.request, "/api/2.0/mlflow/runs/log-batch")
        return {} if response.status_code == 200 else response
    return await call.parts.tracking.request(call.ws, call.request, path)


for version in ("v1.0", "v2.0"):
    data("GET POST PUT PATCH DELETE", f"/mlflow/{version}{WORKSPACE}/api/{{rest:path}}")(forward)
