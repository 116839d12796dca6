"""Online deployments: the resource; servers.py has the process behind each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from scripts.azure import name_rules
from scripts.azure.limits import limit
from scripts.local import endpoints, faults, models, registry, servers, sizes, uris
from scripts.local.assets import without_nulls
from scripts.local.operations import begin, operation
from scripts.local.store import Document
from scripts.local.web import AzureError, Call, Routes, bad_request, not_found, page, reply

if TYPE_CHECKING:
    from scripts.local.emulator import Emulator
    from scripts.local.workspaces import Workspace

arm = Routes()
BASE = endpoints.ENDPOINT + "/deployments"
DEPLOYMENT = BASE + "/{name}"
PROBE = {"initialDelay": "PT10S", "period": "PT10S", "timeout": "PT2S", "successThreshold": 1, "failureThreshold": 30}


def find(emulator: Emulator, workspace: Workspace, endpoint: str, name: str) -> Document:
    """Returns a deployment; raises Azure's 404."""
    endpoints.find(emulator, workspace, endpoint)
    document = emulator.store.get(workspace.scope, "deployments", f"{endpoint}/{name}")
    if document is None:
        raise not_found(
            f"The Resource 'Microsoft.MachineLearningServices/workspaces/{workspace.name}/onlineEndpoints/{endpoint}/deployments/{name}' "
            f"under resource group '{workspace.group}' was not found.",
            "ResourceNotFound",
        )
    return document


def _resource(workspace: Workspace, document: Document) -> dict[str, Any]:
    endpoint, _, name = document.name.partition("/")
    return {
        "id": f"{workspace.path}/onlineEndpoints/{endpoint}/deployments/{name}",
        "name": name,
        "type": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",
        "location": workspace.region,
        "kind": "Managed",
        "tags": document.body["tags"],
        "sku": document.body["sku"],
        "systemData": document.system_data(),
        "properties": document.body["properties"],
    }


@arm("GET", BASE)
async def list_deployments(call: Call) -> Any:
    """Lists the deployments of an endpoint."""
    endpoint = endpoints.find(call.emulator, call.ws, call.words["endpoint"]).name
    return page(call, [_resource(call.ws, each) for each in endpoints.deployments_of(call.emulator, call.ws, endpoint)])


@arm("GET", DEPLOYMENT)
async def get(call: Call) -> Any:
    """Returns a deployment."""
    return _resource(call.ws, find(call.emulator, call.ws, call.words["endpoint"], call.words["name"]))


@arm("PUT", DEPLOYMENT)
async def put(call: Call) -> Any:
    """Creates a deployment, or replaces it: the new server takes over when it is ready."""
    endpoint = endpoints.find(call.emulator, call.ws, call.words["endpoint"])
    endpoints.refuse_deleting(endpoint)
    name = f"{endpoint.name}/{call.words['name']}"
    old = call.emulator.store.get(call.ws.scope, "deployments", name)
    kept = _check(call, call.words["name"], without_nulls(await call.json()), old)
    with call.emulator.store.transaction():
        document = call.emulator.store.put(call.ws.scope, "deployments", name, kept)
        headers = begin(call, "deployment.put", {"scope": call.ws.scope, "name": name})
    return reply(_resource(call.ws, document), 200 if old else 201, headers)


def seconds(duration: Any) -> float:
    """Returns an ISO 8601 duration, as the SDK sends timeouts, in seconds."""
    match = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?", str(duration))
    if match is None or not any(match.groups()):
        raise bad_request(f"{duration!r} is not an ISO 8601 duration such as PT1M30S.", "BadArgument")
    hours, minutes, rest = (float(each or 0) for each in match.groups())
    return hours * 3600 + minutes * 60 + rest


def _check(call: Call, name: str, body: dict[str, Any], old: Document | None) -> dict[str, Any]:
    if name_rules.fault("deployment", name):
        allowed = name_rules.rule("deployment").allowed
        raise bad_request(f"Deployment name {name!r} is not allowed: {allowed}.", "BadArgument")
    properties, what = body.get("properties") or {}, f"Deployment {name}"
    if properties.get("endpointComputeType", "Managed") != "Managed":
        raise bad_request(
            f"{what} is of type {properties['endpointComputeType']}; the local Azure ML has managed ones only."
        )
    size = sizes.find(properties.get("instanceType", ""), what)
    sizes.refuse_retired(size, what)
    if not size["online_endpoint"]:
        raise bad_request(f"{what} asks for size {size['name']}, which online endpoints do not offer.", "BadArgument")
    count = (body.get("sku") or {}).get("capacity") or 1
    if not limit("deployment.instance_count").holds(count):
        allowed = limit("deployment.instance_count").words
        raise bad_request(f"{what}: instance_count is {count}; allowed is {allowed}.", "BadArgument")
    requests = {"maxConcurrentRequestsPerInstance": 1, "requestTimeout": "PT5S", "maxQueueWait": "PT0.5S"}
    requests |= properties.get("requestSettings") or {}
    timeout, concurrent = seconds(requests["requestTimeout"]) * 1000, requests["maxConcurrentRequestsPerInstance"]
    if not limit("deployment.request_timeout_ms").holds(timeout):
        allowed = limit("deployment.request_timeout_ms").words
        raise bad_request(f"{what}: request_timeout_ms is {timeout:g}; allowed is {allowed}.", "BadArgument")
    if not limit("deployment.max_concurrent_requests_per_instance").holds(concurrent):
        raise bad_request(f"{what}: max_concurrent_requests_per_instance must be at least 1.", "BadArgument")
    if not properties.get("model"):
        raise bad_request(
            f"{what} names no model; the local Azure ML serves MLflow models without code.", "BadArgument"
        )
    match = uris.REGISTRY.fullmatch(properties["model"])
    if match:
        registry.model_named(match, what)
    else:
        models.named(call.emulator, call.ws, properties["model"])
    held = (
        old.body["sku"]["capacity"] * size["vcpus"]
        if old and old.body["properties"]["instanceType"] == size["name"]
        else 0
    )
    faults.inject(
        call.emulator, "deployment", size=size["name"], subscription=call.ws.subscription, cores=size["vcpus"] * count
    )
    sizes.refuse_over_quota(call, size, count, held)
    return {
        "tags": body.get("tags") or {},
        "sku": {"name": "Default", "capacity": count},
        "properties": {
            "environmentVariables": {},
            "appInsightsEnabled": False,
            "egressPublicNetworkAccess": "Enabled",
            "properties": {},
            **properties,
            "endpointComputeType": "Managed",
            "scaleSettings": {"scaleType": "Default"},
            "requestSettings": requests,
            "livenessProbe": {**PROBE, **(properties.get("livenessProbe") or {})},
            "readinessProbe": {**PROBE, **(properties.get("readinessProbe") or {})},
            "provisioningState": "Updating" if old else "Creating",
        },
    }


@operation("deployment.put")
async def provision(emulator: Emulator, words: dict[str, Any]) -> None:
    """Starts a deployment's server and waits for its probe."""
    key = (words["scope"], words["name"].lower())
    try:
        faults.inject(emulator, "deployment.work", name=words["name"].partition("/")[2])
        await emulator.servers.provide(key)
    except AzureError:
        _set_state(emulator, words, "Failed")
        raise
    _set_state(emulator, words, "Succeeded")


def _set_state(emulator: Emulator, words: dict[str, Any], state: str) -> None:
    document = emulator.store.get(words["scope"], "deployments", words["name"])
    if document is not None:
        document.body["properties"]["provisioningState"] = state
        emulator.store.put(words["scope"], "deployments", words["name"], document.body)


@arm("DELETE", DEPLOYMENT)
async def delete(call: Call) -> Any:
    """Deletes a deployment, unless traffic still goes to it; one that does not exist is already gone (204)."""
    endpoint = endpoints.find(call.emulator, call.ws, call.words["endpoint"])
    name = f"{endpoint.name}/{call.words['name']}"
    if call.emulator.store.get(call.ws.scope, "deployments", name) is None:
        return reply(status=204)
    share = endpoint.body["properties"]["traffic"].get(call.words["name"], 0)
    if share > 0:
        raise bad_request(
            f"Deployment {call.words['name']} still gets {share}% of the traffic of endpoint {endpoint.name}: give it 0 first.",
            "BadArgument",
        )
    return reply(status=202, headers=begin(call, "deployment.delete", {"scope": call.ws.scope, "name": name}))


@operation("deployment.delete")
async def remove(emulator: Emulator, words: dict[str, Any]) -> None:
    """Ends the deletion of a deployment: its process is gone, and its memory given back, before it is."""
    await emulator.servers.remove((words["scope"], words["name"].lower()))
    name, _, deployment = words["name"].partition("/")
    endpoint = emulator.store.get(words["scope"], "endpoints", name)
    with emulator.store.transaction():
        emulator.store.delete(words["scope"], "deployments", words["name"])
        if endpoint is not None and endpoint.body["properties"]["traffic"].pop(deployment, None) is not None:
            emulator.store.put(words["scope"], "endpoints", name, endpoint.body)


@arm("POST", DEPLOYMENT + "/getLogs")
async def get_logs(call: Call) -> Any:
    """Returns the last lines of a deployment's log."""
    document = find(call.emulator, call.ws, call.words["endpoint"], call.words["name"])
    body = await call.json()
    if str(body.get("containerType", "")).lower() == "storageinitializer":
        return {"content": f"The model lies on this machine already: {document.body['properties']['model']}\n"}
    log = servers.log_path(call.emulator, (document.scope, document.name.lower()))
    return {"content": servers.tail(log, int(body.get("tail") or 5000)) + "\n"}
