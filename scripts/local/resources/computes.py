"""Computes: AmlCompute clusters. A cluster is a record here; what runs on it runs on this machine."""

from __future__ import annotations

import copy
from typing import Any

from scripts.azure import limits
from scripts.local.core import faults
from scripts.local.core.arm import page, provisioned, refuse_name, resource, stored
from scripts.local.core.operations import begin, put_and_begin
from scripts.local.core.state import Parts, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import WORKSPACE, AzureError, Call, Routes, bad_request, reply
from scripts.local.resources import sizes

arm = Routes()
COMPUTE = WORKSPACE + "/computes/{name}"
TIERS = {"dedicated": "Dedicated", "lowpriority": "LowPriority"}  # the SDK sends what a user wrote, in its own case


def _find(call: Call) -> Document:
    return stored(call, "computes", call.words["name"], f"computes/{call.words['name']}")


def _resource(workspace: Workspace, document: Document) -> dict[str, Any]:
    properties = document.body["properties"]
    scale = properties["properties"]["scaleSettings"]
    state = {
        "allocationState": "Steady",
        "currentNodeCount": scale["minNodeCount"],
        "targetNodeCount": scale["minNodeCount"],
    }
    shown = {
        **properties,
        "computeLocation": workspace.region,
        "createdOn": document.system_data()["createdAt"],
        "modifiedOn": document.system_data()["lastModifiedAt"],
        "properties": {**properties["properties"], **state},
    }
    identity = {"identity": document.body["identity"]} if document.body["identity"] else {}
    top = {"location": workspace.region, "tags": document.body["tags"], **identity}
    return resource(workspace, f"computes/{document.name}", document, **top, properties=shown)


@arm("GET", WORKSPACE + "/computes")
async def list_computes(call: Call) -> Any:
    """Lists the computes."""
    return page(call, [_resource(call.ws, each) for each in call.state.store.list("computes", call.ws.scope)])


@arm("GET", COMPUTE)
async def get(call: Call) -> Any:
    """Returns a compute."""
    return _resource(call.ws, _find(call))


@arm("PUT PATCH", COMPUTE)
async def put(call: Call) -> Any:
    """Creates a cluster, or changes its scale; its size and tier can never change."""
    name = call.words["name"]
    body = await call.json()
    old = call.state.store.get(call.ws.scope, "computes", name)
    if call.request.method == "PATCH":
        old = _find(call)
        wanted = body.get("properties") or {}
        scale = (wanted.get("properties") or wanted).get("scaleSettings") or {}
        body = copy.deepcopy(old.body)
        body["properties"]["properties"]["scaleSettings"] |= scale
    document, headers = put_and_begin(call, "compute.put", "computes", name, _check(call, name, body, old))
    return reply(_resource(call.ws, document), 200 if old else 201, headers)


def _check(call: Call, name: str, body: dict[str, Any], old: Document | None) -> dict[str, Any]:
    properties = body.get("properties", {})
    kind = properties.get("computeType")
    if kind != "AmlCompute":
        raise bad_request(f"Compute {name} is of type {kind!r}; the local Azure ML has AmlCompute clusters only.")
    if old is None:  # an older home may have names that are refused now
        refuse_name("cluster", name, "Compute")
    inner = properties.get("properties") or {}
    what = f"Compute {name}"
    tier = TIERS.get(str(inner.get("vmPriority") or "Dedicated").lower())
    if tier is None:
        raise bad_request(f"{what}: tier is {inner['vmPriority']!r}; allowed are {', '.join(TIERS.values())}.")
    inner = {**inner, "vmPriority": tier}
    size = sizes.find(inner.get("vmSize", ""), what)
    # A cluster whose creation failed can be created again as another: the reference notebook does so with low priority.
    if old is not None and old.body["properties"]["provisioningState"] != "Failed":
        for key, label in (("vmSize", "size"), ("vmPriority", "tier")):
            before, after = (str(each.get(key)) for each in (old.body["properties"]["properties"], inner))
            if before.lower() != after.lower():
                message = f"The {label} of compute {name} is {before} and cannot be changed to {after}"
                message += ": delete it, or take another name."
                raise bad_request(message, "ComputeUpdateNotAllowed")
    scale = inner.get("scaleSettings") or {}
    smallest, largest = scale.get("minNodeCount", 0), scale.get("maxNodeCount", 1)
    counts = (("cluster.min_instances", smallest), ("cluster.max_instances", largest))
    if not all(limits.limit(of).holds(number) for of, number in counts) or smallest > largest:
        raise bad_request(
            f"Compute {name} scales from {smallest} to {largest} nodes; allowed is 0 <= minimum <= maximum, "
            "with a maximum of at least 1."
        )
    words = {"size": size.name, "region": call.ws.region, "subscription": call.ws.subscription}
    faults.inject(call.state, "compute", **words)
    limit = call.state.settings.family_limit(size.family)
    nodes = max(smallest, 1)
    if size.vcpus * nodes > limit:
        message = (
            f"The specified subscription has a {size.family} vCPU quota of {limit} and cannot accommodate for at "
            f"least {nodes} requested managed compute node which maps to {size.vcpus * nodes} vCPUs."
        )
        raise bad_request(message, "ClusterMinNodesExceedCoreQuota")
    scale = {"nodeIdleTimeBeforeScaleDown": "PT2M", **scale, "minNodeCount": smallest, "maxNodeCount": largest}
    inner = {**inner, "vmSize": size.name, "scaleSettings": scale}
    return {
        "tags": body.get("tags") or {},
        "identity": body.get("identity"),
        "properties": {
            **properties,
            "provisioningState": "Creating" if old is None else "Updating",
            "properties": inner,
        },
    }


async def provision(parts: Parts, words: dict[str, Any]) -> None:
    """Ends the creation of a cluster."""
    state = parts.state
    document = state.store.get(words["scope"], "computes", words["name"])
    inner = document.body["properties"]["properties"] if document else {}
    try:
        faults.inject(state, "compute.work", name=words["name"])
        if str(inner.get("vmPriority")).lower() == "dedicated":
            faults.inject(state, "compute.dedicated", size=inner["vmSize"])
    except AzureError as error:
        errors = [{"error": {"code": error.code, "message": error.message}}]
        provisioned(state, "computes", words, "Failed", provisioningErrors=errors)
        raise
    provisioned(state, "computes", words, "Succeeded", provisioningErrors=[])


@arm("DELETE", COMPUTE)
async def delete(call: Call) -> Any:
    """Deletes a cluster, unless a job still runs on it."""
    name = _find(call).name
    running = call.parts.runner.using_compute(call.ws, name)
    if running:
        raise bad_request(
            f"Compute {name} cannot be deleted while job {running} runs on it: cancel the job first.", "ComputeInUse"
        )
    return reply(status=202, headers=begin(call, "compute.delete", name))


async def remove(parts: Parts, words: dict[str, Any]) -> None:
    """Ends the deletion of a cluster."""
    parts.state.store.delete(words["scope"], "computes", words["name"])
