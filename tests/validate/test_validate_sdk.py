"""What the SDK's own loaders say, as sentences."""

from __future__ import annotations

import pytest

from tests.validate.conftest import COMPUTE, DATA, DEPLOYMENT, ENDPOINT, JOB, MODEL, Fault

CASES = [
    (JOB, "display_name", "display_nam", "display_nam", "did you mean 'display_name'"),
    (JOB, "environment: reference", "environment: 3", "tags.environment", "put it in quotes"),
    (COMPUTE, "size:", "vm_size:", "vm_size", "unknown key"),
    (COMPUTE, "min_instances: 0", "min_instances: zero", "min_instances", "found 'zero', expected integer"),
    (COMPUTE, "tier: dedicated", "tier: lowpriority", "tier", "did you mean 'low_priority'"),
    (DATA, "type: uri_file", "type: uri_fil", "type", "did you mean 'uri_file'"),
    (MODEL, "type: mlflow_model", "type: mlflow", "type", "did you mean 'mlflow_model'"),
    (MODEL, "name: Phi", "nam: Phi", "nam", "did you mean 'name'"),
    (ENDPOINT, "auth_mode: key", "auth_mode: keys", "auth_mode", "did you mean 'key'"),
    (DEPLOYMENT, "initial_delay", "inital_delay", "liveness_probe.inital_delay", "did you mean 'initial_delay'"),
    (DEPLOYMENT, "instance_count: 1", "instance_count: many", "instance_count", "expected integer"),
    (DEPLOYMENT, "instance_type:", "instance_typ:", "instance_typ", "did you mean 'instance_type'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "before", "after", "key", "said"), CASES)
def test_a_fault_is_a_sentence_at_its_line(
    is_said: Fault, name: str, before: str, after: str, key: str, said: str
) -> None:
    is_said(name, before, after, key, said)
