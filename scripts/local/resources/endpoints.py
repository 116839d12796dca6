"""Online endpoints: creating, traffic, keys and tokens, deleting."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any

from scripts.azure.limits import gets_both, limit, traffic_adds_up
from scripts.errors import suggest
from scripts.local.core import clock, faults, lookup, tokens
from scripts.local.core.arm import page, provisioned, refuse_name, resource, stored
from scripts.local.core.operations import begin, refuse_leaving
from scripts.local.core.state import Parts, State, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import WORKSPACE, Call, Routes, bad_request, inferencing, reply
from scripts.local.resources import identities
from scripts.local.resources.forms import form

arm = Routes()
ENDPOINT = WORKSPACE + "/onlineEndpoints/{endpoint}"
KEYS = ("primaryKey", "secondaryKey")
HELD = "held names"  # the kind of document that remembers, by region, the names of deleted endpoints
RECREATE = (
    "This endpoint has not been created successfully or is in deleting provisioning state. Please recreate endpoint"
)
MAKING = 0.2  # seconds that an endpoint is made at least: who does not wait for it is refused, as on Azure (a minute)
MODES = {"key": "Key", "amltoken": "AMLToken", "aadtoken": "AADToken"}  # a client sends any case


def find(call: Call) -> Document:
    """Returns the endpoint that a request's path names; raises Azure's 404."""
    name = call.words["endpoint"]
    return stored(call, "endpoints", name, f"onlineEndpoints/{name}")


def refuse_unready(endpoint: Document) -> None:
    """Refuses to add to an endpoint that is not there yet, is on its way out or was never made, in Azure's words.

    azure-sdk-for-net#36961 (2023-06); three users' logs of 2025 and 2026.
    """
    state = endpoint.body["properties"]["provisioningState"]
    if state in ("Failed", "Deleting"):
        raise inferencing(f"{RECREATE} and then try again to create deployment.")
    if state != "Succeeded":
        message = f"Cannot create a deployment in endpoint {endpoint.name} because it is in {state} provisioning state."
        raise bad_request(message, "BadRequest")


def deployments_of(state: State, workspace: Workspace, endpoint: str) -> dict[str, Document]:
    """Returns the deployments of an endpoint by their names; they are stored as `endpoint/deployment`."""
    documents = state.store.list("deployments", workspace.scope)
    owner = f"{endpoint.lower()}/"
    return {document.name[len(owner) :]: document for document in documents if document.name.lower().startswith(owner)}


def put_and_begin(
    call: Call, work: str, kind: str, name: str, body: dict[str, Any], place: str
) -> tuple[Document, dict[str, str]]:
    """Stores an endpoint or a deployment, which says where its operation is polled, and begins that."""
    with call.state.store.transaction():
        headers = begin(call, work, name, place)
        body["properties"]["properties"]["AzureAsyncOperationUri"] = headers["Azure-AsyncOperation"]
        return call.state.store.put(call.ws.scope, kind, name, body), headers


def _resource(call: Call, document: Document) -> dict[str, Any]:
    path = f"onlineEndpoints/{document.name}"
    properties, owner = document.body["properties"], f"{call.ws.path}/{path}"
    made = document.body.get("made", properties["provisioningState"] != "Creating")
    host = f"https://{document.name}.{call.ws.region}.inference.ml.azure.com"
    content = {
        "location": call.ws.region,
        "kind": "Managed",
        "tags": document.body["tags"],
        "identity": identities.shown(call.state, owner, document.body["identity"]),
        "properties": {
            **properties,
            "properties": {**properties["properties"], "azureml.onlineendpointid": owner.lower()},
            "scoringUri": f"{host}/score" if made else None,
            "swaggerUri": f"{host}/swagger.json" if made else None,
        },
    }
    return form("online_endpoint").complete(resource(call.ws, path, document, **content))


@arm("GET", WORKSPACE + "/onlineEndpoints")
async def list_endpoints(call: Call) -> Any:
    """Lists the endpoints."""
    return page(call, [_resource(call, each) for each in call.state.store.list("endpoints", call.ws.scope)])


@arm("GET", ENDPOINT)
async def get(call: Call) -> Any:
    """Returns an endpoint."""
    return _resource(call, find(call))


@arm("PUT", ENDPOINT)
async def put(call: Call) -> Any:
    """Creates an endpoint, or changes its traffic, tags and description."""
    name = call.words["endpoint"]
    body = form("online_endpoint").read(call.json(), f"Endpoint {name}")
    old = call.state.store.get(call.ws.scope, "endpoints", name)
    made = old is not None and old.body.get("made", True)
    if old is None:
        _check_name(call, name)
    elif old.body["properties"]["provisioningState"] in (("Deleting",) if made else ("Deleting", "Failed")):
        raise inferencing(f"{RECREATE}.")
    given = body.get("properties", {})
    kept = {
        "tags": body.get("tags", {}),
        "identity": {"type": "SystemAssigned", **body.get("identity", {})},
        "keys": old.body["keys"] if old else {key: secrets.token_urlsafe(24) for key in KEYS},
        "made": made,
        "properties": {
            "properties": {},
            **given,
            "authMode": _mode_of(call, name, given, old),
            **_check_traffic(call, name, given),
            "provisioningState": "Updating" if made else "Creating",
        },
    }
    document, headers = put_and_begin(call, "endpoint.put", "endpoints", name, kept, f"onlineEndpoints/{name}")
    return reply(_resource(call, document), 201, headers)


@arm("PATCH", ENDPOINT)
async def patch(call: Call) -> Any:
    """Changes the tags or the identity of an endpoint; anything else is not for PATCH, as in Azure's contract."""
    document = find(call)
    refuse_leaving(call.state, document, f"Endpoint {document.name}")
    body = form("online_endpoint").read(call.json(), f"Endpoint {document.name}")
    if "properties" in body:
        raise bad_request(f"Endpoint {document.name}: PATCH changes tags and identity; PUT changes properties.")
    changed = {key: body[key] for key in ("tags", "identity") if key in body}
    return _resource(call, call.state.store.change(document, **changed))


def _mode_of(call: Call, name: str, given: dict[str, Any], old: Document | None) -> str:
    """Returns how an endpoint authenticates; a PUT does not change it, and is no error: recorded 2022-04 and -05."""
    if given.get("compute"):
        raise bad_request(
            f"Endpoint {name} is on {given['compute']}, an attached Kubernetes cluster; the local Azure ML has managed "
            "endpoints only: leave compute out."
        )
    mode = MODES.get(str(given.get("authMode", "Key")).lower())
    if mode is None:
        raise bad_request(
            f"Endpoint {name}: authMode is {given['authMode']!r}; allowed are {', '.join(MODES.values())}."
        )
    before = old.body["properties"]["authMode"] if old else mode
    if before != mode:
        call.state.log.warning("endpoint %s keeps authMode %s: a change to %s has no effect", name, before, mode)
    return str(before)


def _check_name(call: Call, name: str) -> None:
    refuse_name("endpoint", name, "Endpoint", "BadArgument")
    faults.inject(call.state, "endpoint", name=name)
    for document in call.state.store.list("endpoints", name=name):
        if lookup.workspace_of_scope(call.state, document.scope).region == call.ws.region:
            raise inferencing(
                "There is already an endpoint with this name, Endpoint name needs to be unique within a region. Try "
                "some other name."
            )
    held = call.state.store.get("", HELD, name, call.ws.region)
    if held is not None and clock.now() - held.modified < call.state.settings.name_held_seconds:
        raise faults.FAULTS["endpoint-name-held"].error(name=name)


def _check_traffic(call: Call, name: str, given: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Returns the shares of the deployments, and of the one whose requests are copies.

    The rules stand in azure/limits.py. What Azure says to wrong ones is unverified: nobody has recorded it.
    """
    traffic, mirror = (
        _shares(call, name, given.get(key, {}), what)
        for key, what in (("traffic", "traffic"), ("mirrorTraffic", "mirror traffic"))
    )
    total = sum(traffic.values())
    if not traffic_adds_up(total):
        raise bad_request(f"Endpoint {name}: traffic adds up to {total}; allowed is 0 or 100.", "BadArgument")
    total = sum(mirror.values())
    if not limit("endpoint.mirror_traffic").holds(total):
        raise bad_request(f"Endpoint {name}: mirror traffic is {total}; allowed are at most 50.", "BadArgument")
    if not limit("endpoint.mirror_traffic.deployments").holds(len(mirror)):
        raise bad_request(f"Endpoint {name}: mirror traffic goes to {len(mirror)} deployments; allowed is one.")
    for deployment in gets_both(traffic, mirror):
        raise bad_request(
            f"Endpoint {name}: {deployment} has live traffic and mirror traffic; allowed is one of them.", "BadArgument"
        )
    return {"traffic": traffic, "mirrorTraffic": mirror}


def _shares(call: Call, name: str, traffic: dict[str, Any], what: str) -> dict[str, int]:
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
        if not isinstance(percent, int) or not limit("endpoint.traffic").holds(percent):
            raise bad_request(
                f"Endpoint {name}: {what} to {deployment} is {percent!r}; allowed is 0 to 100.", "BadArgument"
            )
        if percent:
            refuse_leaving(call.state, existing[deployment], f"Deployment {deployment}")
    return traffic


async def provision(parts: Parts, words: dict[str, Any]) -> None:
    """Ends the creation or the change of an endpoint."""
    state = parts.state
    document = state.store.get(words["scope"], "endpoints", words["name"])
    if document is not None and not document.body.get("made", True):
        await asyncio.sleep(MAKING)
        faults.inject(state, "endpoint.work", name=document.name)
        document = state.store.get(words["scope"], "endpoints", words["name"])
        if document is not None:
            state.store.change(document, made=True)
    provisioned(state, "endpoints", words, "Succeeded")


@arm("DELETE", ENDPOINT)
async def delete(call: Call) -> Any:
    """Deletes an endpoint with its deployments; one that does not exist is already gone (204)."""
    name = call.words["endpoint"]
    document = call.state.store.get(call.ws.scope, "endpoints", name)
    if document is None:
        return reply(status=204)
    document.body["properties"]["provisioningState"] = "Deleting"
    with call.state.store.transaction():
        call.state.store.change(document)
        headers = begin(call, "endpoint.delete", name)
    return reply(status=202, headers=headers)


async def remove(parts: Parts, words: dict[str, Any]) -> None:
    """Ends the deletion of an endpoint: its deployments' processes are gone before it is."""
    state = parts.state
    endpoint = state.store.get(words["scope"], "endpoints", words["name"])
    if endpoint is None or endpoint.body["properties"]["provisioningState"] != "Deleting":
        return  # it was gone before a restart, and one of the same name may have been made since
    workspace = lookup.workspace_of_scope(state, words["scope"])
    for each in deployments_of(state, workspace, words["name"]).values():
        await queue(state, each)
        await parts.servers.remove((each.scope, each.name.lower()))
        state.store.delete(each.scope, "deployments", each.name)
    with state.store.transaction():
        state.store.delete(words["scope"], "endpoints", words["name"])
        state.store.put("", HELD, endpoint.name, {}, workspace.region)


async def queue(state: State, deployment: Document) -> None:
    """Waits as Azure does for a creation or change of a deployment that still runs; not as long: see the settings."""
    deadline = time.monotonic() + state.settings.delete_waits_seconds
    while time.monotonic() < deadline:
        found = state.store.get(deployment.scope, "deployments", deployment.name)
        if found is None or found.body["properties"]["provisioningState"] not in ("Creating", "Updating"):
            return
        await asyncio.sleep(0.05)


def _mode(call: Call, wanted: str) -> Document:
    """Returns the endpoint; refuses what its way to authenticate does not have (Azure's own words are unverified)."""
    document = find(call)
    mode = document.body["properties"]["authMode"]
    if mode != wanted:
        raise bad_request(f"Endpoint {document.name} authenticates by {mode}, not by {wanted}.")
    return document


@arm("POST", ENDPOINT + "/listKeys")
async def list_keys(call: Call) -> Any:
    """Returns the keys of an endpoint; nulls where it has none: recorded 2024 and later for AADToken."""
    document = find(call)
    return document.body["keys"] if document.body["properties"]["authMode"] == "Key" else dict.fromkeys(KEYS)


@arm("POST", ENDPOINT + "/regenerateKeys")
async def regenerate_keys(call: Call) -> Any:
    """Draws a new key; the SDK sends the old one along as `keyValue`, which is ignored."""
    document = _mode(call, "Key")
    refuse_leaving(call.state, document, f"Endpoint {document.name}")
    kind = str(call.json().get("keyType", "")).lower()
    if f"{kind}Key" not in KEYS:
        raise bad_request(f"keyType is {kind!r}; allowed are Primary, Secondary.")
    document.body["keys"][f"{kind}Key"] = secrets.token_urlsafe(24)
    with call.state.store.transaction():
        call.state.store.change(document)
        headers = begin(call, "endpoint.put", document.name)
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
