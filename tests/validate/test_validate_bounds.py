"""Names, counts, timeouts, probes and traffic beyond what Azure takes."""

from __future__ import annotations

import pytest

from tests.validate.conftest import COMPUTE, DATA, DEPLOYMENT, ENDPOINT, JOB, MODEL, Fault

CASES = [
    (JOB, "experiment_name: chat_", "experiment_name: chat.", "experiment_name", "letters, digits, - and _"),
    (JOB, "  chat_completion:", "  chat-completion:", "jobs.chat-completion", "letters, digits and underscores"),
    (DATA, "type: uri_file", "type: uri_folder", "type", "expected uri_file"),
    (MODEL, "type: mlflow_model", "type: custom_model", "type", "expected mlflow_model"),
    (MODEL, 'version: "15"', "version: 15", "tags.base_model_version", "put it in quotes"),
    (DEPLOYMENT, "instance_count: 1", "instance_count: 2.5", "instance_count", "whole number"),
    (DEPLOYMENT, "request_timeout_ms: 90000", 'request_timeout_ms: "900000"', "request_timeout_ms",
     "between 1 and 180000"),
    (DEPLOYMENT, "name: demo", "name: demo\nmodel: {path: azureml:m:1}", "model", "taken for a local folder"),
    (DEPLOYMENT, "name: demo", "name: demo\nscale_settings: {type: target_utilization}", "scale_settings.type",
     "takes only default"),
    (COMPUTE, "name: gpu-cluster", "name: gpu_cluster", "name", "letters, digits and dashes"),
    (ENDPOINT, "name: ultrachat-completion", "name: ultrachat-completion-for-all-of-us", "name", "3 to 32"),
    (ENDPOINT, "auth_mode: key", "auth_mode: key\ntraffic: {demo: 100}", "traffic", "deploying sets it"),
    (ENDPOINT, "auth_mode: key", "auth_mode: key\nmirror_traffic: {demo: 60}", "mirror_traffic", "at most 50"),
    (DEPLOYMENT, "name: demo", "name: de", "name", "3 to 32"),
    (DEPLOYMENT, "initial_delay: 500", "initial_delay: 0", "liveness_probe.initial_delay", "at least 1"),
    (DEPLOYMENT, "request_timeout_ms: 90000", "request_timeout_ms: 900000", "request_settings.request_timeout_ms",
     "between 1 and 180000"),
    (DEPLOYMENT, "instance_count: 1", "instance_count: 51", "instance_count", "between 1 and 50"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "before", "after", "key", "said"), CASES)
def test_a_fault_is_a_sentence_at_its_line(
    is_said: Fault, name: str, before: str, after: str, key: str, said: str
) -> None:
    is_said(name, before, after, key, said)
