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
from scripts.errors import FILE, one_line
from scripts.files import refuse
from scripts.local.core import tokens
from scripts.local.core.home import ANEW
from scripts.local.core.state import State, Workspace
from scripts.local.core.store import check_database
from scripts.local.core.web import WORKSPACE, Call, Routes, reply
from scripts.local.resources import mlflow_registry
from scripts.uncollected import uncollected

data = Routes()
ARTIFACT_ROOT = "azureml://local"  # never used: both kinds of artifact get their own place below
# What MLflow raises, uncaught, for a value of another type; the last one is for half a character.
UNREAD = (AttributeError, KeyError, RecursionError, TypeError, ValueError, SystemError)
JOB_SECONDS = 30 * 86400  # a job may last so long
ENDED = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED"}


class MlflowServer:
    """MLflow's store and REST API on one thread of their own."""

    def __init__(self, state: State) -> None:
        for path in state.home.tracking.glob("*.sqlite"):
            check_database(path)
        self.state = state
        self.thread = concurrent.futures.ThreadPoolExecutor(1, "mlflow")
        self.client: Any = None
        self.stores: dict[str, Any] = {}
        self.opened: set[str] = set()
        self.base = ""

    async def open(self, *workspaces: Workspace) -> None:
        """Imports MLflow and opens the workspaces' databases (about 2 s) ahead of need, while the emulator serves."""
        await self._call(self._load)
        for workspace in workspaces:
            if workspace.identifier in self.opened:  # every program that is led here names its workspace
                continue
            self.opened.add(workspace.identifier)
            for found in await self._call(self._registered, workspace):
                mlflow_registry.adopt(self.state, workspace, found)
                await self._call(self._forget, workspace, found.name)

    def _registered(self, workspace: Workspace) -> list[Any]:
        """Returns the models of MLflow's own registry, where an older version of this program kept some."""
        self._enter(workspace)
        _, models = self.stores[workspace.identifier]
        found = list(models.search_registered_models(max_results=1000))
        for each in found:
            each.latest_versions = models.search_model_versions(f"name = '{each.name}'", max_results=1000)
        return found

    def _forget(self, workspace: Workspace, name: str) -> None:
        self.stores[workspace.identifier][1].delete_registered_model(name)

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
        with uncollected():
            from sqlalchemy import event

            from scripts.mlflow_private import SqlLoggedModel, SqlRun, app

        @event.listens_for(SqlRun, "init")  # before the reply to the run's creation is made of it
        def place_run(run: Any, arguments: Any, content: dict[str, Any]) -> None:
            where = f"{content['experiment_id']}/runs/{content['run_uuid']}"
            content["artifact_uri"] = f"{self.base}/experiments/{where}/artifacts"

        @event.listens_for(SqlLoggedModel, "before_insert")
        def place_model(mapper: Any, connection: Any, model: Any) -> None:
            run = model.source_run_id or model.model_id
            root = f"{self.base}/experiments/{model.experiment_id}/runs/{run}"
            model.artifact_location = f"{root}/artifacts/models/{model.model_id}"

        app.config["PROPAGATE_EXCEPTIONS"] = True  # what it does not catch itself comes to `_request`
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
            try:
                self.stores[workspace.identifier] = (RunStore(database, ARTIFACT_ROOT), ModelStore(database))
            except Exception as error:  # damaged since the start, or another version of MLflow wrote it
                refuse(path, f"cannot be opened ({one_line(error)})", f"put that right, or {ANEW}", FILE)
        runs, models = self.stores[workspace.identifier]
        mlflow_private.use_stores(runs, models)
        self.base = f"azureml://{workspace.region}.api.azureml.ms/mlflow/v2.0{workspace.path}"
        return runs

    def _request(
        self, workspace: Workspace, method: str, path: str, query: str, body: bytes, kind: str | None
    ) -> Response:
        self._enter(workspace)
        try:
            answer = self.client.open(path, method=method, query_string=query, data=body, content_type=kind)
        except UNREAD as error:
            return reply({"error_code": "BAD_REQUEST", "message": f"MLflow cannot read the request: {error}."}, 400)
        if answer.status_code == 500 and b"invalid literal for int()" in answer.data:  # an id that is not a number
            return reply({**answer.get_json(), "error_code": "BAD_REQUEST"}, 400)
        return Response(answer.data, answer.status_code, media_type=answer.content_type)

    async def request(self, workspace: Workspace, request: Request, body: bytes, path: str) -> Response:
        """Passes a request on to MLflow."""
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

    def variables(self, workspace: Workspace, job: str) -> dict[str, str]:
        """Returns the variables that lead a job's MLflow to the plain listener, with a token that ends with the job.

        A name and a password too: MLflow would prefer to the token those that the user keeps in ~/.mlflow/credentials.
        """
        token = tokens.make_token(self.state, tokens.tracking(workspace.scope), JOB_SECONDS, job=job)
        return {
            "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{self.state.record.plain_port}/mlflow/v2.0{workspace.path}",
            "MLFLOW_TRACKING_TOKEN": token,
            "MLFLOW_TRACKING_USERNAME": "job",
            "MLFLOW_TRACKING_PASSWORD": token,
        }


def _create(path: Path) -> None:
    """Makes an empty database of MLflow's, whole or not at all: its migrations cannot go on where a kill ended them."""
    import sqlalchemy

    from scripts.mlflow_private import initialize_tables

    partial = path.with_suffix(".partial")
    for left in path.parent.glob(f"{partial.name}*"):
        left.unlink()
    engine = sqlalchemy.create_engine(f"sqlite:///{partial}")

    @sqlalchemy.event.listens_for(engine, "connect")
    def hurry(connection: Any, record: Any) -> None:  # hundreds of steps need not be on the disk one by one
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=MEMORY")

    initialize_tables(engine)
    engine.dispose()
    with partial.open("rb") as made:
        os.fsync(made.fileno())
    partial.rename(path)


async def forward(call: Call) -> Any:
    """Answers MLflow's REST API under the workspace's tracking URI."""
    path = "/api/" + call.words["rest"]
    if "/mlflow/logged-models" in path and not call.state.settings.logged_models:
        return _no_logged_models(call, path)
    if path.endswith("/preview/mlflow/runs/log-batch-async"):  # azureml-mlflow's own; an empty reply means: done
        response = await call.parts.tracking.request(call.ws, call.request, call.body, "/api/2.0/mlflow/runs/log-batch")
        return {} if response.status_code == 200 else response
    return await call.parts.tracking.request(call.ws, call.request, call.body, path)


def _no_logged_models(call: Call, path: str) -> Response:
    """Answers MLflow 3's logged models as Azure ML does (AzureML field notes, 2026), but for the search for them.

    MLflow's client searches before it lists artifacts of a run; what Azure ML answers is unverified.
    """
    if path.rstrip("/").endswith("/search"):
        return reply({"models": []})
    message = (
        "Azure Machine Learning does not serve MLflow 3's logged models, so that log_model fails: pin mlflow below 3, "
        f"or set tracking.logged_models in {call.state.home.settings} for the local Azure ML."
    )
    return reply({"error_code": "ENDPOINT_NOT_FOUND", "message": message}, 404)


for version in ("v1.0", "v2.0"):
    data("GET POST PUT PATCH DELETE", f"/mlflow/{version}{WORKSPACE}/api/{{rest:path}}")(forward)
