"""Versioned assets: one implementation of data, code, environments and components; models.py adds its checks to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scripts.azure import name_rules
from scripts.local.core import lookup
from scripts.local.core.arm import page, refuse_name, resource, view, without_nulls
from scripts.local.core.lookup import SINGULAR, active
from scripts.local.core.state import Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import WORKSPACE, AzureError, Call, Routes, bad_request, not_found, reply
from scripts.local.storage import uris

code_uploads = Routes()
Check = Callable[[Call, str, str, dict[str, Any]], dict[str, Any]]
# What makes a version what it is: it can be sent again, but never changed.
CONTENT = {
    "data": ("dataType", "dataUri"),
    "models": ("modelType", "modelUri"),
    "codes": ("codeUri",),
    "environments": ("image", "condaFile", "build"),
    "components": ("componentSpec",),
}


def _version(workspace: Workspace, kind: str, document: Document) -> dict[str, Any]:
    path = f"{kind}/{document.name}/versions/{document.version}"
    return resource(workspace, path, document, properties=document.body["properties"])


def next_version(documents: list[Document]) -> str:
    """Returns the version that follows those of an asset, of which some may be no numbers."""
    return str(max((int(each.version) for each in documents if each.version.isdecimal()), default=0) + 1)


def container(call: Call, kind: str, name: str) -> dict[str, Any]:
    """Returns the ARM resource of an asset without its version; raises 404 where there is no version."""
    documents = call.state.store.list(kind, call.ws.scope, name)
    if not documents:
        raise not_found(f"Could not find asset with ID: azureml:{name} ({SINGULAR[kind]} of workspace {call.ws.name}).")
    newest = (active(documents) or documents)[-1]
    properties = newest.body["properties"]
    archived = call.state.store.get(call.ws.scope, f"archived-{kind}", name) is not None
    shown = {
        "latestVersion": newest.version,
        "nextVersion": next_version(documents),
        "isArchived": archived or not active(documents),
        "tags": properties.get("tags", {}),
        "properties": {},
        **({"dataType": properties["dataType"]} if kind == "data" else {}),
    }
    return resource(call.ws, f"{kind}/{newest.name}", newest, properties=shown)


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
        uris.resolve(call.state, call.ws, uri)
    return properties


def routes_of(kind: str, check: Check | None = None) -> Routes:
    """Returns the routes of a kind of asset; `check` refuses what is wrong in a version, or completes it."""
    base = f"{WORKSPACE}/{kind}"
    table = Routes()

    @table("GET", f"{base}/{{name}}/versions/{{version}}")
    async def get(call: Call) -> Any:
        """Returns a version of an asset."""
        return _version(
            call.ws, kind, lookup.asset(call.state, call.ws, kind, call.words["name"], call.words["version"])
        )

    @table("PUT", f"{base}/{{name}}/versions/{{version}}")
    async def put(call: Call) -> Any:
        """Creates a version, or changes its tags, description and whether it is archived; never its content."""
        name, version = call.words["name"], call.words["version"]
        old = call.state.store.get(call.ws.scope, kind, name, version)
        if old is None:  # an older home may have names that are refused now
            refuse_name(SINGULAR[kind], name, f"The {SINGULAR[kind]}")
        if name_rules.fault("version", version):
            allowed = name_rules.rule("version").allowed
            raise bad_request(f"The version {version!r} of {SINGULAR[kind]} {name} is not allowed: {allowed}.")
        body = await call.json()
        properties = {"tags": {}, "properties": {}, "isArchived": False, **without_nulls(body.get("properties") or {})}
        if check is not None:
            properties = check(call, name, version, properties)
        if old is not None:
            _refuse_change(kind, name, version, old.body["properties"], properties)
        document = call.state.store.put(call.ws.scope, kind, name, {"properties": properties}, version)
        return reply(_version(call.ws, kind, document), 200 if old else 201)

    @table("GET", f"{base}/{{name}}/versions")
    async def versions(call: Call) -> Any:
        """Lists the versions of an asset, newest first; with `hash` those of any name that have the same content."""
        if call.query.get("hash"):  # the SDK asks under a name that it has just drawn: look at all of them
            documents = [
                each
                for each in call.state.store.list(kind, call.ws.scope)
                if each.body["properties"]["properties"].get("hash_sha256") == call.query["hash"]
            ]
        else:
            documents = call.state.store.list(kind, call.ws.scope, call.words["name"])
        return page(call, view(call, [_version(call.ws, kind, each) for each in reversed(documents)]))

    @table("GET", f"{base}/{{name}}")
    async def get_container(call: Call) -> Any:
        """Returns an asset without its version, with its latest and next one."""
        return container(call, kind, call.words["name"])

    @table("PUT", f"{base}/{{name}}")
    async def put_container(call: Call) -> Any:
        """Archives or restores an asset with all its versions."""
        name = container(call, kind, call.words["name"])["name"]
        if (await call.json()).get("properties", {}).get("isArchived"):
            call.state.store.put(call.ws.scope, f"archived-{kind}", name, {})
        else:
            call.state.store.delete(call.ws.scope, f"archived-{kind}", name)
        return container(call, kind, name)

    @table("GET", base)
    async def list_containers(call: Call) -> Any:
        """Lists the assets of a kind, without their versions."""
        documents = call.state.store.list(kind, call.ws.scope)
        names = dict.fromkeys(document.name for document in documents)
        return page(call, view(call, [container(call, kind, name) for name in names]))

    return table


def _refuse_change(kind: str, name: str, version: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    for key in CONTENT[kind]:
        if old.get(key) != new.get(key):
            message = (
                f"A {SINGULAR[kind]} version with this name and version already exists. {name}:{version} has another "
                f"{key}; a version cannot change: create a new one."
            )
            raise AzureError(409, "UserError", message)


@code_uploads("POST", WORKSPACE + "/codes/{name}/versions/{version}/startPendingUpload")
async def start_pending_upload(call: Call) -> Any:
    """Gives the client a container of its own for the files of a code asset."""
    address = f"https://{call.ws.account}.blob.core.windows.net/{call.words['name'].lower()}"
    signed = f"{address}?{uris.shared_access(call.state)}"
    credential = {"credentialType": "SAS", "sasUri": signed}
    return {
        "pendingUploadId": call.words["name"],
        "blobReferenceForConsumption": {"blobUri": address, "credential": credential},
    }


arm = Routes().include(
    code_uploads,
    routes_of("data", check_data),
    *(routes_of(kind) for kind in ("codes", "environments", "components")),
)
