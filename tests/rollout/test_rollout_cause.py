"""Of a deployment that failed one likely cause is named, by what Azure and the container were recorded to say."""

import re

import pytest

from scripts.chain import cause
from scripts.local.core.faults import FAULTS

OF_A_FAULT = {
    "quota-exceeded": "quota", "quota-found-late": "quota", "acr-pull-denied": "identity", "probe-failed": "probe",
    "image-build-timeout": "image", "image-build-failed": "image",
}  # fmt: skip
SAID = [
    ("User container has crashed or terminated: Liveness probe failed: HTTP probe failed with statuscode: 502.\n"
     "Container logs:\nModuleNotFoundError: No module named 'azureml.ai'", "script"),
    ("User container has crashed or terminated with exit code 3. Its log ends with: x", "script"),
    ("(InternalServerError) An internal server error occurred.", "capacity"),
    ("Identity(object id: ) does not have permissions for Microsoft.MachineLearningServices/workspaces/environments/"
     "read", "identity"),
    ("(UserAssignedIdentityNotFound) no", "identity"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), [
    *((f"({FAULTS[name].code}) {FAULTS[name].message}", kind) for name, kind in OF_A_FAULT.items()), *SAID,
])  # fmt: skip
def test_a_cause_is_named_with_the_command_that_shows_more(text, kind):
    said = cause.sentence(text, "ep", "demo-2")
    assert re.match(rf"likely {kind} \(.+\); az ml .+ shows more$", said), said
    assert "{" not in said


def test_what_nobody_knows_is_not_guessed():
    assert cause.of("(Teapot) short and stout") is None
    assert "why, Azure says above (az ml online-deployment get-logs -e ep -n demo" in cause.sentence("x", "ep", "demo")


def test_every_cause_has_a_source():
    assert {each.kind for each in cause.CAUSES} == {"image", "quota", "probe", "script", "identity", "capacity"}
    assert all(each.source for each in cause.CAUSES)
