"""Metrics from the MLflow service of Azure ML on localhost, through the workspace's own tracking URI."""

from __future__ import annotations

import time
from typing import Any

import pytest

from scripts.metrics import job_runs, table
from scripts.values.read import load
from tests.conftest import Emulated

pytestmark = pytest.mark.slow


def test_a_job_and_its_steps_are_read(emulator: Emulated, ml_client: tuple[Any, Any]) -> None:
    from mlflow.entities import Metric, Param, RunTag

    values = load("demo", [f"azure.{key}={value}" for key, value in emulator.workspace.items()])
    store = job_runs.store(values, ml_client[0])
    experiment = store.create_experiment(f"metrics-{time.time_ns()}")
    job = store.create_run(experiment, "user", 1_000, [], "the job").info.run_id
    tags = [RunTag("mlflow.rootRunId", job), RunTag("mlflow.parentRunId", job)]
    step = store.create_run(experiment, "user", 2_000, tags, "the step").info.run_id
    losses = [Metric("loss", 4 - at / 100, 1_000 + at, at) for at in range(300)]
    store.log_batch(step, losses, [Param("lora_r", "16")], [])
    store.log_batch(job, [Metric("eval_loss", 3.5, 1_000, 299)], [], [])

    runs = job_runs.family(store, job)
    assert [(run.identifier, run.name) for run in runs] == [(job, "the job"), (step, "the step")]
    assert len(runs[1].metrics["loss"]) == 300 and runs[1].last["loss"] == pytest.approx(1.01)
    assert runs[1].params == {"lora_r": "16"}
    head, *lines = table.progress(runs)
    assert head == ["step", "loss", "eval_loss"] and lines[-1] == ["299", "1.01", "3.5"]
