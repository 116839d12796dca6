"""Faults of jobs, on purpose: preemption, data and storage that refuse, cores that others hold."""

from __future__ import annotations

import time

import pytest
from azure.ai.ml.entities import AmlCompute
from azure.ai.ml.exceptions import JobException
from azure.core.exceptions import HttpResponseError

from tests.local.conftest import SIZE


def test_job_faults(local, fault):
    fault("job-out-of-memory")
    job = local.submit()
    assert local.ended(job) == "Failed"
    with pytest.raises(JobException, match="CUDA out of memory"):
        local.ml.jobs.stream(job)
    fault("job-canceled")
    assert local.ended(local.submit({"seed": 1})) == "Canceled"


def test_a_preempted_job_is_queued_again_and_starts_anew(local, fault):
    fault("preemption")
    job = local.submit({"seed": 4})
    for status in ("Running", "Queued", "Running"):
        local.until(lambda status=status: local.ml.jobs.get(job).status == status)
    assert local.ended(job) == "Completed"
    log = log_of(local, job)
    assert "The node of step finetune was preempted: it starts anew, and what it had done is lost." in log
    assert log.count("fine-tuning") == 2


def log_of(local, job):
    logs = list(local.emulated.home.glob(f"blobs/*/azureml/ExperimentRun/dcid.{job}/logs/azureml/*.txt"))
    return logs[0].read_text() if logs else ""


def test_a_preempted_job_goes_on_from_its_checkpoint(local, fault):
    fault("preemption")
    job = local.submit({"seed": 4, "resume_from_checkpoint": "true"})
    (folder,) = local.until(lambda: list(local.emulated.home.glob(f"jobs/*/{job}/finetune")))
    local.until((folder / "job.json").exists)
    (folder / "scratch").mkdir()
    (folder / "scratch" / "checkpoint").write_text("kept")
    assert local.ended(job) == "Completed"
    assert (folder / "scratch" / "checkpoint").read_text() == "kept"
    assert "it goes on from its last checkpoint" in log_of(local, job)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("data-access-denied", r"ScriptExecution\.StreamAccess\.Authentication"),
        ("upload-time-out", r"Failed to flush task queue within 300\.0 seconds"),
    ],
)
def test_a_job_that_cannot_read_or_write_its_data(local, fault, name, said):
    fault(name)
    job = local.submit()
    assert local.ended(job) == "Failed"
    with pytest.raises(JobException, match=said):
        local.ml.jobs.stream(job)


def test_a_cluster_without_identity_cannot_mount(own):
    """Datastores without keys are mounted with the cluster's identity, which it may not have."""
    from azure.ai.ml.entities import IdentityConfiguration

    own.emulated.down()
    (own.emulated.home / "settings.yaml").write_text("workspace: {datastore_auth: identity}\n")
    own.emulated.up()
    job = own.submit()
    assert own.ended(job) == "Failed"
    with pytest.raises(JobException, match=r"ScriptExecution\.StreamAccess\.Authentication"):
        own.ml.jobs.stream(job)
    identity = IdentityConfiguration(type="system_assigned")
    own.ml.compute.begin_create_or_update(AmlCompute(name="known", size=SIZE, identity=identity)).result()
    other = own.submit({"compute_finetune": "known"})
    assert own.ended(other) == "Completed"


def test_a_job_whose_output_is_empty(local, fault):
    from azure.ai.ml.entities import Model

    fault("job-output-empty")
    job = local.submit()
    assert local.ended(job) == "Completed"
    path = f"azureml://jobs/{job}/outputs/trained_model"
    with pytest.raises(HttpResponseError):
        local.ml.models.create_or_update(Model(name="empty", version="1", path=path, type="mlflow_model"))


def test_a_log_that_cannot_be_read(local, fault, capsys):
    fault("log-unreadable")
    job = local.submit()
    local.ml.jobs.stream(job)  # the XML stands where the log would
    assert "<Code>AuthorizationFailure</Code>" in capsys.readouterr().out
    assert local.ended(job) == "Completed"


def test_a_job_waits_for_cores_that_others_hold(own):
    """As on Azure it stays Queued, without an error, until they are free."""
    own.emulated.down()
    (own.emulated.home / "settings.yaml").write_text("quota: {families: {standardNCADSA100v4Family: 24}}\n")
    own.emulated.up()
    holder = AmlCompute(name="holder", size=SIZE, min_instances=1, max_instances=1)
    own.ml.compute.begin_create_or_update(holder).result()
    job = own.submit()
    own.until(lambda: own.ml.jobs.get(job).status == "Queued")
    time.sleep(1)
    assert own.ml.jobs.get(job).status == "Queued"
    other = own.ml.jobs.create_or_update(command_without_cluster())  # what needs no such cores is not held up
    assert own.ended(other.name) == "Completed"
    own.ml.compute.begin_delete("holder").wait()
    assert own.ended(job) == "Completed"
    too_many = own.submit({"num_nodes_finetune": 2})
    assert own.ended(too_many) == "Failed"
    with pytest.raises(JobException, match="Requested 2 nodes but AzureMLCompute cluster only has 1 maximum nodes"):
        own.ml.jobs.stream(too_many)
    own.ml.compute.begin_create_or_update(AmlCompute(name="gpu-cluster", size=SIZE, max_instances=2)).result()
    over = own.ml.jobs.create_or_update(own.job({"num_nodes_finetune": 2}))
    assert own.ended(over.name) == "Failed"
    with pytest.raises(JobException, match="JobNodeCountExceedsCoreQuota"):
        own.ml.jobs.stream(over.name)


def command_without_cluster():
    from azure.ai.ml import command

    return command(command="echo", environment="azureml://registries/azureml/environments/sklearn-1.5/versions/1")


def test_a_size_without_gpu_cannot_train(local):
    local.ml.compute.begin_create_or_update(AmlCompute(name="no-gpu", size="Standard_E4s_v3")).result()
    job = local.submit({"compute_finetune": "no-gpu"})
    assert local.ended(job) == "Failed"
    with pytest.raises(JobException, match="SKUNotSupported"):
        local.ml.jobs.stream(job)
