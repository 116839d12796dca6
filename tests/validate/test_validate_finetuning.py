"""The job of type finetuning: values that it has no place for, and what the SDK lets through in its YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import render
from scripts.azure import autoscale, limits
from scripts.files import ROOT
from scripts.validate.__main__ import notes, validate
from scripts.values import schema
from scripts.values.read import load
from tests.preflight.conftest import SCALES

KIND = ("job.kind=finetuning", "dataset.splits.heldout=null")
JOB = "pipelines/reference/finetune.yml"
HUB = ("model.huggingface_id=microsoft/Phi-3.5-mini-instruct", "model.name=Phi-3.5-mini-instruct")


def found(project: Path, *sets: str) -> list[str]:
    values = load("reference", sets)
    render.write(render.render(values), "reference", project)
    return [str(each) for each in validate(values, project)]


def test_it_is_good_and_said_to_be_experimental(project: Path) -> None:
    assert found(project, *KIND) == []
    assert any("experimental" in note for note in notes(load("reference", KIND)))
    assert not any("experimental" in note for note in notes(load("reference")))


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (KIND[:1], "values.yaml:77: dataset.splits.heldout: found test_gen"),
        ((*KIND, *HUB), "--set: model.huggingface_id: found microsoft/Phi-3.5-mini-instruct"),
        ((*KIND, "model.finetune_config.lora_algo=peft"), "--set: model.finetune_config: found a mapping"),
        ((*KIND, "dataset.where=azureml"), "--set: dataset.where: found azureml"),
        ((*KIND, "compute.job_identity=managed"), "--set: compute.job_identity: found managed"),
        ((*KIND, "finetune.num_nodes_finetune=2", "compute.max_instances=2"),
         "--set: finetune.num_nodes_finetune: found 2"),
    ],
)  # fmt: skip
def test_what_it_has_no_place_for_is_refused(project: Path, sets: tuple[str, ...], said: str) -> None:
    lines = [line.replace('"', "") for line in found(project, *sets) if "has no place" in line]
    assert [line.partition(", for which a job of type finetuning has no place")[0] for line in lines] == [said]
    assert lines[0].endswith("or take job.kind: pipeline")
    assert not [line for line in found(project, *sets[1:] if sets == KIND[:1] else sets[2:]) if "has no place" in line]


@pytest.mark.parametrize(
    ("before", "after", "key", "said"),
    [
        ("training_data:", "training_date:", "training_data.path", "missing"),
        ("  path: ../../data/reference/validation.jsonl", "", "validation_data.path", "missing"),
        ("compute: gpu-cluster", "", "compute", "the job has no machine"),
        ("compute: gpu-cluster", "compute: gpu-cluster\nresources: {instance_types: [Standard_NC24ads_A100_v4]}",
         "resources.instance_types", "keep one of them"),
        ("compute: gpu-cluster", "compute: other", "compute", "compute.yml makes 'gpu-cluster'"),
        ("num_train_epochs:", "num_train_epoch:", "hyperparameters.num_train_epoch", "did you mean 'num_train_epochs'"),
        ('num_train_epochs: "3"', 'num_train_epochs: "three"', "hyperparameters.num_train_epochs", "a whole number"),
        ('num_train_epochs: "3"', 'num_train_epochs: "0"', "hyperparameters.num_train_epochs", "at least 1"),
        ('num_train_epochs: "3"', "num_train_epochs: 3", "hyperparameters.num_train_epochs", "put it in quotes"),
        ("optim: adamw_torch", "optim: adam", "hyperparameters.optim", "adamw_torch, adafactor"),
        ("task: chat_completion", "task: chat", "task", "chat_completion"),
        ("    name: Phi-3-mini-4k-instruct-ultrachat-200k", "    name: ''", "outputs.registered_model.name", "missing"),
        ("  base_model: Phi-3-mini-4k-instruct", "  base_model: 7", "tags.base_model", "expected text"),
    ],
)  # fmt: skip
def test_what_a_hand_breaks_is_named(project: Path, before: str, after: str, key: str, said: str) -> None:
    assert found(project, *KIND) == []
    path = project / JOB
    text = path.read_text().replace('"../../data', "../../data").replace('.jsonl"', ".jsonl")
    assert before in text
    path.write_text(text.replace(before, after, 1))
    lines = [str(each) for each in validate(load("reference", KIND), project)]
    assert [line for line in lines if f": {key}: " in line and said in line and line.startswith(f"{JOB}:")], lines


def test_the_schema_has_azures_metrics_and_limits() -> None:
    deployment = schema.read(ROOT)["properties"]["deployment"]["properties"]
    rules, most = deployment["autoscale"]["properties"], limits.limit("deployment.instance_count")
    for way in ("scale_out", "scale_in"):
        words = rules[way]["properties"]["metric"]["enum"]
        assert tuple(words) == (*autoscale.DEPLOYMENT_METRICS, *autoscale.ENDPOINT_METRICS)
        minutes = rules[way]["properties"]["minutes"]
        assert (minutes["minimum"], minutes["maximum"]) == (5, 720)  # Azure Monitor's timeWindow
    for end in ("min", "max"):
        assert (rules[end]["minimum"], rules[end]["maximum"]) == (most.least, most.most)


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ((), ""),
        (("deployment.instance_count=4",), "--set: deployment.instance_count: found 4, expected 1 to 3"),
        (("deployment.autoscale.min=2",), "deployment.instance_count: found 1, expected 2 to 3"),
        (("deployment.autoscale.min=4",), "--set: deployment.autoscale.min: found 4, more than max, 3"),
        (("deployment.autoscale.scale_out.above=100",), "found 100, expected less than 100: it is in per cent"),
        (("deployment.autoscale.scale_in.below=70",), "they would come and go by turns"),
        (("deployment.autoscale.scale_in.metric=RequestLatency", "deployment.autoscale.scale_in.below=70"), ""),
    ],
)
def test_rules_of_autoscaling_agree_with_each_other(project: Path, sets: tuple[str, ...], said: str) -> None:
    lines = found(project, SCALES, *sets)
    assert [said in line for line in lines] == [True] * bool(said), lines
