"""What clients ask in passing: the subscription, the workspace, what is never here, and how they sign in."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import requests

from tests.local.wire import Wire


@pytest.fixture
def wire(local):
    """Requests to the workspace."""
    return Wire(local)


def test_a_workspace_is_shown_whole_and_never_changed(wire, local):
    shown = wire.get(wire.workspace)
    assert shown["properties"]["systemDatastoresAuthMode"] == "accesskey"
    assert {"keyVault", "containerRegistry", "managedNetwork", "creationTime"} <= shown["properties"].keys()
    assert (shown["etag"], shown["properties"]["imageBuildCompute"]) == (None, None)
    for method in ("PUT", "PATCH", "DELETE"):
        assert wire.refused(method, wire.workspace, {})[1] == "NotEmulated"
    assert wire.ask("POST", "listKeys").json()["userStorageKey"]
    assert "diagnosis" in wire.refused("POST", "diagnose", {})[2]


def test_the_subscription_answers_preflights_questions(wire, local):
    state = wire.get(f"{wire.subscription}/providers/Microsoft.Cdn")["registrationState"]
    assert state == "Registered"
    assert wire.refused("GET", f"{wire.subscription}/providers/Microsoft.None")[0] == 404
    skus = wire.get(f"{wire.subscription}/providers/Microsoft.Compute/skus", **{"$filter": "location eq 'eastus'"})
    assert all(each["resourceType"] == "virtualMachines" and each["restrictions"] == [] for each in skus["value"])
    assert wire.refused("GET", f"{wire.subscription}/providers/Microsoft.Compute/skus")[0] == 400
    account = wire.get(wire.get(wire.workspace)["properties"]["storageAccount"])["properties"]
    assert (account["allowSharedKeyAccess"], account["publicNetworkAccess"]) == (True, "Enabled")
    assert wire.refused("GET", f"{wire.group}/providers/Microsoft.Storage/storageAccounts/none")[0] == 404
    base = f"{wire.subscription}/providers/Microsoft.MachineLearningServices"
    assert {each["unit"] for each in wire.get(f"{base}/locations/eastus/quotas")["value"]} == {"Count"}
    operations = wire.get("/providers/Microsoft.MachineLearningServices/operations")["value"]
    assert "Microsoft.MachineLearningServices/workspaces/jobs/write" in [each["name"] for each in operations]


def test_faults_show_in_the_subscription(wire, local):
    for name in ("provider-not-registered", "size-not-available"):
        command = [sys.executable, "-m", "scripts.local", "fault", name]
        subprocess.run(command, env=local.emulated.env, check=True, capture_output=True)
    try:
        states = {
            each["namespace"]: each["registrationState"] for each in wire.get(f"{wire.subscription}/providers")["value"]
        }
        assert {name for name, state in states.items() if state != "Registered"} == {
            "Microsoft.Cdn",
            "Microsoft.PolicyInsights",
        }
        skus = wire.get(f"{wire.subscription}/providers/Microsoft.Compute/skus", **{"$filter": "location eq 'eastus'"})
        reasons = {each["restrictions"][0]["reasonCode"] for each in skus["value"] if each["restrictions"]}
        assert reasons == {"NotAvailableForSubscription"}
    finally:
        command = [sys.executable, "-m", "scripts.local", "fault", "--clear"]
        subprocess.run(command, env=local.emulated.env, check=True, capture_output=True)


@pytest.mark.parametrize("kind", ["connections", "schedules", "batchEndpoints", "outboundRules"])
def test_kinds_that_are_never_here(wire, kind):
    assert wire.get(kind) == {"value": []}
    assert wire.refused("GET", f"{kind}/none")[0] == 404
    status, code, message = wire.refused("PUT", f"{kind}/none", {"properties": {}})
    assert (status, code) == (400, "NotEmulated")
    assert "are not emulated by the local Azure ML: " in message


def test_words_of_what_is_not_there(wire):
    connection = (404, "NotFoundError", "Connection none can't be found in this workspace")
    assert wire.refused("GET", "connections/none") == connection
    assert wire.refused("GET", "schedules/none") == (404, "NotFound", "Resource Trigger none not found")
    assert wire.refused("GET", "batchEndpoints/none")[1] == "EndpointNotFound"


def test_a_registry_says_what_it_is_and_what_it_does_not_have(wire):
    host = "eastus.api.azureml.ms"
    found = wire.ask("GET", "/registrymanagement/v1.0/registries/azureml/discovery", host=host).json()
    assert (found["workspaceName"], found["regions"]) == (None, ["eastus"])
    base = f"/mferp/managementfrontend/subscriptions/{found['subscriptionId']}/resourceGroups/{found['resourceGroup']}"
    base = f"https://{host}{base}/providers/Microsoft.MachineLearningServices/registries/azureml"
    words = "Could not find asset with ID: azureml://registries/azureml/models/none/versions/2"
    assert wire.refused("GET", f"{base}/models/none/versions/2") == (404, "NotFoundError", words)
    (component,) = wire.get(f"{base}/components")["value"]
    (version,) = wire.get(f"{base}/components/{component['name']}/versions")["value"]
    assert version["name"] == component["properties"]["latestVersion"]
    refused = wire.refused("PUT", f"{base}/models/mine/versions/1", {"properties": {}})
    assert (refused[0], refused[1]) == (401, "UnAuthorizedRegistryAccess")


def test_signing_in(local):
    base = f"https://login.microsoftonline.com/{os.environ['AZURE_TENANT_ID']}"
    known = requests.get(f"{base}/v2.0/.well-known/openid-configuration", timeout=20).json()
    assert len(known) == 23
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["AZURE_CLIENT_ID"],
        "client_secret": os.environ["AZURE_CLIENT_SECRET"],
        "scope": "https://management.azure.com/.default",
    }
    given = requests.post(known["token_endpoint"], data=form, timeout=20).json()
    assert given["refresh_in"] < given["expires_in"]
    odd = requests.post(known["token_endpoint"], data=b"\xff\xfe", timeout=20)
    assert (odd.status_code, odd.json()["error"]) == (400, "invalid_request")


def test_a_cluster_without_tags_is_shown_with_none_of_them(wire, local):
    local.cluster()
    assert wire.get("computes/gpu-cluster")["tags"] == {}
    assert wire.get("computes")["value"][0]["tags"] == {}


def test_a_clusters_password_is_never_shown(wire, local):
    user = {"adminUserName": "azureuser", "adminUserSshPublicKey": "ssh-rsa A", "adminUserPassword": "passwd12345"}
    inner = {"vmSize": "Standard_DS3_v2", "scaleSettings": {"maxNodeCount": 1}, "userAccountCredentials": user}
    body = {"location": "eastus", "properties": {"computeType": "AmlCompute", "properties": inner}}
    first = wire.ask("PUT", "computes/with-user", body)
    assert (first.status_code, "passwd12345" in first.text) == (201, False)

    def made():
        properties = wire.get("computes/with-user")["properties"]
        return properties["provisioningState"] == "Succeeded" and properties["properties"]

    assert local.until(made)["userAccountCredentials"] == {**user, "adminUserPassword": None}
