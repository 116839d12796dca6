"""Online deployments: the resource; serving/ has the process behind each."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from scripts.azure.limits import limit
from scripts.local.core import faults
from scripts.local.core.arm import page, provisioned, refuse_name, resource, stored
from scripts.local.core.operations import begin, refuse_leaving
from scripts.local.core.state import Parts, State
from scripts.local.core.store import Document
from scripts.local.core.web import INFERENCING, AzureError, Call, Routes, bad_request, inferencing, reply
from scripts.local.resources import deployment_log, endpoints, models, registry, sizes
from scripts.local.resources.deployment_log import CONTAINERS
from scripts.local.resources.forms import form
from scripts.local.storage import uris

arm = Routes()
BASE = endpoints.ENDPOINT + "/deployments"
DEPLOYMENT = BASE + "/{name}"
PROBES = ("livenessProbe", "readinessProbe")
PROBE: dict[str, Any] = {"initialDelay": "PT10S", "period": "PT10S", "failureThreshold": 30}  # Azure's defaults


def _find(call: Call) -> Document:
    endpoint, name = endpoints.find(call).name, call.words["name"]
    path = f"onlineEndpoints/{call.words['endpoint']}/deployments/{name}"
    return stored(call, "deployments", f"{endpoint}/{name}", path)


def _resource(call: Call, document: Document) -> dict[str, Any]:
    endpoint, _, name = document.name.partition("/")
    path, properties = f"onlineEndpoints/{endpoint}/deployments/{name}", document.body["properties"]
    if properties["provisioningState"] != "Creating":  # until then Azure shows no defaults of the probes
        properties = {**{probe: {} for probe in PROBES if not properties.get(probe)}, **properties}
    content = {"sku": document.body["sku"], "tags": document.body["tags"], "properties": properties}
    shown = resource(call.ws, path, document, location=call.ws.region, kind="Managed", **content)
    return form("online_deployment").complete(shown)


@arm("GET", BASE)
async def list_deployments(call: Call) -> Any:
    """Lists the deployments of an endpoint."""
    found = endpoints.deployments_of(call.state, call.ws, endpoints.find(call).name)
    return page(call, [_resource(call, each) for each in found.values()])


@arm("GET", DEPLOYMENT)
async def get(call: Call) -> Any:
    """Returns a deployment."""
    return _resource(call, _find(call))


@arm("GET", DEPLOYMENT + "/skus")
async def skus(call: Call) -> Any:
    """Lists how many instances a deployment may have; words and the default as recorded 2024-07."""
    _find(call)
    most = limit("deployment.instance_count")
    capacity = {"default": 3, "minimum": most.least, "maximum": most.most, "scaleType": "Automatic"}
    kind = "Microsoft.MachineLearning.Services/endpoints/deployments"
    sku = {"name": "default", "tier": "Standard"}
    return {"value": [{"resourceType": kind, "sku": sku, "capacity": capacity}]}


@arm("PUT", DEPLOYMENT)
async def put(call: Call) -> Any:
    """Creates a deployment, or replaces it: the new server takes over when it is ready."""
    endpoint, given = endpoints.find(call), call.words["name"]
    endpoints.refuse_unready(endpoint)
    name = f"{endpoint.name}/{given}"
    old = call.state.store.get(call.ws.scope, "deployments", name)
    if old is not None:
        refuse_leaving(call.state, old, f"Deployment {given}")
    if old is not None and old.body["properties"]["provisioningState"] == "Failed" and "served" not in old.body:
        raise inferencing(  # five users' logs, 2023-03 to 2026
            f"Specified deployment [{given}] failed during initial provisioning and is in an unrecoverable state. "
            "Delete and re-create."
        )
    body = form("online_deployment").read(call.json(), f"Deployment {given}")
    kept = _check(call, given, body, old)
    place = f"onlineEndpoints/{endpoint.name}/deployments/{given}"
    document, headers = endpoints.put_and_begin(call, "deployment.put", "deployments", name, kept, place)
    return reply(_resource(call, document), 201, headers)


def seconds(duration: Any) -> float:
    """Returns an ISO 8601 duration, as the SDK sends timeouts, in seconds."""
    match = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?", str(duration))
    if match is None or not any(match.groups()):
        raise bad_request(f"{duration!r} is not an ISO 8601 duration such as PT1M30S.", "BadArgument")
    hours, minutes, rest = (float(each or 0) for each in match.groups())
    return hours * 3600 + minutes * 60 + rest


def _check(call: Call, name: str, body: dict[str, Any], old: Document | None) -> dict[str, Any]:
    refuse_name("deployment", name, "Deployment", "BadArgument")
    properties, what = body.get("properties", {}), f"Deployment {name}"
    _refuse_absent(what, properties)
    size = sizes.find(properties.get("instanceType", ""), what, sizes.SERVES)
    if sizes.SERVES not in sizes.compute_types(size):
        raise bad_request(f"{what} asks for size {size.name}, which online endpoints do not offer.", "BadArgument")
    count = body.get("sku", {}).get("capacity", 1)
    if not limit("deployment.instance_count").holds(count):
        allowed = limit("deployment.instance_count").words
        raise bad_request(f"{what}: instance_count is {count}; allowed is {allowed}.", "BadArgument")
    requests: dict[str, Any] = {
        "requestTimeout": "PT5S",
        "maxConcurrentRequestsPerInstance": 1,
        "maxQueueWait": "PT0.5S",
    }
    requests |= properties.get("requestSettings", {})
    timeout, concurrent = seconds(requests["requestTimeout"]) * 1000, requests["maxConcurrentRequestsPerInstance"]
    if not limit("deployment.request_timeout_ms").holds(timeout):
        allowed = limit("deployment.request_timeout_ms").words
        raise bad_request(f"{what}: request_timeout_ms is {timeout:g}; allowed is {allowed}.", "BadArgument")
    if not limit("deployment.max_concurrent_requests_per_instance").holds(concurrent):
        raise bad_request(f"{what}: max_concurrent_requests_per_instance must be at least 1.", "BadArgument")
    for probe in PROBES:
        probe_seconds(properties.get(probe))
    _check_model(call, what, properties.get("model"))
    used = sizes.usage(call.state, call.ws.subscription, call.ws.region).get(size.family, 0)
    words = {"size": size.name, "subscription": call.ws.subscription, "cores": size.serving_cores(count), "used": used}
    faults.inject(call.state, "deployment", **words)
    same = old is not None and old.body["properties"]["instanceType"] == size.name
    sizes.refuse_over_quota(call, size, count, old.body["sku"]["capacity"] * size.vcpus if old and same else 0)
    before = {"served": old.body["served"]} if old and "served" in old.body else {}
    return {
        "tags": body.get("tags", {}),
        "sku": {"capacity": count},
        **before,
        "properties": {
            "properties": {},
            **properties,
            "requestSettings": requests,
            "provisioningState": "Updating" if before else "Creating",
        },
    }


def _refuse_absent(what: str, properties: dict[str, Any]) -> None:
    """Refuses what only Azure has: it would be ignored here, and the deployment would be another than it says."""
    kind = properties.get("endpointComputeType", "Managed")
    scale = properties.get("scaleSettings", {}).get("scaleType", "Default")
    absent = {
        f"is of type {kind}; the local Azure ML has managed deployments only": kind != "Managed",
        "has scoring code of its own (code_configuration); the local Azure ML serves MLflow models without code: "
        "leave it out here, or deploy this one to Azure": "codeConfiguration" in properties,
        "has an environment of its own; the local Azure ML serves MLflow models in its own: leave environment out "
        "here, or deploy this one to Azure": "environmentId" in properties,
        f"scales by {scale}; the local Azure ML has no autoscale: take scale_settings type default": scale != "Default",
        "collects data (data_collector); the local Azure ML has no data collection: leave it out here": bool(
            properties.get("dataCollector", {}).get("collections")
        ),
    }
    for sentence, asked in absent.items():
        if asked:
            raise bad_request(f"{what} {sentence}.", "BadArgument")


def _check_model(call: Call, what: str, model: str | None) -> None:
    if not model:
        raise bad_request(
            f"{what} names no model; the local Azure ML serves MLflow models without code.", "BadArgument"
        )
    match = uris.REGISTRY.fullmatch(model)
    if match:
        registry.model_named(match, what)
    else:
        models.named(call.state, call.ws, model)


def probe_seconds(probe: dict[str, Any] | None) -> float:
    """Returns the seconds after which a container that does not answer a probe is given up."""
    words = PROBE | (probe or {})
    return seconds(words["initialDelay"]) + int(words["failureThreshold"]) * seconds(words["period"])


async def provision(parts: Parts, words: dict[str, Any]) -> None:
    """Starts a deployment's server and waits for its probes."""
    state = parts.state
    document = state.store.get(words["scope"], "deployments", words["name"])
    if document is not None:
        await _hold(state, document)
        size = sizes.find(document.body["properties"]["instanceType"], "The deployment")
        cores = size.serving_cores(document.body["sku"]["capacity"])
        faults.inject(state, "deployment.work", name=words["name"].partition("/")[2], cores=cores)
    provided = await parts.servers.provide((words["scope"], words["name"].lower()))
    document = state.store.get(words["scope"], "deployments", words["name"])
    if document is None or document.serial != provided.serial:
        return
    # What serves now, in case that a later change fails. One that came meanwhile has an operation of its own.
    document = state.store.change(document, served={part: provided.body[part] for part in ("sku", "properties")})
    if document.body["properties"]["properties"] == provided.body["properties"]["properties"]:
        provisioned(state, "deployments", words, "Succeeded")


async def _hold(state: State, document: Document) -> None:
    """Keeps a deployment in state Creating where a fault says so, until it or the fault is gone."""
    standing = faults.is_set(state, "deployment-never-starts")
    fault = faults.happening(state, "deployment.hold")
    if fault is None:
        return
    lasting = standing and faults.is_set(state, "deployment-never-starts")  # not only once
    while state.store.get(document.scope, "deployments", document.name) is not None:
        if lasting and not faults.is_set(state, "deployment-never-starts"):
            break
        await asyncio.sleep(0.2)
    raise fault.error()


@arm("DELETE", DEPLOYMENT)
async def delete(call: Call) -> Any:
    """Deletes a deployment; one that does not exist is already gone (204)."""
    endpoint = endpoints.find(call)
    name = f"{endpoint.name}/{call.words['name']}"
    document = call.state.store.get(call.ws.scope, "deployments", name)
    if document is None:
        return reply(status=204)
    if document.body["properties"]["provisioningState"] == "Creating":
        # Field notes of 2026-08: refused, only the whole endpoint can be deleted. The words are unverified.
        raise inferencing(
            f"Cannot delete deployment {call.words['name']} because it is in Creating provisioning state; the endpoint "
            "can be deleted with it"
        )
    share = endpoint.body["properties"]["traffic"].get(call.words["name"], 0)
    return reply(status=202, headers=begin(call, "deployment.delete", name, share=share))


async def remove(parts: Parts, words: dict[str, Any]) -> None:
    """Ends the deletion of a deployment: its process is gone, and its memory given back, before it is.

    One that has traffic stays, and the operation fails: recorded 2022-05 for Kubernetes, for managed ones the words.
    """
    state, (name, _, deployment) = parts.state, words["name"].partition("/")
    document = state.store.get(words["scope"], "deployments", words["name"])
    if words.get("share"):
        message = f"Can't delete deployment [{deployment}] with non-zero traffic weight, Current traffic "
        message += f"[{words['share']}]."
        raise AzureError(400, INFERENCING, message)
    if document is not None:
        await endpoints.queue(state, document)
    await parts.servers.remove((words["scope"], words["name"].lower()), drains=True)
    endpoint = state.store.get(words["scope"], "endpoints", name)
    with state.store.transaction():
        state.store.delete(words["scope"], "deployments", words["name"])
        shares = (
            [endpoint.body["properties"].get(kind, {}) for kind in ("traffic", "mirrorTraffic")] if endpoint else []
        )
        if endpoint is not None and [each for each in shares if each.pop(deployment, None) is not None]:
            state.store.change(endpoint)


@arm("POST", DEPLOYMENT + "/getLogs")
async def get_logs(call: Call) -> Any:
    """Returns what a deployment's instance says of itself and the last lines of its container's log."""
    document = _find(call)
    body = call.json()
    asked, lines = body.get("containerType"), body.get("tail")
    container = next((each for each in CONTAINERS if each.lower() == str(asked or CONTAINERS[0]).lower()), None)
    if container is None:
        message = f"{asked!r} is not a valid enum value. Field: containerType. Allowed values: {', '.join(CONTAINERS)}."
        raise bad_request(message, inner=("RequestInvalid",))
    if lines is not None and (isinstance(lines, bool) or not isinstance(lines, int) or lines < 1):
        raise bad_request(f"tail is {lines!r}; allowed is a whole number of at least 1.", inner=("RequestInvalid",))
    return {"content": deployment_log.content(call.state, document, container, lines or 5000)}
