"""The official CLI, where it is installed: it signs in through the proxy and reads the workspace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY, WORKSPACE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("az") is None, reason="the official CLI is not installed"),
]


def az(emulated, *words):
    """Runs `az` through `run`, as the Makefile does."""
    flags = [
        *("--subscription", WORKSPACE["subscription_id"], "--resource-group", WORKSPACE["resource_group"]),
        *("--workspace", WORKSPACE["workspace"], "--region", WORKSPACE["region"]),
    ]
    environment = os.environ | {"AZUREML_LOCAL_HOME": str(emulated.home), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "scripts.local", "run", *flags, "--", "az", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)


def test_az_reads_the_workspace(fake_emulator):
    path = f"/subscriptions/{WORKSPACE['subscription_id']}/resourceGroups/{WORKSPACE['resource_group']}"
    path += f"/providers/Microsoft.MachineLearningServices/workspaces/{WORKSPACE['workspace']}"
    done = az(
        fake_emulator, "rest", "--method", "get", "--url", f"https://management.azure.com{path}?api-version=2024-10-01"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["properties"]["discoveryUrl"] == "https://eastus.api.azureml.ms/discovery"
    shown = az(fake_emulator, "account", "show", "--query", "id", "-o", "tsv")
    assert shown.stdout.strip() == WORKSPACE["subscription_id"]
    token = az(
        fake_emulator, "account", "get-access-token", "--resource", "https://ml.azure.com", "--query", "tokenType"
    )
    assert json.loads(token.stdout) == "Bearer"
    group = az(fake_emulator, "group", "show", "-n", WORKSPACE["resource_group"], "--query", "location", "-o", "tsv")
    assert group.stdout.strip() == "eastus"


def test_az_shows_a_refusal_in_azures_words(fake_emulator):
    url = f"https://management.azure.com/subscriptions/{WORKSPACE['subscription_id']}/resourceGroups/nobody?api-version=2021-04-01"
    done = az(fake_emulator, "rest", "--method", "get", "--url", url)
    assert done.returncode == 1
    assert "ResourceGroupNotFound" in done.stderr


def test_the_users_own_sign_in_is_not_touched(fake_emulator):
    az(fake_emulator, "account", "show")
    assert (fake_emulator.home / "azure" / WORKSPACE["subscription_id"] / "azureProfile.json").exists()
