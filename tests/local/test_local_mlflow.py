"""MLflow through the workspace: a job's run, its metrics, and the routes that azureml-mlflow needs."""

from __future__ import annotations

import contextlib
import os
import sqlite3

import pytest
import requests


@pytest.fixture
def tracking(local):
    """The tracking URI of a job on this machine, and the REST base that azureml-mlflow makes of the workspace's."""
    words = local.emulated.workspace
    path = f"/subscriptions/{words['subscription_id']}/resourceGroups/{words['resource_group']}"
    path += f"/providers/Microsoft.MachineLearningServices/workspaces/{words['workspace']}"
    return (
        local.tracking(),
        f"https://eastus.api.azureml.ms/mlflow/v2.0{path}",
        f"https://eastus.api.azureml.ms/history/v1.0{path}",
    )


@pytest.fixture
def bearer(local):
    """The header of a signed-in client."""
    return {"Authorization": f"Bearer {local.ml._credential.get_token('https://management.azure.com/.default').token}"}


def test_a_job_has_a_run_of_its_name(local, tracking):
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    job = local.submit(experiment_name="tracked")
    client = MlflowClient(tracking[0])
    assert client.get_run(job).info.status == "RUNNING"
    client.log_metric(job, "loss", 2.5, step=1)
    client.log_metric(job, "loss", 1.5, step=2)
    assert local.ended(job) == "Completed"
    local.until(lambda: client.get_run(job).info.status == "FINISHED")
    assert [(each.step, each.value) for each in client.get_metric_history(job, "loss")] == [(1, 2.5), (2, 1.5)]
    experiment = client.get_experiment_by_name("tracked").experiment_id
    query = f"tags.mlflow.rootRunId = '{job}'"
    assert [run.info.run_id for run in client.search_runs([experiment], query, ViewType.ALL)] == [job]
    os.environ.pop("MLFLOW_RUN_ID", None)


def test_a_failed_job_has_a_failed_run(local, tracking):
    from mlflow import MlflowClient

    job = local.submit({"seed": 2})
    assert local.ended(job) == "Failed"
    assert MlflowClient(tracking[0]).get_run(job).info.status == "FAILED"


def test_azure_mls_own_batch_and_errors(local, tracking, bearer):
    job = local.submit()
    _, rest, _ = tracking
    body = {
        "run_id": job,
        "metrics": [{"key": "loss", "value": 1, "timestamp": 1, "step": 0}],
        "params": [],
        "tags": [],
    }
    answer = requests.post(f"{rest}/api/2.0/preview/mlflow/runs/log-batch-async", json=body, headers=bearer, timeout=20)
    assert (answer.status_code, answer.json()) == (200, {})
    run = requests.get(f"{rest}/api/2.0/mlflow/runs/get", params={"run_id": job}, headers=bearer, timeout=20).json()[
        "run"
    ]
    assert run["data"]["metrics"][0]["key"] == "loss"
    assert run["info"]["artifact_uri"].startswith("azureml://eastus.api.azureml.ms/mlflow/v2.0/subscriptions/")
    missing = requests.get(f"{rest}/api/2.0/mlflow/runs/get", params={"run_id": "none"}, headers=bearer, timeout=20)
    assert (missing.status_code, missing.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert requests.get(f"{rest}/api/2.0/mlflow/runs/get", params={"run_id": job}, timeout=20).status_code == 401


def test_artifacts_go_to_the_jobs_place(local, tracking, bearer):
    job = local.submit()
    base = f"{tracking[2]}/experiments/tests/runs/{job}/artifacts"
    wanted = {"paths": [{"path": "plots/loss.txt"}]}
    given = requests.post(f"{base}/batch/metadata", json=wanted, headers=bearer, timeout=20).json()
    uri = given["artifactContentInformation"]["plots/loss.txt"]["contentUri"]
    assert requests.put(uri, data=b"falling", headers={"x-ms-blob-type": "BlockBlob"}, timeout=20).status_code == 201
    listed = requests.get(base, headers=bearer, timeout=20).json()["value"]
    assert "plots/loss.txt" in [each["path"] for each in listed]
    uri = requests.get(f"{base}/contentinfo", params={"path": "plots/loss.txt"}, headers=bearer, timeout=20).json()[
        "contentUri"
    ]
    assert requests.get(uri, headers={"x-ms-range": "bytes=0-3"}, timeout=20).content == b"fall"


def test_a_run_that_a_client_makes_knows_its_artifacts_at_once(tracking, bearer):
    base = f"{tracking[1]}/api/2.0/mlflow/runs"
    made = requests.post(f"{base}/create", json={"experiment_id": "0"}, headers=bearer, timeout=20).json()["run"][
        "info"
    ]
    assert made["artifact_uri"].endswith(f"/experiments/0/runs/{made['run_id']}/artifacts")
    found = requests.get(f"{base}/get", params={"run_id": made["run_id"]}, headers=bearer, timeout=20).json()["run"]
    assert found["info"]["artifact_uri"] == made["artifact_uri"]


def test_workspaces_do_not_see_each_others_runs(local, tracking):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    from scripts.local import launcher
    from scripts.local.core.home import Home

    job = local.submit()
    launcher.register(Home(local.emulated.home), {**local.emulated.workspace, "workspace": "other-runs"})
    other = MlflowClient(tracking[0].replace("local-tests", "other-runs"))
    with pytest.raises(MlflowException, match="not found"):
        other.get_run(job)


def test_a_database_that_mlflow_cannot_open_is_named_and_the_rest_goes_on(own):
    """Sound, but of another version of MLflow; what is damaged as such stops the start."""
    (database,) = own.until(lambda: list(own.emulated.home.glob("mlflow/*.sqlite")))
    own.emulated.down()
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("update alembic_version set version_num = 'of the future'")
    own.emulated.up()
    own.cluster()
    token = own.ml._credential.get_token("https://management.azure.com/.default").token
    url = f"{own.tracking()}/api/2.0/mlflow/experiments/search?max_results=1"
    answer = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=20)
    error = answer.json()["error"]
    assert answer.status_code == 400 and error["message"].startswith(f"{database}: cannot be opened (")
    assert error["message"].endswith("move this away, and it is made anew")
