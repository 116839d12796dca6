"""Datastores: the two that every workspace has, in the workspace's storage account, and those that a user adds.

A datastore that lies elsewhere is kept, listed and deleted; what is in it cannot be read here (storage/uris.py).
"""

from __future__ import annotations

from typing import Any

from scripts.azure import name_rules
from scripts.local.core import lookup
from scripts.local.core.arm import page, resource
from scripts.local.core.state import State, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import WORKSPACE, Call, Routes, bad_request, reply
from scripts.local.resources.assets import location
from scripts.local.resources.forms import form
from scripts.local.storage.shared_key import account_key
from scripts.local.storage.uris import ARTIFACTS, DEFAULT, datastore, no_datastore, shared_access

arm = Routes()
data = Routes()
SYSTEM = (DEFAULT, ARTIFACTS)
# By type, the keys without which a datastore has no place.
PLACE = {
    "AzureBlob": ("accountName", "containerName"),
    "AzureFile": ("accountName", "fileShareName"),
    "AzureDataLakeGen1": ("storeName",),
    "AzureDataLakeGen2": ("accountName", "filesystem"),
    "OneLake": ("oneLakeWorkspaceName", "artifact"),
}
DATA_LAKE = "https://datalake.azure.net/"
STORAGE = "https://storage.azure.com/"


def _document(call: Call, name: str) -> Document:
    """Returns what is kept of a datastore; of the workspace's own two what the workspace itself says."""
    found = call.state.store.get(call.ws.scope, "datastores", name)
    if name.lower() not in SYSTEM:
        if found is None:
            raise no_datastore(name)
        return found
    workspace = call.state.store.get(lookup.SCOPE, "workspaces", call.ws.scope)
    assert workspace is not None
    account, container = datastore(call.state, call.ws, name)
    body = {
        "datastoreType": "AzureBlob",
        "accountName": account,
        "containerName": container,
        "endpoint": "core.windows.net",
        "protocol": "https",
        "isDefault": name.lower() == DEFAULT,
        "subscriptionId": call.ws.subscription,
        "resourceGroup": call.ws.group,
        "serviceDataAccessAuthIdentity": "WorkspaceSystemAssignedIdentity",
        "credentials": {"credentialsType": system_credentials(call.state, call.ws, name)},
    }
    if found is not None:  # a user has changed its credentials, and may have said more
        body |= {key: found.body["properties"].get(key) for key in ("description", "tags", "properties")}
    about = found or workspace
    return Document(
        call.ws.scope, "datastores", name.lower(), "", {"properties": body}, workspace.created, about.modified, 0
    )


def system_credentials(state: State, workspace: Workspace, name: str) -> str:
    """Returns how clients reach one of the workspace's own datastores: by AccountKey, or None for their identity."""
    document = state.store.get(workspace.scope, "datastores", name)
    if document is not None:
        return str(document.body["properties"]["credentials"]["credentialsType"])
    return "None" if state.settings.datastore_auth == "identity" else "AccountKey"


def _resource(call: Call, document: Document) -> dict[str, Any]:
    properties = {**document.body["properties"]}
    properties["credentials"] = {key: value for key, value in properties["credentials"].items() if key != "secrets"}
    content = resource(call.ws, f"datastores/{document.name}", document, properties=properties)
    if document.name in SYSTEM:  # made by the workspace itself
        identity = call.state.credentials.object_id
        content["systemData"] |= {"createdBy": identity, "lastModifiedBy": identity}
    return form("datastore").complete(content, call.api)


@arm("GET", WORKSPACE + "/datastores")
async def list_datastores(call: Call) -> Any:
    """Lists the datastores; `isDefault=true` asks for the default one."""
    added = [each.name for each in call.state.store.list("datastores", call.ws.scope) if each.name not in SYSTEM]
    names = [DEFAULT] if call.query.get("isdefault", "").lower() == "true" else [*SYSTEM, *added]
    return page(call, [_resource(call, _document(call, name)) for name in names])


@arm("GET", WORKSPACE + "/datastores/{name}")
async def get(call: Call) -> Any:
    """Returns a datastore, without its secrets."""
    return _resource(call, _document(call, call.words["name"]))


@arm("PUT", WORKSPACE + "/datastores/{name}")
async def put(call: Call) -> Any:
    """Makes a datastore or changes it; of the workspace's own two only the credentials can be changed."""
    name = call.words["name"]
    old = call.state.store.get(call.ws.scope, "datastores", name)
    content = form("datastore").read(call.json(), f"Datastore {name}").get("properties", {})
    kind = content.get("datastoreType")
    missing = [key for key in PLACE.get(str(kind), ("datastoreType",)) if not content.get(key)]
    missing += [] if (content.get("credentials") or {}).get("credentialsType") else ["credentials.credentialsType"]
    if missing:
        raise bad_request(f"Datastore {name} has no {', '.join(missing)}.")
    if name.lower() in SYSTEM:
        _refuse_other_place(call, name, content)
        name = name.lower()
    elif old is None and name_rules.fault("datastore", name):
        raise bad_request(f"Datastore name {name!r} is not allowed: {name_rules.rule('datastore').allowed}.")
    if content.get("isDefault") and name != DEFAULT:
        message = f"Datastore {name} cannot become the default of the local Azure ML, which is always {DEFAULT}"
        raise bad_request(f"{message}: send isDefault false, and name the datastore in the job's inputs and outputs.")
    if content["credentials"]["credentialsType"] == "ServicePrincipal":
        content["credentials"].setdefault("resourceUrl", DATA_LAKE if kind == "AzureDataLakeGen1" else STORAGE)
    there = old is not None or name in SYSTEM
    call.state.store.put(call.ws.scope, "datastores", name, {"properties": {"tags": {}, **content}})
    shown = _resource(call, _document(call, name))
    return reply(shown) if there else reply(shown, 201, location(call))


def _refuse_other_place(call: Call, name: str, content: dict[str, Any]) -> None:
    account, container = datastore(call.state, call.ws, name)
    if (content.get("accountName"), content.get("containerName")) != (account, container):
        message = f"Datastore {name} belongs to the workspace and lies in container {container} of account {account}"
        raise bad_request(f"{message}: it cannot be moved; take another name.")
    if content["credentials"]["credentialsType"] not in ("AccountKey", "None"):
        kind = content["credentials"]["credentialsType"]
        message = f"Datastore {name}: credentialsType is {kind}; the local Azure ML has AccountKey, and None for the"
        raise bad_request(f"{message} identity of whoever asks.")


@arm("DELETE", WORKSPACE + "/datastores/{name}")
async def delete(call: Call) -> Any:
    """Forgets a datastore, not what is in it. What Azure answers where there is none is unverified: 204 here."""
    name = call.words["name"]
    if name.lower() in SYSTEM:
        raise bad_request(f"Datastore {name} belongs to workspace {call.ws.name} and cannot be deleted.")
    there = call.state.store.get(call.ws.scope, "datastores", name) is not None
    call.state.store.delete(call.ws.scope, "datastores", name)
    return reply(status=200 if there else 204)


@arm("POST", WORKSPACE + "/datastores/{name}/listSecrets")
async def list_secrets(call: Call) -> Any:
    """Returns the account's key; to a request with a body the shared access signature that the SDK asks for."""
    name = call.words["name"]
    credentials = _document(call, name).body["properties"]["credentials"]
    if credentials["credentialsType"] == "None":  # no client asks; what Azure answers is unverified
        raise bad_request(f"Datastore {name} has no secrets: it is reached with the identity of whoever asks.")
    if name.lower() not in SYSTEM:
        return credentials.get("secrets") or {"secretsType": credentials["credentialsType"]}
    if call.body:
        call.json()
        return {"sasToken": f"?{shared_access(call.state)}", "secretsType": "Sas"}
    return {"key": account_key(call.state), "secretsType": "AccountKey"}


@data("GET", "/datastore/v1.0" + WORKSPACE + "/datastores/{name}")
async def legacy(call: Call) -> Any:
    """Returns a datastore with its credentials as azureml-fsspec asks for it (not recorded: what that client reads)."""
    document = _document(call, call.words["name"])
    account, container = datastore(call.state, call.ws, document.name)
    by_key = document.body["properties"]["credentials"]["credentialsType"] != "None"
    section = {
        "accountName": account,
        "containerName": container,
        "endpoint": "core.windows.net",
        "protocol": "https",
        "credentialType": "Sas" if by_key else "None",
        "credential": shared_access(call.state) if by_key else None,
        "isSas": by_key,
        "subscriptionId": call.ws.subscription,
        "resourceGroup": call.ws.group,
    }
    return {
        "name": document.name,
        "dataStoreType": "AzureBlob",
        "hasBeenValidated": True,
        "azureStorageSection": section,
    }
