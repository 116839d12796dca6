"""The job against the component's interface: inputs, bindings, settings and steps."""

from __future__ import annotations

import pytest

from tests.validate.conftest import JOB, Fault

CASES = [
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
    (JOB, "      mlflow_model_path: ${{", "      pytorch_model_path: ${{", "pytorch_model_path",
     "type mlflow_model, expected custom_model"),
    (JOB, "      compute_finetune: gpu-cluster\n", "", "chat_completion.inputs", "serverless Standard_nc24rs_v3"),
    (JOB, "      train_file_path: ${{parent.inputs.train_file_path}}\n", "", "chat_completion.inputs",
     "nothing to train on"),
    (JOB, "chat_completion_pipeline/versions", "chat_completion_pipelin/versions", "component",
     "did you mean 'chat_completion_pipeline'"),
    (JOB, "/versions/0.0.82", "/versions/0.0.81", "component", "interface known is that of 0.0.82"),
    (JOB, "train_file_path:\n    type: uri_file\n    path: \"../../data/reference/train.jsonl\"",
     "train_file_path: train.jsonl", "inputs.train_file_path", "expected type: uri_file and path"),
    (JOB, "train_file_path:\n    type: uri_file\n    path: \"../../data/reference/train.jsonl\"",
     "train_file_path:\n    type: uri_file", "inputs.train_file_path.path", "missing"),
    (JOB, "${{parent.inputs.train_file_path}}", "${{parent.inputs.train_file}}", "train_file_path", "bound to nothing"),
    (JOB, "${{parent.inputs.train_file_path}}", "${{inputs.train_file_path}}", "train_file_path",
     "expected ${{parent.inputs.NAME}}"),
    (JOB, "${{parent.inputs.train_file_path}}", "../train.jsonl", "train_file_path", "expected a binding"),
    (JOB, "${{parent.outputs.trained_model}}", "${{parent.outputs.trained}}", "mlflow_model_folder",
     "did you mean 'trained_model'"),
    (JOB, "mlflow_model_folder: $", "mlflow_model: $", "outputs.mlflow_model", "did you mean 'mlflow_model_folder'"),
    (JOB, "    type: mlflow_model\n    mode", "    type: uri_folder\n    mode", "outputs.trained_model.type",
     "expected mlflow_model"),
    (JOB, "force_rerun", "force_reru", "settings.force_reru", "silently ignore"),
    (JOB, "    component: azureml", "    compnent: azureml", "jobs.chat_completion.compnent",
     "did you mean 'component'"),
    (JOB, "    type: uri_file", "    type: uri_fil", "inputs.train_file_path.type", "did you mean 'uri_file'"),
    (JOB, "    type: uri_file", "    typ: uri_file", "inputs.train_file_path.typ", "did you mean 'type'"),
    (JOB, "settings:\n  force_rerun: true\n  continue_on_step_failure: false", "settings: 3", "settings",
     "expected a mapping"),
    (JOB, "    component: azureml", "    compute: gpu-cluster\n    component: azureml", "chat_completion.compute",
     "Azure ML would ignore"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "before", "after", "key", "said"), CASES)
def test_a_fault_is_a_sentence_at_its_line(
    is_said: Fault, name: str, before: str, after: str, key: str, said: str
) -> None:
    is_said(name, before, after, key, said)
