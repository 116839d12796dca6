"""The runs of a job, read with MLflow's own REST store from the workspace's tracking URI.

azureml-mlflow, the plugin for `azureml://` URIs, would do the same: it turns the URI into the https address below and
sends the login's token along. It is left out because it pins azure-storage-blob below the version that the data sets
need, and with the store alone mlflow-skinny is enough.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from scripts.azure import answers
from scripts.azure.client import ARM
from scripts.errors import FAILED, MISSING, CouldNotAskError, UserError, one_line
from scripts.values.read import Values

# A watched run should say within seconds that the server is gone; MLflow's own patience is minutes.
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
CAPPED = "azureml_local.capped"  # the tag of a run that a cap of the local Azure ML made shorter, in words
ACTIVE_ONLY = 1  # MLflow's ViewType
RUNNING = ("RUNNING", "SCHEDULED")


@dataclass
class Run:
    """A run: the job's own or a step's. `metrics` has (step, value, milliseconds) of every metric, oldest first."""

    identifier: str
    name: str
    status: str
    started: int | None
    ended: int | None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, list[tuple[int, float, int]]] = field(default_factory=dict)

    @property
    def last(self) -> dict[str, float]:
        """The newest value of every metric."""
        return {name: history[-1][1] for name, history in self.metrics.items() if history}


def capped(runs: Sequence[Run]) -> str:
    """Returns which cap made a job shorter than it says, such as `110 of 230 steps (…)`; empty where none did."""
    return next((run.tags[CAPPED] for run in runs if run.tags.get(CAPPED)), "")


def steps(runs: Sequence[Run]) -> int:
    """Returns how many steps a job trained, as far as it has logged them."""
    return max((step for run in runs for step, *_ in run.metrics.get("loss", ())), default=0)


def address(uri: str) -> str:
    """Returns the https address of an azureml:// tracking URI, as azureml-mlflow makes it for MLflow 2 and 3."""
    parts = urlsplit(uri)
    if parts.scheme != "azureml" or not parts.netloc:
        raise UserError(f"the workspace's MLflow tracking URI is {uri!r}; expected azureml://<host>/mlflow/…")
    path = re.sub(r"^/mlflow/v[0-9.]+", "", parts.path)
    return f"https://{parts.netloc}/mlflow/v2.0{path}"


def store(values: Values, client: Any) -> Any:
    """Returns MLflow's REST store for the workspace; every request asks the login for a token (which it keeps)."""
    os.environ.update({name: os.environ.get(name, value) for name, value in PATIENCE.items()})
    name = values.data["azure"]["workspace"]
    workspace = answers.require(
        f"workspace {name}", "azure.workspace in the values names it", client.workspaces.get, name
    )
    if not workspace.mlflow_tracking_uri:
        raise UserError(f"workspace {name} names no MLflow tracking URI", FAILED)
    from scripts.azure.login import Login
    from scripts.mlflow_private import MlflowHostCreds, RestStore

    host, login = address(workspace.mlflow_tracking_uri), Login()
    return RestStore(lambda: MlflowHostCreds(host, token=login.get_token(ARM).token))


def family(tracking: Any, job: str) -> list[Run]:
    """Returns the job's run and then its children's, with the whole history of their metrics."""
    from mlflow.exceptions import MlflowException

    try:
        own = tracking.get_run(job)
        below = f"tags.`mlflow.rootRunId` = '{job}'"
        oldest_first = ["attributes.start_time ASC"]
        family = tracking.search_runs(
            [own.info.experiment_id], below, ACTIVE_ONLY, max_results=200, order_by=oldest_first
        )
        return [_run(tracking, run) for run in (own, *(run for run in family if run.info.run_id != job))]
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"):
            raise UserError(
                f"job {job} has no run in MLflow; az ml job list names the jobs there are", MISSING
            ) from None
        raise CouldNotAskError(one_line(error), f"the runs of job {job} in MLflow") from None


def _run(tracking: Any, found: Any) -> Run:
    info, data = found.info, found.data
    histories = {}
    for name in sorted(data.metrics):
        points = tracking.get_metric_history(info.run_id, name)
        histories[name] = sorted((point.step, point.value, point.timestamp) for point in points)
    return Run(
        identifier=info.run_id,
        name=data.tags.get("mlflow.runName") or info.run_name or info.run_id,
        status=str(info.status),
        started=info.start_time,
        ended=info.end_time,
        params=dict(data.params),
        tags=dict(data.tags),
        metrics=histories,
    )
