"""Validation of the rendered YAML: every fault that the SDK lets through, or reports unreadably, is a sentence here."""

import shutil
from pathlib import Path

import pytest

from scripts.errors import UserError
from scripts.files import ROOT
from scripts.validate.__main__ import validate
from scripts.values.read import environments, load


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the rendered YAML, to be broken."""
    for folder in ("pipelines", "endpoints"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def findings(project: Path, name: str, before: str, after: str) -> list[str]:
    path = project / name
    text = path.read_text()
    assert before in text, f"{before!r} does not stand in {name}: the test is out of date"
    path.write_text(text.replace(before, after, 1))
    return [str(each) for each in validate(load("dev"), project)]


@pytest.mark.parametrize("environment", environments())
def test_what_is_committed_is_valid(environment):
    assert validate(load(environment)) == []


JOB, MODEL, COMPUTE = "pipelines/dev/finetune.yml", "pipelines/dev/model.yml", "pipelines/dev/compute.yml"
ENDPOINT, DEPLOYMENT, DATA = "endpoints/dev/endpoint.yml", "endpoints/dev/deployment.yml", "pipelines/dev/data.yml"


@pytest.mark.parametrize(
    ("name", "before", "after", "key", "said"),
    [
        # the component's interface
        (JOB, "num_train_epochs: 3", "num_train_epoch: 3", "inputs.num_train_epoch", "did you mean 'num_train_epochs'"),
        (JOB, "num_train_epochs: 3", "num_train_epochs: 0", "inputs.num_train_epochs", "at least 1"),
        (JOB, "num_train_epochs: 3", 'num_train_epochs: "3"', "inputs.num_train_epochs", "expected integer"),
        (JOB, "num_train_epochs: 3", "num_train_epochs: 2.5", "inputs.num_train_epochs", "expected integer"),
        (JOB, "learning_rate: 5.0e-06", "learning_rate: 5e-6", "inputs.learning_rate", "write 5.0e-6"),
        (JOB, 'apply_lora: "true"', "apply_lora: true", "inputs.apply_lora", 'put it in quotes'),
        (JOB, 'precision: "16"', "precision: 16", "inputs.precision", "without quotes"),
        (JOB, 'precision: "16"', 'precision: "8"', "inputs.precision", 'allowed: "32", "16"'),
        (JOB, "lr_scheduler_type: cosine", "lr_scheduler_type: cosin", "inputs.lr_scheduler_type", "did you mean 'cosine'"),
        (JOB, "task_name: ChatCompletion", "task_nam: ChatCompletion", "inputs", "task_name is required"),
        (JOB, "      mlflow_model_path: ${{", "      pytorch_model_path: ${{", "pytorch_model_path", "type mlflow_model, expected custom_model"),
        (JOB, "      compute_finetune: gpu-cluster\n", "", "chat_completion.inputs", "serverless Standard_nc24rs_v3"),
        (JOB, "      train_file_path: ${{parent.inputs.train_file_path}}\n", "", "chat_completion.inputs", "nothing to train on"),
        (JOB, "chat_completion_pipeline/versions", "chat_completion_pipelin/versions", "component", "did you mean 'chat_completion_pipeline'"),
        (JOB, "/versions/0.0.82", "/versions/0.0.81", "component", "interface known is that of 0.0.82"),
        # bindings
        (JOB, "train_file_path:\n    type: uri_file\n    path: \"../../data/dev/train.jsonl\"", "train_file_path: train.jsonl", "inputs.train_file_path", "expected type: uri_file and path"),
        (JOB, "train_file_path:\n    type: uri_file\n    path: \"../../data/dev/train.jsonl\"", "train_file_path:\n    type: uri_file", "inputs.train_file_path.path", "missing"),
        (JOB, "${{parent.inputs.train_file_path}}", "${{parent.inputs.train_file}}", "train_file_path", "bound to nothing"),
        (JOB, "${{parent.inputs.train_file_path}}", "${{inputs.train_file_path}}", "train_file_path", "expected ${{parent.inputs.NAME}}"),
        (JOB, "${{parent.inputs.train_file_path}}", "../train.jsonl", "train_file_path", "expected a binding"),
        (JOB, "${{parent.outputs.trained_model}}", "${{parent.outputs.trained}}", "mlflow_model_folder", "did you mean 'trained_model'"),
        (JOB, "mlflow_model_folder: $", "mlflow_model: $", "outputs.mlflow_model", "did you mean 'mlflow_model_folder'"),
        (JOB, "    type: mlflow_model\n    mode", "    type: uri_folder\n    mode", "outputs.trained_model.type", "expected mlflow_model"),
        # references
        (JOB, "/versions/15", "/labels/latest", "inputs.mlflow_model_path.path", "exact version"),
        (JOB, "instruct/versions/15", "instruct", "inputs.mlflow_model_path.path", "names no version"),
        (JOB, "chat_completion_pipeline/versions/0.0.82", "chat_completion_pipeline/labels/latest", "component", "exact version"),
        (DEPLOYMENT, "name: demo", "name: demo\nmodel: azureml:my-model@latest", "model", "exact version"),
        (DEPLOYMENT, "name: demo", "name: demo\nmodel: azureml:my-model", "model", "azureml:<name>:<version>"),
        # what the pipeline schema lets through
        (JOB, "force_rerun", "force_reru", "settings.force_reru", "silently ignore"),
        (JOB, "    component: azureml", "    compnent: azureml", "jobs.chat_completion.compnent", "did you mean 'component'"),
        (JOB, "    type: uri_file", "    type: uri_fil", "inputs.train_file_path.type", "did you mean 'uri_file'"),
        (JOB, "    type: uri_file", "    typ: uri_file", "inputs.train_file_path.typ", "did you mean 'type'"),
        (JOB, "  chat_completion:", "  chat-completion:", "jobs.chat-completion", "letters, digits and underscores"),
        (JOB, "compute_finetune: gpu-cluster", "compute_finetune: azureml:gpu-cluster:1", "compute_finetune", "write the bare name"),
        (JOB, "num_nodes_finetune: 1", "num_nodes_finetune: 2", "num_nodes_finetune", "raise compute.max_instances"),
        (JOB, "settings:\n  force_rerun: true\n  continue_on_step_failure: false", "settings: 3", "settings", "expected a mapping"),
        (JOB, "    component: azureml", "    compute: gpu-cluster\n    component: azureml", "chat_completion.compute", "Azure ML would ignore"),
        (COMPUTE, "min_instances: 0", 'min_instances: "2"', "min_instances", "more than max_instances"),
        (DATA, "type: uri_file", "type: uri_folder", "type", "expected uri_file"),
        (MODEL, "type: mlflow_model", "type: custom_model", "type", "expected mlflow_model"),
        (MODEL, 'version: "15"', "version: 15", "tags.base_model_version", "put it in quotes"),
        (DEPLOYMENT, "instance_count: 1", "instance_count: 2.5", "instance_count", "whole number"),
        (DEPLOYMENT, "request_timeout_ms: 90000", 'request_timeout_ms: "900000"', "request_timeout_ms", "between 1 and 180000"),
        (DEPLOYMENT, "name: demo", "name: demo\nmodel: {path: azureml:m:1}", "model", "taken for a local folder"),
        (DEPLOYMENT, "name: demo", "name: demo\nscale_settings: {type: target_utilization}", "scale_settings.type", "takes only default"),
        # what the SDK's loaders say
        (JOB, "display_name", "display_nam", "display_nam", "did you mean 'display_name'"),
        (JOB, "environment: dev", "environment: 3", "tags.environment", "put it in quotes"),
        (COMPUTE, "size:", "vm_size:", "vm_size", "unknown key"),
        (COMPUTE, "min_instances: 0", "min_instances: zero", "min_instances", "found 'zero', expected integer"),
        (COMPUTE, "tier: dedicated", "tier: lowpriority", "tier", "did you mean 'low_priority'"),
        (COMPUTE, "name: gpu-cluster", "name: gpu_cluster", "name", "letters, digits and dashes"),
        (COMPUTE, "min_instances: 0", "min_instances: 2", "min_instances", "more than max_instances"),
        (DATA, "type: uri_file", "type: uri_fil", "type", "did you mean 'uri_file'"),
        (MODEL, "type: mlflow_model", "type: mlflow", "type", "did you mean 'mlflow_model'"),
        (MODEL, "name: Phi", "nam: Phi", "nam", "did you mean 'name'"),
        (ENDPOINT, "auth_mode: key", "auth_mode: keys", "auth_mode", "did you mean 'key'"),
        (ENDPOINT, "name: ultrachat-completion", "name: ultrachat-completion-for-all-of-us", "name", "3 to 32"),
        (ENDPOINT, "auth_mode: key", "auth_mode: key\ntraffic: {demo: 100}", "traffic", "make deploy sets it"),
        (ENDPOINT, "auth_mode: key", "auth_mode: key\nmirror_traffic: {demo: 60}", "mirror_traffic", "at most 50"),
        (DEPLOYMENT, "name: demo", "name: de", "name", "3 to 32"),
        (DEPLOYMENT, "initial_delay", "inital_delay", "liveness_probe.inital_delay", "did you mean 'initial_delay'"),
        (DEPLOYMENT, "initial_delay: 600", "initial_delay: 0", "liveness_probe.initial_delay", "at least 1"),
        (DEPLOYMENT, "request_timeout_ms: 90000", "request_timeout_ms: 900000", "request_settings.request_timeout_ms", "between 1 and 180000"),
        (DEPLOYMENT, "instance_count: 1", "instance_count: many", "instance_count", "expected integer"),
        (DEPLOYMENT, "instance_count: 1", "instance_count: 51", "instance_count", "between 1 and 50"),
        (DEPLOYMENT, "instance_type:", "instance_typ:", "instance_typ", "did you mean 'instance_type'"),
        (DEPLOYMENT, "endpoint_name: ultrachat", "endpoint_name: ultrachatt", "endpoint_name", "endpoint.yml makes"),
    ],
)  # fmt: skip
def test_a_fault_is_a_sentence_at_its_line(project, name, before, after, key, said):
    found = findings(project, name, before, after)
    matching = [each for each in found if said in each]
    assert matching, found
    where, at = matching[0].split(": ")[:2]
    assert where.startswith(f"{name}:")
    assert at.endswith(key)
    wanted = key.rpartition(".")[2]
    line = (project / name).read_text().splitlines()[int(where.rpartition(":")[2]) - 1]
    assert wanted in line, (where, line)


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        (JOB, "    type: mlflow_model\n    mode", "outputs.trained_model.type: found None, expected mlflow_model"),
        (MODEL, "type: mlflow_model\n", "type: found None, expected mlflow_model"),
        (DATA, "type: uri_file\n", "type: found None, expected uri_file"),
        (COMPUTE, "size: Standard_NC24ads_A100_v4", "size: missing; add it"),
        (DEPLOYMENT, "instance_count: 1\n", "instance_count: missing; add it"),
    ],
)  # fmt: skip
def test_what_the_sdk_fills_in_otherwise_is_asked_for(project, name, line, said):
    after = "    mode" if line.endswith("mode") else "#\n"
    assert any(said in each for each in findings(project, name, line, after))


@pytest.mark.parametrize("section", ["inputs", "outputs", "settings", "jobs"])
@pytest.mark.parametrize("value", ["3", "text", "[a]", "true"])
def test_no_section_of_another_kind_is_too_much(project, section, value):
    lines = (project / JOB).read_text().splitlines()
    start = lines.index(f"{section}:")
    end = next((n for n in range(start + 1, len(lines)) if lines[n][:1].strip()), len(lines))
    (project / JOB).write_text("\n".join([*lines[:start], f"{section}: {value}", *lines[end:]]) + "\n")
    assert any(f"{JOB}:{start + 1}: {section}: found" in str(each) for each in validate(load("dev"), project))


def test_broken_and_missing_files_are_named(project):
    (project / JOB).write_text("type: [\n")
    with pytest.raises(UserError, match=r"finetune\.yml:2: not valid YAML"):
        validate(load("dev"), project)
    (project / JOB).unlink()
    with pytest.raises(UserError, match="run make render ENV=dev"):
        validate(load("dev"), project)
