"""The job of type finetuning: the same run in other words, which the SDK's loader takes as they are."""

import re

import pytest
import yaml

from scripts.azure import job_kinds
from scripts.preflight import checklist
from scripts.render import render
from scripts.values.read import load
from tests.preflight.conftest import made

KIND = ("job.kind=finetuning", "dataset.splits.heldout=null")
JOB = "pipelines/prod/finetune.yml"


def rendered(*sets: str) -> dict[str, str]:
    return render(load("prod", sets), data_version="abc123")


def test_the_pipeline_is_rendered_unless_another_kind_is_chosen():
    assert rendered("job.kind=pipeline") == rendered()
    assert set(rendered(*KIND)) == set(rendered())
    differ = {name for name, text in rendered(*KIND).items() if text != rendered()[name]}
    assert differ == {JOB}  # data, model, cluster, endpoint and deployment are the same


def test_both_kinds_say_the_same_of_the_run():
    other, job = (yaml.safe_load(rendered(*sets)[JOB]) for sets in ((), KIND))
    for key in ("display_name", "experiment_name", "description", "tags"):
        assert job[key] == other[key]
    step = other["jobs"]["chat_completion"]["inputs"]
    given = {name: value for name, value in step.items() if f"{name}: {value}" and name in job["hyperparameters"]}
    assert job["hyperparameters"] == {name: str(value) for name, value in given.items()}
    taken = {"mlflow_model_path", "task_name", *(name for name in step if re.match("compute_|.*_file_path$", name))}
    assert set(step) - set(job["hyperparameters"]) == taken
    assert job["model"] == other["inputs"]["mlflow_model_path"]
    assert job["training_data"] == other["inputs"]["train_file_path"]
    assert job["validation_data"] == other["inputs"]["validation_file_path"]
    assert job["compute"] == step["compute_finetune"]
    assert job["outputs"] == {"registered_model": {"type": "mlflow_model", "name": "Phi-4-ultrachat-200k"}}


def test_it_says_who_decided_and_that_nobody_has_seen_it_run():
    text = rendered(*KIND, "finetune.seed=7")[JOB]
    assert f"# {job_kinds.EXPERIMENTAL}.\n" in text
    assert 'seed: "7"  # --set\n' in text and 'lora_r: "8"  # component\n' in text
    assert max(map(len, text.splitlines())) <= 120


def test_the_sdk_reads_it_as_it_is_meant(tmp_path):
    from azure.ai.ml import load_job

    from scripts.azure import sdk_private

    path = tmp_path / "finetune.yml"
    path.write_text(rendered(*KIND)[JOB])
    job = load_job(path)
    sent = job._to_rest_object().as_dict()["properties"]
    written = yaml.safe_load(path.read_text())
    assert sent["jobType"] == "FineTuning" and sent["computeId"] == "gpu-cluster"
    assert sent["fineTuningDetails"]["hyperParameters"] == written["hyperparameters"]
    assert sent["outputs"]["registered_model"]["assetName"] == "Phi-4-ultrachat-200k"
    assert sdk_private.to_dict(job)["hyperparameters"] == written["hyperparameters"]


@pytest.mark.parametrize("name", ["gpu-memory", "time-and-cost", "endpoint-cost", "node-disk", "training-rows"])
def test_it_is_estimated_as_the_pipeline_is(name):
    found = [checklist.result_of(checklist.named(name), made("prod", *sets)) for sets in ((), KIND)]
    assert found[0] == found[1]
