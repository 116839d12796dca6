"""Online endpoints: creating, traffic, keys and tokens, deleting."""

from __future__ import annotations

import secrets
import time
from typing import Any

from scripts.azure.limits import limit, traffic_adds_up
from scripts.errors import suggest
from scripts.local.core import lookup, tokens
from scripts.local.core.arm import page, provisioned, refuse_name, resource, stored, without_nulls
from scripts.local.core.operations import put_and_begin
from scripts.local.core.state import Parts, State, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import WORKSPACE, AzureError, Call, Routes, bad_request, reply

arm = Routes()
ENDPOINT = WORKSPACE + "/onlineEndpoints/{endpoint}"
MODES = {"key": "Key", "amltoken": "AMLToken", "aadtoken": "AADToken"}  # a client sends any case


def find(call: Call) -> Document:
    """Returns the endpoint that a request's path names; raises Azure's 404."""
    name = call.words["endpoint"]
    return stored(call, "endpoints", name, f"onlineEndpoints/{name}")


def refuse_deleting(endpoint: Document) -> None:
    """Refuses to change an endpoint that is on its way out: what were added to it now could never be deleted."""
    if endpoint.body["properties"]["provisioningState"] == "Deleting":
        raise AzureError(409, "Conflict", f"Endpoint {endpoint.name} is being deleted; wait until it is gone.")


def deployments_of(state: State, workspace: Workspace, endpoint: str) -> dict[str, Document]:
    """Returns the deployments of an endpoint by their names; they are stored as `endpoint/deployment`."""
    documents = state.store.list("deployments", workspace.scope)
    owner = f"{endpoint.lower()}/"
    return {document.name[len(owner) :]: document for document in documents if document.name.lower().startswith(owner)}


def _resource(workspace: Workspace, document: Document) -> dict[str, Any]:
    host = f"https://{document.name}.{workspace.region}.inference.ml.azure.com"
    uris = {"scoringUri": f"{host}/score", "swaggerUri": f"{host}/swagger.json"}
    return resource(
        workspace,
        f"onlineEndpoints/{document.name}",
        document,
        location=workspace.region,
        kind="Managed",
        tags=document.body["tags"],
        identity=document.body["identity"],
        properties={**document.body["properties"], **uris},
    )


@arm("GET", WORKSPACE + "/onlineEndpoints")
async def list_endpoints(call: Call) -> Any:
    """Lists the endpoints."""
    return page(call, [_resource(call.ws, each) for each in call.state.store.list("endpoints", call.ws.scope)])


@arm("GET", ENDPOINT)
async def get(call: Call) -> Any:
    """Returns an endpoint."""
    return _resource(call.ws, find(call))


@arm("PUT", ENDPOINT)
async def put(call: Call) -> Any:
    """Creates an endpoint, or changes its traffic, tags and description."""
    name = call.words["endpoint"]
    body = without_nulls(await call.json())
    old = call.state.store.get(call.ws.scope, "endpoints", name)
    given = body.get("properties") or {}
    if old is None:
        _check_name(call, name)
    else:
        refuse_deleting(old)
    mode = given.get("authMode", "Key")
    if mode.lower() not in MODES:
        raise bad_request(f"Endpoint {name}: authMode is {mode!r}; allowed are {', '.join(MODES.values())}.")
    mode = MODES[mode.lower()]
    if old is not None and old.body["properties"]["authMode"] != mode:
        before = old.body["properties"]["authMode"]
        raise bad_request(
            f"Endpoint {name}: authMode cannot be changed from {before} to {mode}; delete the endpoint first."
        )
    traffic = _check_traffic(call, name, given.get("traffic") or {}, "traffic")
    total = sum(traffic.values())
    if not traffic_adds_up(total):
        raise bad_request(f"Endpoint {name}: traffic adds up to {total}; allowed is 0 or 100.", "BadArgument")
    mirror = _check_traffic(call, name, given.get("mirrorTraffic") or {}, "mirror traffic")
    total = sum(mirror.values())
    if not limit("endpoint.mirror_traffic").holds(total):
        raise bad_request(f"Endpoint {name}: mirror traffic is {total}; allowed are at most 50.", "BadArgument")
    if not limit("endpoint.mirror_traffic.deployments").holds(len(mirror)):
        raise bad_request(f"Endpoint {name}: mirror traffic goes to {len(mirror)} deployments; allowed is one.")
    identity_of = {"type": "SystemAssigned", **(body.get("identity") or {})}
    identity_of |= {
        "principalId": call.state.credentials.object_id,
        "tenantId": call.state.credentials.tenant_id,
    }
    kept = {
        "tags": body.get("tags") or {},
        "identity": identity_of,
        "keys": old.body["keys"] if old else {key: secrets.token_urlsafe(24) for key in ("primaryKey", "secondaryKey")},
        "properties": {
            "publicNetworkAccess": "Enabled",
            "properties": {},
            **given,
            "authMode": mode,
            "traffic": traffic,
            "mirrorTraffic": mirror,
            "provisioningState": "Updating" if old else "Creating",
        },
    }
    document, headers = put_and_begin(call, "endpoint.put", "endpoints", name, kept)
    return reply(_resource(call.ws, document), 200 if old else 201, headers)


def _check_name(call: Call, name: str) -> None:
    refuse_name("endpoint", name, "Endpoint", "BadArgument")
    for document in call.state.store.list("endpoints", name=name):
        if lookup.workspace_of_scope(call.state, document.scope).region == call.ws.region:
            message = f"Endpoint name {name} is taken in region {call.ws.region} by another workspace; "
            raise AzureError(409, "Conflict", message + "names are unique in a region.")


def _check_traffic(call: Call, name: str, traffic: dict[str, Any], what: str) -> dict[str, int]:
    existing = deployments_of(call.state, call.ws, name)
    # The CLI sends what stood behind --traffic as text.
    traffic = {key: int(each) if isinstance(each, str) and each.isdecimal() else each for key, each in traffic.items()}
    for deployment, percent in traffic.items():
        if deployment not in existing:
            raise bad_request(
                f"Endpoint {name}: {what} goes to deployment {deployment!r}, which does not exist"
                f"{suggest(deployment, existing)}; its deployments are: {', '.join(existing) or 'none'}.",
                "BadArgument",
            )
        whole = isinstance(percent, int) and not isinstance(percent, bool)
        if not whole or not limit("endpoint.traffic").holds(percent):
            raise bad_request(
                f"Endpoint {name}: {what} to {deployment} is {percent!r}; allowed is 0 to 100.", "BadArgument"
            )
    return traffic


async def provision(parts: Parts, words: dict[str, Any]) -> None:
    """Ends the creation or the change of an endpoint."""
    provisioned(parts.state, "endpoints", words, "Succeeded")


@arm("DELETE", ENDPOINT)
async def delete(call: Call) -> Any:
    """Deletes an endpoint with its deployments; one that does not exist is already gone (204)."""
    name = call.words["endpoint"]
    document = call.state.store.get(call.ws.scope, "endpoints", name)
    if document is None:
        return reply(status=204)
    document.body["properties"]["provisioningState"] = "Deleting"
    _, headers = put_and_begin(call, "endpoint.delete", "endpoints", name, document.body)
    return reply(status=202, headers=headers)


async def remove(parts: Parts, words: dict[str, Any]) -> None:
    """Ends the deletion of an endpoint: its deployments' processes are gone before it is."""
    state = parts.state
    endpoint = state.store.get(words["scope"], "endpoints", words["name"])
    if endpoint is None or endpoint.body["properties"]["provisioningState"] != "Deleting":
        return  # it was gone before a restart, and one of the same name may have been made since
    workspace = lookup.workspace_of_scope(state, words["scope"])
    for each in deployments_of(state, workspace, words["name"]).values():
        await parts.servers.remove((each.scope, each.name.lower()))
        state.store.delete(each.scope, "deployments", each.name)
    state.store.delete(words["scope"], "endpoints", words["name"])


def _mode(call: Call, wanted: str) -> Document:
    document = find(call)
    mode = document.body["properties"]["authMode"]
    if mode != wanted:
        raise bad_request(f"Endpoint {document.name} authenticates by {mode}, not by {wanted}.")
    return document


@arm("POST", ENDPOINT + "/listKeys")
async def list_keys(call: Call) -> Any:
    """Returns the keys of an endpoint."""
    return _mode(call, "Key").body["keys"]


@arm("POST", ENDPOINT + "/regenerateKeys")
async def regenerate_keys(call: Call) -> Any:
    """Draws a new key; the SDK sends the old one along as `keyValue`, which is ignored."""
    document = _mode(call, "Key")
    kind = str((await call.json()).get("keyType", "")).lower()
    if kind not in ("primary", "secondary"):
        raise bad_request(f"keyType is {kind!r}; allowed are Primary, Secondary.")
    document.body["keys"][f"{kind}Key"] = secrets.token_urlsafe(24)
    _, headers = put_and_begin(call, "endpoint.put", "endpoints", document.name, document.body)
    return reply(status=202, headers=headers)


@arm("POST", ENDPOINT + "/token")
async def token(call: Call) -> Any:
    """Gives a token for scoring to whoever may manage the endpoint."""
    document = _mode(call, "AMLToken")
    now = int(time.time())
    return {
        "accessToken": tokens.make_token(call.state, scoring_audience(call.ws, document.name)),
        "expiryTimeUtc": now + tokens.LIFETIME,
        "refreshAfterTimeUtc": now + tokens.LIFETIME // 2,
        "tokenType": "Bearer",
    }


def scoring_audience(workspace: Workspace, endpoint: str) -> str:
    """Returns the audience of an endpoint's own tokens."""
    return f"{workspace.path}/onlineEndpoints/{endpoint}".lower()
