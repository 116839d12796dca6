"""Datastores: the two that every workspace has, both in the workspace's storage account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.local.web import WORKSPACE, Call, Routes, not_found, page

if TYPE_CHECKING:
    from scripts.local.workspaces import Workspace

arm = Routes()
DEFAULT = "workspaceblobstore"
ARTIFACTS = "workspaceartifactstore"  # logs and MLflow artifacts, in the container "azureml"


def container(workspace: Workspace, name: str) -> str:
    """Returns the blob container of a datastore; raises Azure's 404."""
    containers = {DEFAULT: workspace.container, ARTIFACTS: "azureml"}
    if name.lower() not in containers:
        raise not_found(f"Could not find datastore: {name}. The local workspace has {' and '.join(containers)}.")
    return containers[name.lower()]


def sas(signature: str) -> str:
    """Returns the shared access signature of this home, which its blob endpoint accepts."""
    return f"sv=2021-12-02&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00%3A00%3A00Z&sig={signature}"


def _resource(workspace: Workspace, name: str) -> dict[str, Any]:
    return {
        "id": f"{workspace.path}/datastores/{name}",
        "name": name,
        "type": "Microsoft.MachineLearningServices/workspaces/datastores",
        "properties": {
            "datastoreType": "AzureBlob",
            "accountName": workspace.account,
            "containerName": container(workspace, name),
            "endpoint": "core.windows.net",
            "protocol": "https",
            "isDefault": name == DEFAULT,
            "serviceDataAccessAuthIdentity": "None",
            "credentials": {"credentialsType": "Sas"},
            "tags": {},
            "properties": {},
        },
    }


@arm("GET", WORKSPACE + "/datastores")
async def list_datastores(call: Call) -> Any:
    """Lists the datastores; `isDefault=true` asks for the default one."""
    names = [DEFAULT] if call.query.get("isdefault", "").lower() == "true" else [DEFAULT, ARTIFACTS]
    return page(call, [_resource(call.ws, name) for name in names])


@arm("GET", WORKSPACE + "/datastores/{name}")
async def get(call: Call) -> Any:
    """Returns a datastore."""
    container(call.ws, call.words["name"])
    return _resource(call.ws, call.words["name"].lower())


@arm("POST", WORKSPACE + "/datastores/{name}/listSecrets")
async def list_secrets(call: Call) -> Any:
    """Returns the shared access signature with which the client reaches the blobs."""
    container(call.ws, call.words["name"])
    return {"secretsType": "Sas", "sasToken": sas(call.emulator.credentials["sas_signature"])}
