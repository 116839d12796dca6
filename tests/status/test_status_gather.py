"""What the local Azure ML says of itself, before its workspaces are asked."""

import json
import sys

import pytest

from scripts.status import gather
from scripts.status.seen import LOCAL, Place

UPPER = "ABCDEF00-0000-0000-0000-00000000000F"
PLACE = Place(LOCAL, UPPER, "Group", "Here", "eastus", ("dev",))
ITS_OWN = {"subscription_id": UPPER.lower(), "resource_group": "group", "workspace": "here"}


@pytest.mark.parametrize(("state", "found"), [
    ({"pid": 7, "workspaces": [ITS_OWN]}, [PLACE]),  # as Azure compares names
    ({"pid": 7, "workspaces": []}, []),
    ({"pid": None, "hangs": None}, gather.AT_REST),
    ({"pid": None, "hangs": 7}, "the local Azure ML (process 7) does not answer; make local-down ends it"),
])  # fmt: skip
def test_what_the_local_azure_ml_has(monkeypatch, state, found):
    monkeypatch.setattr(gather, "_LOCAL", [sys.executable, "-c", f"print({json.dumps(json.dumps(state))})"])
    # `status -o json` stands behind it, which this program does not read
    assert gather._known_to_the_emulator([PLACE]) == found
