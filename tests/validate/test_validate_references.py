"""References by an exact version, and files that fit together."""

from __future__ import annotations

import pytest

from tests.validate.conftest import COMPUTE, DEPLOYMENT, JOB, Fault

CASES = [
    (JOB, "/versions/15", "/labels/latest", "inputs.mlflow_model_path.path", "exact version"),
    (JOB, "instruct/versions/15", "instruct", "inputs.mlflow_model_path.path", "names no version"),
    (JOB, "chat_completion_pipeline/versions/0.0.82", "chat_completion_pipeline/labels/latest", "component",
     "exact version"),
    (DEPLOYMENT, "name: demo", "name: demo\nmodel: azureml:my-model@latest", "model", "exact version"),
    (DEPLOYMENT, "name: demo", "name: demo\nmodel: azureml:my-model", "model", "azureml:<name>:<version>"),
    (JOB, "compute_finetune: gpu-cluster", "compute_finetune: azureml:gpu-cluster:1", "compute_finetune",
     "write the bare name"),
    (JOB, "num_nodes_finetune: 1", "num_nodes_finetune: 2", "num_nodes_finetune", "raise compute.max_instances"),
    (COMPUTE, "min_instances: 0", 'min_instances: "2"', "min_instances", "more than max_instances"),
    (COMPUTE, "min_instances: 0", "min_instances: 2", "min_instances", "more than max_instances"),
    (DEPLOYMENT, "endpoint_name: ultrachat", "endpoint_name: ultrachatt", "endpoint_name", "endpoint.yml makes"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "before", "after", "key", "said"), CASES)
def test_a_fault_is_a_sentence_at_its_line(
    is_said: Fault, name: str, before: str, after: str, key: str, said: str
) -> None:
    is_said(name, before, after, key, said)
