"""Online deployments: the resource; serving/ has the process behind each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from scripts.azure.limits import limit
from scripts.local.core import faults, lookup, processes
from scripts.local.core.arm import page, provisioned, refuse_name, resource, stored, without_nulls
from scripts.local.core.operations import begin, put_and_begin
from scripts.local.core.state import Key, Parts, State, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import AzureError, Call, Routes, bad_request, reply
from scripts.local.resources import endpoints, models, registry, sizes
from scripts.local.storage import uris

arm = Routes()
BASE = endpoints.ENDPOINT + "/deployments"
DEPLOYMENT = BASE + "/{name}"
PROBE = {"initialDelay": "PT10S", "period": "PT10S", "timeout": "PT2S", "successThreshold": 1, "failureThreshold": 30}


def _find(call: Call) -> Document:
    endpoint, name = endpoints.find(call).name, call.words["name"]
    path = f"onlineEndpoints/{call.words['endpoint']}/deployments/{name}"
    return stored(call, "deployments", f"{endpoint}/{name}", path)


def _resource(workspace: Workspace, document: Document) -> dict[str, Any]:
    endpoint, _, name = document.name.partition("/")
    path, content = f"onlineEndpoints/{endpoint}/deployments/{name}", document.body
    return resource(workspace, path, document, location=workspace.region, kind="Managed", **content)


@arm("GET", BASE)
async def list_deployments(call: Call) -> Any:
    """Lists the deployments of an endpoint."""
    found = endpoints.deployments_of(call.state, call.ws, endpoints.find(call).name)
    return page(call, [_resource(call.ws, each) for each in found.values()])


@arm("GET", DEPLOYMENT)
async def get(call: Call) -> Any:
    """Returns a deployment."""
    return _resource(call.ws, _find(call))


@arm("PUT", DEPLOYMENT)
async def put(call: Call) -> Any:
    """Creates a deployment, or replaces it: the new server takes over when it is ready."""
    endpoint = endpoints.find(call)
    endpoints.refuse_deleting(endpoint)
    name = f"{endpoint.name}/{call.words['name']}"
    old = call.state.store.get(call.ws.scope, "deployments", name)
    kept = _check(call, call.words["name"], without_nulls(await call.json()), old)
    document, headers = put_and_begin(call, "deployment.put", "deployments", name, kept)
    return reply(_resource(call.ws, document), 200 if old else 201, headers)


def seconds(duration: Any) -> float:
    """Returns an ISO 8601 duration, as the SDK sends timeouts, in seconds."""
    match = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?", str(duration))
    if match is None or not any(match.groups()):
        raise bad_request(f"{duration!r} is not an ISO 8601 duration such as PT1M30S.", "BadArgument")
    hours, minutes, rest = (float(each or 0) for each in match.groups())
    return hours * 3600 + minutes * 60 + rest


def _check(call: Call, name: str, body: dict[str, Any], old: Document | None) -> dict[str, Any]:
    refuse_name("deployment", name, "Deployment", "BadArgument")
    properties, what = body.get("properties") or {}, f"Deployment {name}"
    if properties.get("endpointComputeType", "Managed") != "Managed":
        raise bad_request(
            f"{what} is of type {properties['endpointComputeType']}; the local Azure ML has managed ones only."
        )
    size = sizes.find(properties.get("instanceType", ""), what)
    if not size.online_endpoint:
        raise bad_request(f"{what} asks for size {size.name}, which online endpoints do not offer.", "BadArgument")
    count = (body.get("sku") or {}).get("capacity") or 1
    if not limit("deployment.instance_count").holds(count):
        allowed = limit("deployment.instance_count").words
        raise bad_request(f"{what}: instance_count is {count}; allowed is {allowed}.", "BadArgument")
    requests: dict[str, Any] = {
        "maxConcurrentRequestsPerInstance": 1,
        "requestTimeout": "PT5S",
        "maxQueueWait": "PT0.5S",
    }
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
        models.named(call.state, call.ws, properties["model"])
    same = old is not None and old.body["properties"]["instanceType"] == size.name
    held = old.body["sku"]["capacity"] * size.vcpus if old and same else 0
    words = {"size": size.name, "subscription": call.ws.subscription, "cores": size.vcpus * count}
    faults.inject(call.state, "deployment", **words)
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


async def provision(parts: Parts, words: dict[str, Any]) -> None:
    """Starts a deployment's server and waits for its probe."""
    key = (words["scope"], words["name"].lower())
    try:
        faults.inject(parts.state, "deployment.work", name=words["name"].partition("/")[2])
        await parts.servers.provide(key)
    except AzureError:
        provisioned(parts.state, "deployments", words, "Failed")
        raise
    provisioned(parts.state, "deployments", words, "Succeeded")


@arm("DELETE", DEPLOYMENT)
async def delete(call: Call) -> Any:
    """Deletes a deployment, unless traffic still goes to it; one that does not exist is already gone (204)."""
    endpoint = endpoints.find(call)
    name = f"{endpoint.name}/{call.words['name']}"
    if call.state.store.get(call.ws.scope, "deployments", name) is None:
        return reply(status=204)
    share = endpoint.body["properties"]["traffic"].get(call.words["name"], 0)
    if share > 0:
        raise bad_request(
            f"Deployment {call.words['name']} still gets {share}% of the traffic of endpoint {endpoint.name}: "
            "give it 0 first.",
            "BadArgument",
        )
    return reply(status=202, headers=begin(call, "deployment.delete", name))


async def remove(parts: Parts, words: dict[str, Any]) -> None:
    """Ends the deletion of a deployment: its process is gone, and its memory given back, before it is."""
    await parts.servers.remove((words["scope"], words["name"].lower()))
    name, _, deployment = words["name"].partition("/")
    state = parts.state
    endpoint = state.store.get(words["scope"], "endpoints", name)
    with state.store.transaction():
        state.store.delete(words["scope"], "deployments", words["name"])
        if endpoint is not None and endpoint.body["properties"]["traffic"].pop(deployment, None) is not None:
            state.store.put(words["scope"], "endpoints", name, endpoint.body)


@arm("POST", DEPLOYMENT + "/getLogs")
async def get_logs(call: Call) -> Any:
    """Returns the last lines of a deployment's log."""
    document = _find(call)
    body = await call.json()
    if str(body.get("containerType", "")).lower() == "storageinitializer":
        return {"content": f"The model lies on this machine already: {document.body['properties']['model']}\n"}
    log = log_path(call.state, (document.scope, document.name.lower()))
    return {"content": processes.tail(log, int(body.get("tail") or 5000)) + "\n"}


def log_path(state: State, key: Key) -> Path:
    """Returns the log of a deployment."""
    identifier = lookup.workspace_of_scope(state, key[0]).identifier
    return state.home.deployments / identifier / key[1].replace("/", ".") / "log.txt"
