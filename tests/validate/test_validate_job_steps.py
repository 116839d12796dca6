"""The job's steps on plain data: every fault alone, and exactly that fault."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from scripts.azure import component
from scripts.files import ROOT
from scripts.validate import job
from scripts.validate.documents import Document, read_document

GOOD = read_document(ROOT / "pipelines/reference/finetune.yml", "job")
STEP = next(iter(GOOD.data["jobs"]))
IN, OUT = f"jobs.{STEP}.inputs", f"jobs.{STEP}.outputs"
GONE = object()


def found(changes: dict[str, Any]) -> dict[str, str]:
    """Returns what is said of the good job with some keys set, or taken away; a key is split at slashes."""
    data = copy.deepcopy(GOOD.data)
    for path, value in changes.items():
        *above, last = path.replace("STEP", STEP).split("/")
        place = data
        for word in above:
            place = place.setdefault(word, {})
        if value is GONE:
            del place[last]
        else:
            place[last] = value
    document = Document(GOOD.path, GOOD.name, "job", data, GOOD.lines)
    return {finding.key: finding.sentence for finding in job.check(document, component.catalog())}


def test_the_rendered_job_is_good() -> None:
    assert found({}) == {}


OTHER = {
    "type": "command",
    "component": "azureml:other:1",
    "compute": "azureml:cpu",
    "outputs": {"made": {"type": "uri_file"}},
}
FINE = [
    {"jobs/other": OTHER},
    {"jobs/other": OTHER, "jobs/STEP/inputs/train_file_path": "${{parent.jobs.other.outputs.made}}"},
    {"jobs/other": {**OTHER, "outputs": {}}, "jobs/STEP/inputs/train_file_path": "${{parent.jobs.other.outputs.any}}"},
    {"jobs/STEP/inputs/train_file_path": {"type": "uri_file", "path": "x.jsonl"}},
    {"inputs/epochs": 3, "jobs/STEP/inputs/num_train_epochs": "${{parent.inputs.epochs}}"},
    {"inputs/epochs": {"type": "integer", "default": 3, "min": 1},
     "jobs/STEP/inputs/num_train_epochs": " ${{ parent.inputs.epochs }} "},
    {"jobs/STEP/inputs/train_file_path": GONE, "jobs/STEP/inputs/train_mltable_path": {"type": "mltable", "path": "x"}},
    {"jobs/STEP/inputs/compute_finetune": GONE, "jobs/STEP/inputs/instance_type_finetune": "Standard_X"},
    {"jobs/STEP/inputs/learning_rate": 1}, {"jobs/STEP/inputs/max_seq_length": -1},
    {"jobs/STEP/inputs/lora_dropout": 0.5},
    {"settings": None}, {"settings/default_compute": "azureml:x"}, {"jobs/STEP/display_name": "x"},
    {"jobs/STEP/inputs/shm_size_finetune": "10g"},
    {"outputs/models": {}, "jobs/STEP/outputs/pytorch_model_folder": "${{parent.outputs.models}}"},
]  # fmt: skip


@pytest.mark.parametrize("changes", FINE)
def test_what_is_fine(changes: dict[str, Any]) -> None:
    assert found(changes) == {}


SOURCES = "pytorch_model_path, mlflow_model_path, huggingface_id"
WRONG: list[tuple[dict[str, Any], str, str]] = [  # changes, the key, how its sentence begins
    ({"inputs/x/path": "a", "inputs/x/type": "string"}, "inputs.x.type",
     "found 'string', allowed: uri_file, uri_folder"),
    ({"inputs/x/type": "uri_file"}, "inputs.x.path", "missing; add it"),
    ({"inputs/x": {"typ": "integer"}}, "inputs.x.typ", "unknown key (did you mean 'type'?); allowed: type, path"),
    ({"outputs": []}, "outputs", "found [], expected a mapping"),
    ({"jobs/STEP/type": "command"}, f"jobs.{STEP}.type", "found 'command'; a registry's pipeline component wants"),
    ({"jobs/STEP/type": GONE}, f"jobs.{STEP}.type", "found None; a registry's"),
    ({"jobs/STEP/compute": "x"}, f"jobs.{STEP}.compute", "unknown key"),
    ({"jobs/other": {**OTHER, "cmd": 1}}, "jobs.other.cmd", "unknown key"),
    ({"jobs/other": 3}, "jobs.other", "expected a mapping with type"),
    ({"jobs/other": {**OTHER, "inputs": 3}}, "jobs.other.inputs", "found 3, expected a mapping"),
    ({"jobs/STEP/component": "azureml://registries/azureml/components/chat_completion_pipeline/versions/0.0.1"},
     f"jobs.{STEP}.component", "found version 0.0.1, but the interface known is that of 0.0.82"),
    ({"jobs/STEP/component": "azureml:chat_completion_pipeline:0.0.82"}, "jobs",
     "no step runs chat_completion_pipeline"),
    ({"jobs/other": {**OTHER, "type": "pipeline", "compute": "x"}}, "jobs.other.compute", "unknown key"),
    ({"jobs/STEP/inputs/lora_rr": 8}, f"{IN}.lora_rr",
     "chat_completion_pipeline 0.0.82 has no such input (did you mean"),
    ({"jobs/STEP/inputs/lora_r": {"a": 1}}, f"{IN}.lora_r", "found a mapping, expected integer"),
    ({"jobs/STEP/inputs/train_file_path": {"type": "uri_folder", "path": "x"}}, f"{IN}.train_file_path",
     "found {'type': 'uri_folder'"),
    ({"jobs/STEP/inputs/train_file_path": {"type": "uri_file"}}, f"{IN}.train_file_path",
     "found {'type': 'uri_file'}, expected a binding, or"),
    ({"jobs/STEP/inputs/train_file_path": "x.jsonl"}, f"{IN}.train_file_path",
     "found 'x.jsonl', expected a binding to an input of type uri_file"),
    ({"jobs/STEP/inputs/task_name": GONE}, IN, "task_name is required; add task_name: ChatCompletion"),
    ({"jobs/STEP/inputs/compute_preprocess": GONE}, IN,
     "compute_preprocess is missing, so it would run on a serverless Standard_d12_v2"),
    ({"jobs/STEP/inputs/train_file_path": GONE}, IN, "there is nothing to train on"),
    ({"jobs/STEP/inputs/huggingface_id": "a/b"}, IN,
     f"found mlflow_model_path and huggingface_id; give exactly one of {SOURCES}"),
    ({"jobs/STEP/inputs/mlflow_model_path": GONE}, IN, f"found none; give exactly one of {SOURCES}"),
    ({"jobs/STEP/inputs/precision": 16}, f"{IN}.precision", 'found 16 without quotes, expected the text "16"'),
    ({"jobs/STEP/inputs/precision": 8}, f"{IN}.precision", 'found 8, allowed: "32", "16"'),
    ({"jobs/STEP/inputs/apply_lora": False}, f"{IN}.apply_lora",
     'found false without quotes, expected the text "false"'),
    ({"jobs/STEP/inputs/apply_lora": "True"}, f"{IN}.apply_lora",
     "found 'True', allowed: \"true\", \"false\" (did you mean 'true'?)"),
    ({"jobs/STEP/inputs/lora_r": True}, f"{IN}.lora_r", "found True, expected integer"),
    ({"jobs/STEP/inputs/lora_r": 8.5}, f"{IN}.lora_r", "found 8.5, expected integer"),
    ({"jobs/STEP/inputs/lora_r": 0}, f"{IN}.lora_r", "found 0, expected at least 1"),
    ({"jobs/STEP/inputs/num_train_epochs": 0}, f"{IN}.num_train_epochs", "found 0, expected at least 1"),
    ({"jobs/STEP/inputs/learning_rate": 0.0}, f"{IN}.learning_rate", "found 0.0, expected more than 0"),
    ({"jobs/STEP/inputs/learning_rate": "5e-6"}, f"{IN}.learning_rate",
     "found '5e-6', expected number; YAML reads 5e-6 as text, write 5.0e-6"),
    ({"jobs/STEP/inputs/learning_rate": "5E-6"}, f"{IN}.learning_rate",
     "found '5E-6', expected number; YAML reads 5E-6 as text, write 5.0e-6"),
    ({"jobs/STEP/inputs/learning_rate": "fast"}, f"{IN}.learning_rate", "found 'fast', expected number"),
    ({"jobs/STEP/inputs/lora_dropout": 1.0}, f"{IN}.lora_dropout", "found 1.0, expected 0 to below 1"),
    ({"jobs/STEP/inputs/evaluation_steps_interval": 2}, f"{IN}.evaluation_steps_interval",
     "found 2, expected between 0 and 1"),
    ({"jobs/STEP/inputs/shm_size_finetune": 5}, f"{IN}.shm_size_finetune", "found 5, expected text"),
    ({"jobs/STEP/inputs/compute_finetune": "bob's"}, f"{IN}.compute_finetune", 'found "bob\'s"; the component refuses'),
    ({"jobs/STEP/inputs/compute_finetune": "a\\b"}, f"{IN}.compute_finetune", "found 'a\\\\b'; the component refuses"),
    ({"jobs/STEP/inputs/lora_r": "${{inputs.x}}"}, f"{IN}.lora_r",
     "found '${{inputs.x}}', expected ${{parent.inputs.NAME}} or"),
    ({"jobs/STEP/inputs/lora_r": "${{parent.inputs.x}}"}, f"{IN}.lora_r",
     "${{parent.inputs.x}} is bound to nothing: the job has no input 'x'"),
    ({"inputs/x": 3, "jobs/STEP/inputs/train_file_path": "${{parent.inputs.x}}"}, "inputs.x",
     "found 3, expected type: uri_file and path"),
    ({"inputs/x": {"type": "mltable", "path": "p"}, "jobs/STEP/inputs/train_file_path": "${{parent.inputs.x}}"},
     f"{IN}.train_file_path", "bound to an input of type mltable, expected uri_file"),
    ({"jobs/STEP/inputs/train_file_path": "${{parent.jobs.prepare.outputs.train}}"}, f"{IN}.train_file_path",
     "bound to the step 'prepare', which the job does not have"),
    ({"jobs/other": OTHER, "jobs/STEP/inputs/train_file_path": "${{parent.jobs.other.outputs.mad}}"},
     f"{IN}.train_file_path", "bound to the output 'mad', which the step 'other'"),
    ({"jobs/other": OTHER, "jobs/STEP/inputs/train_file_path": "${{parent.jobs.other}}"}, f"{IN}.train_file_path",
     "bound to the output ''"),
    ({"jobs/STEP/outputs/mlflow": "${{parent.outputs.trained_model}}"}, f"{OUT}.mlflow",
     "chat_completion_pipeline has no such output"),
    ({"outputs/x": {"type": "mlflow_model"}, "jobs/STEP/outputs/mlflow_model_folder": "${{parent.inputs.x}}"},
     f"{OUT}.mlflow_model_folder", "found '${{parent.inputs.x}}', expected"),
    ({"jobs/STEP/outputs/mlflow_model_folder": "${{parent.outputs.x}}"}, f"{OUT}.mlflow_model_folder",
     "${{parent.outputs.x}} is bound to nothing: the job has no output 'x'"),
    ({"outputs/trained_model/type": "uri_folder"}, "outputs.trained_model.type",
     "found 'uri_folder', expected mlflow_model"),
    ({"outputs/trained_model": {}}, "outputs.trained_model.type", "found None, expected mlflow_model"),
    ({"outputs/spare": {"type": "uri_folder"}}, "outputs.spare", "no step writes it; bind it under"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "key", "begins"), WRONG)
def test_a_fault_is_said_at_its_key(changes: dict[str, Any], key: str, begins: str) -> None:
    said = found(changes)
    assert said.pop(key, "").startswith(begins), said
    follows = {"outputs.trained_model", "outputs.x", f"{OUT}.mlflow_model_folder"} if "outputs" in key else set()
    assert not set(said) - follows, said
