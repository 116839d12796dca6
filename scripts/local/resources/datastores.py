"""Datastores: the two that every workspace has, both in the workspace's storage account."""

from __future__ import annotations

from typing import Any

from scripts.local.core.arm import page
from scripts.local.core.state import Workspace
from scripts.local.core.web import WORKSPACE, Call, Routes
from scripts.local.storage.uris import ARTIFACTS, DEFAULT, container, shared_access

arm = Routes()


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
    return {"secretsType": "Sas", "sasToken": shared_access(call.state)}
