"""Versioned assets: one implementation of data, code, environments and components; models.py adds its checks to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scripts.azure import name_rules
from scripts.local import datastores, uris
from scripts.local.store import Document
from scripts.local.web import WORKSPACE, AzureError, Call, Routes, bad_request, not_found, page, reply

if TYPE_CHECKING:
    from scripts.local.emulator import Emulator
    from scripts.local.workspaces import Workspace

arm = Routes()
Check = Callable[[Call, str, str, dict[str, Any]], dict[str, Any]]
# What makes a version what it is: it can be sent again, but never changed.
CONTENT = {
    "data": ("dataType", "dataUri"),
    "models": ("modelType", "modelUri"),
    "codes": ("codeUri",),
    "environments": ("image", "condaFile", "build"),
    "components": ("componentSpec",),
}
SINGULAR = {
    "data": "data",
    "models": "model",
    "codes": "code",
    "environments": "environment",
    "components": "component",
}


def find(emulator: Emulator, workspace: Workspace, kind: str, name: str, version: str, status: int = 404) -> Document:
    """Returns an asset version; raises Azure's refusal (404, or another status where it is only referred to)."""
    document = emulator.store.get(workspace.scope, kind, name, version)
    if document is None:
        message = (
            f"Could not find asset with ID: azureml:{name}:{version} ({SINGULAR[kind]} of workspace {workspace.name})."
        )
        raise AzureError(status, "UserError", message)
    return document


def latest(emulator: Emulator, workspace: Workspace, kind: str, name: str) -> Document:
    """Returns the version of an asset that was created last, which is what the label `latest` means."""
    found = active(emulator.store.list(kind, workspace.scope, name))
    if not found:
        raise bad_request(f"There is no {SINGULAR[kind]} {name!r} in workspace {workspace.name}.")
    return found[-1]


def active(documents: list[Document]) -> list[Document]:
    """Returns the documents that are not archived."""
    return [document for document in documents if not document.body["properties"].get("isArchived")]


def without_nulls(value: Any) -> Any:
    """Returns JSON without its nulls, which Azure does not send back and the SDK cannot always read."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def resource(workspace: Workspace, kind: str, document: Document) -> dict[str, Any]:
    """Returns the ARM resource of an asset version."""
    return {
        "id": f"{workspace.path}/{kind}/{document.name}/versions/{document.version}",
        "name": document.version,
        "type": f"Microsoft.MachineLearningServices/workspaces/{kind}/versions",
        "systemData": document.system_data(),
        "properties": document.body["properties"],
    }


def container(call: Call, kind: str, name: str) -> dict[str, Any]:
    """Returns the ARM resource of an asset without its version; raises 404 where there is no version."""
    documents = call.emulator.store.list(kind, call.ws.scope, name)
    if not documents:
        raise not_found(f"Could not find asset with ID: azureml:{name} ({SINGULAR[kind]} of workspace {call.ws.name}).")
    numbers = [int(document.version) for document in documents if document.version.isdecimal()]
    newest = (active(documents) or documents)[-1]
    properties = newest.body["properties"]
    archived = call.emulator.store.get(call.ws.scope, f"archived-{kind}", name) is not None
    return {
        "id": f"{call.ws.path}/{kind}/{newest.name}",
        "name": newest.name,
        "type": f"Microsoft.MachineLearningServices/workspaces/{kind}",
        "systemData": newest.system_data(),
        "properties": {
            "latestVersion": newest.version,
            "nextVersion": str(max(numbers, default=0) + 1),
            "isArchived": archived or not active(documents),
            "tags": properties.get("tags", {}),
            "properties": {},
            **({"dataType": properties["dataType"]} if kind == "data" else {}),
        },
    }


def view(call: Call, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the items that `listViewType` asks for: active ones, archived ones or all."""
    wanted = call.query.get("listviewtype", "ActiveOnly").lower()
    if wanted == "all":
        return items
    return [item for item in items if bool(item["properties"].get("isArchived")) == (wanted == "archivedonly")]


def check_data(call: Call, name: str, version: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Refuses data of an unknown type, or without a place."""
    if properties.get("dataType") not in ("uri_file", "uri_folder", "mltable"):
        raise bad_request(
            f"Data {name} is of type {properties.get('dataType')!r}; allowed are uri_file, uri_folder, mltable."
        )
    uri = properties.get("dataUri")
    if not uri:
        raise bad_request(f"Data {name} has no dataUri.")
    if uris.DATASTORE.fullmatch(uri):
        uris.resolve(call.emulator, call.ws, uri)
    return properties


def check_nothing(call: Call, name: str, version: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Takes an asset as it comes."""
    return properties


def serve(kind: str, check: Check) -> None:
    """Registers the routes of a kind of asset."""
    base = f"{WORKSPACE}/{kind}"

    @arm("GET", f"{base}/{{name}}/versions/{{version}}")
    async def get(call: Call) -> Any:
        return resource(call.ws, kind, find(call.emulator, call.ws, kind, call.words["name"], call.words["version"]))

    @arm("PUT", f"{base}/{{name}}/versions/{{version}}")
    async def put(call: Call) -> Any:
        name, version = call.words["name"], call.words["version"]
        if name_rules.fault(SINGULAR[kind], name):
            allowed = name_rules.rule(SINGULAR[kind]).allowed
            raise bad_request(f"The {SINGULAR[kind]} name {name!r} is not allowed: {allowed}.")
        if name_rules.fault("version", version):
            allowed = name_rules.rule("version").allowed
            raise bad_request(f"The version {version!r} of {SINGULAR[kind]} {name} is not allowed: {allowed}.")
        body = await call.json()
        properties = {"tags": {}, "properties": {}, "isArchived": False, **without_nulls(body.get("properties") or {})}
        old = call.emulator.store.get(call.ws.scope, kind, name, version)
        properties = check(call, name, version, properties)
        if old is not None:
            _refuse_change(kind, name, version, old.body["properties"], properties)
        document = call.emulator.store.put(call.ws.scope, kind, name, {"properties": properties}, version)
        return reply(resource(call.ws, kind, document), 200 if old else 201)

    @arm("GET", f"{base}/{{name}}/versions")
    async def versions(call: Call) -> Any:
        if call.query.get("hash"):  # the SDK asks under a name that it has just drawn: look at all of them
            documents = [
                each
                for each in call.emulator.store.list(kind, call.ws.scope)
                if each.body["properties"]["properties"].get("hash_sha256") == call.query["hash"]
            ]
        else:
            documents = call.emulator.store.list(kind, call.ws.scope, call.words["name"])
        return page(call, view(call, [resource(call.ws, kind, each) for each in reversed(documents)]))

    @arm("GET", f"{base}/{{name}}")
    async def get_container(call: Call) -> Any:
        return container(call, kind, call.words["name"])

    @arm("PUT", f"{base}/{{name}}")
    async def put_container(call: Call) -> Any:
        name = container(call, kind, call.words["name"])["name"]
        if (await call.json()).get("properties", {}).get("isArchived"):
            call.emulator.store.put(call.ws.scope, f"archived-{kind}", name, {})
        else:
            call.emulator.store.delete(call.ws.scope, f"archived-{kind}", name)
        return container(call, kind, name)

    @arm("GET", base)
    async def containers(call: Call) -> Any:
        documents = call.emulator.store.list(kind, call.ws.scope)
        names = dict.fromkeys(document.name for document in documents)
        return page(call, view(call, [container(call, kind, name) for name in names]))


def _refuse_change(kind: str, name: str, version: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    for key in CONTENT[kind]:
        if old.get(key) != new.get(key):
            message = (
                f"A {SINGULAR[kind]} version with this name and version already exists. {name}:{version} has another {key}; "
                "a version cannot change: create a new one."
            )
            raise AzureError(409, "UserError", message)


@arm("POST", WORKSPACE + "/codes/{name}/versions/{version}/startPendingUpload")
async def start_pending_upload(call: Call) -> Any:
    """Gives the client a container of its own for the files of a code asset."""
    address = f"https://{call.ws.account}.blob.core.windows.net/{call.words['name'].lower()}"
    signed = f"{address}?{datastores.sas(call.emulator.credentials['sas_signature'])}"
    credential = {"credentialType": "SAS", "sasUri": signed}
    return {
        "pendingUploadId": call.words["name"],
        "blobReferenceForConsumption": {"blobUri": address, "credential": credential},
    }


serve("data", check_data)
for each_kind in ("codes", "environments", "components"):
    serve(each_kind, check_nothing)
