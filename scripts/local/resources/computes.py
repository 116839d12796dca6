"""Computes: AmlCompute clusters. A cluster is a record here; what runs on it runs on this machine.

As recorded by Microsoft's tests of the SDK and the CLI, 2022 to 2024: a request is judged when the cluster is made, not
at the PUT, so that a cluster that Azure refuses is there in state Failed, with the reason in provisioningErrors.
"""

from __future__ import annotations

import copy
from typing import Any

from scripts.azure import limits
from scripts.local.core import clock, faults, lookup
from scripts.local.core.arm import page, provisioned, refuse_name, resource
from scripts.local.core.operations import begin, put_and_begin
from scripts.local.core.state import Parts, State, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import WORKSPACE, AzureError, Call, Layer, Routes, reply
from scripts.local.resources import identities, sizes
from scripts.local.resources.forms import form

arm = Routes()
COMPUTE = WORKSPACE + "/computes/{name}"
TIERS = {"dedicated": "Dedicated", "lowpriority": "LowPriority"}  # the SDK sends what a user wrote, in its own case
OTHERS = {
    "ComputeInstance": "a compute instance",
    "Kubernetes": "an attached Kubernetes cluster",
    "AKS": "an attached AKS cluster",
    "VirtualMachine": "an attached virtual machine",
    "SynapseSpark": "an attached Synapse Spark pool",
    "Databricks": "an attached Databricks workspace",
    "HDInsight": "an attached HDInsight cluster",
    "DataFactory": "an attached data factory",
    "DataLakeAnalytics": "an attached data lake",
}
NODES = ("preparing", "running", "idle", "unusable", "leaving", "preempted")


def _refused(message: str, code: str = "UserError", status: int = 400) -> AzureError:
    return AzureError(status, code, message, layer=Layer.PROVIDER)


def _find(call: Call) -> Document:
    document = call.state.store.get(call.ws.scope, "computes", call.words["name"])
    if document is None:
        raise AzureError(404, "ResourceNotFound", f"There is no compute {call.words['name']}.", layer=Layer.SILENT)
    return document


def _resource(parts: Parts, workspace: Workspace, document: Document) -> dict[str, Any]:
    state, properties = parts.state, document.body["properties"]
    inner = {**properties["properties"], "vmSize": str(properties["properties"]["vmSize"]).upper()}
    if properties["provisioningState"] not in ("Creating", "Failed"):  # machines are there
        at_work = parts.runner.nodes_at_work(workspace, document.name)
        nodes = max(inner["scaleSettings"]["minNodeCount"], at_work)
        counts = {f"{kind}NodeCount": 0 for kind in NODES} | {
            "runningNodeCount": at_work,
            "idleNodeCount": nodes - at_work,
        }
        inner |= {"currentNodeCount": nodes, "targetNodeCount": nodes, "nodeStateCounts": counts, "propertyBag": {}}
        inner |= {"allocationState": "Steady", "allocationStateTransitionTime": clock.iso(document.modified)}
    new = document.modified <= document.created  # the first answer has less, as recorded 2024
    if user := inner.pop("userAccountCredentials", None):
        inner |= {} if new else {"userAccountCredentials": {**user, "adminUserPassword": None}}
    shown = {
        **properties,
        "provisioningWarnings": None if new else {},
        "computeLocation": ... if new else workspace.region,
        "createdOn": clock.iso(document.created),
        "modifiedOn": clock.iso(document.modified),
        "properties": inner,
    }
    path = f"computes/{document.name}"
    identity = identities.shown(state, f"{workspace.path}/{path}", document.body.get("identity")) or ...
    tags = document.body.get("tags") or (None if new else {})
    top = {"location": workspace.region, "tags": tags, "identity": identity}
    return form("compute").complete(resource(workspace, path, document, **top, properties=shown))


@arm("GET", WORKSPACE + "/computes")
async def list_computes(call: Call) -> Any:
    """Lists the computes."""
    found = call.state.store.list("computes", call.ws.scope)
    return page(call, [_resource(call.parts, call.ws, each) for each in found])


@arm("GET", COMPUTE)
async def get(call: Call) -> Any:
    """Returns a compute."""
    return _resource(call.parts, call.ws, _find(call))


@arm("POST", COMPUTE + "/listNodes")
async def list_nodes(call: Call) -> Any:
    """Lists the nodes of a cluster: none, as jobs run on this machine."""
    _find(call)
    return {"computeType": "AmlCompute", "nodes": []}


@arm("PUT PATCH", COMPUTE)
async def put(call: Call) -> Any:
    """Creates a cluster, or changes its scale."""
    name = call.words["name"]
    body = form("compute").read(call.json(), f"Compute {name}")
    old = call.state.store.get(call.ws.scope, "computes", name)
    if call.request.method == "PATCH":
        old = _find(call)
        scale = body.get("properties", {}).get("properties", {}).get("scaleSettings", {})
        body = copy.deepcopy(old.body)
        body["properties"]["properties"]["scaleSettings"] |= scale
    kept = _check(name, body, old)
    document, headers = put_and_begin(call, "compute.put", "computes", name, kept)
    return reply(_resource(call.parts, call.ws, document), 200 if call.request.method == "PATCH" else 201, headers)


def _check(name: str, body: dict[str, Any], old: Document | None) -> dict[str, Any]:
    properties, what = body.get("properties", {}), f"Compute {name}"
    kind = properties.get("computeType")
    if kind != "AmlCompute":
        called = OTHERS.get(str(kind), f"of type {kind!r}")
        raise _refused(f"{what} is {called}; the local Azure ML has none: take a cluster, computeType AmlCompute.")
    inner = properties.get("properties", {})
    tier = TIERS.get(str(inner.get("vmPriority", "Dedicated")).lower())
    if tier is None:
        raise _refused(f"{what}: tier is {inner['vmPriority']!r}; allowed are {', '.join(TIERS.values())}.")
    size = sizes.find(inner.get("vmSize", ""), what)
    inner = {**inner, "vmPriority": tier, "vmSize": size.name}
    if old is None:  # an older home may have names that are refused now
        refuse_name("cluster", name, "Compute")
    else:
        _refuse_change(name, old, inner)
    scale = inner.get("scaleSettings", {})
    least, most = scale.get("minNodeCount", 0), scale.get("maxNodeCount", 1)
    counts = (("cluster.min_instances", least), ("cluster.max_instances", most))
    if not all(limits.limit(of).holds(number) for of, number in counts) or least > most:
        raise _refused(
            f"{what} scales from {least} to {most} nodes; allowed is 0 <= minimum <= maximum, with a maximum of at "
            "least 1."
        )
    inner["scaleSettings"] = {**scale, "minNodeCount": least, "maxNodeCount": most}
    return {
        "tags": body.get("tags") or (old.body.get("tags") if old else None),
        "identity": body.get("identity"),
        "properties": {
            **properties,
            "provisioningState": "Creating",
            "provisioningErrors": None,
            "properties": inner,
        },
    }


def _refuse_change(name: str, old: Document, inner: dict[str, Any]) -> None:
    """Refuses another size or tier. What Azure says to that is unverified: nobody has recorded it.

    A cluster that failed can be made again as another: the reference notebook does so with low priority.
    """
    state = old.body["properties"]["provisioningState"]
    if state == "Deleting":
        raise _refused(f"Compute {name} is being deleted: wait until it is gone.", "Conflict", 409)
    for key, label in (("vmSize", "size"), ("vmPriority", "tier")):
        before, after = (str(each.get(key)) for each in (old.body["properties"]["properties"], inner))
        if state != "Failed" and before.lower() != after.lower():
            message = f"The {label} of compute {name} is {before} and cannot be changed to {after}"
            message += ": delete it, or take another name (Azure's own words for this are unverified)."
            raise _refused(message, "ComputeUpdateNotAllowed")


async def provision(parts: Parts, words: dict[str, Any]) -> None:
    """Ends the creation of a cluster: it is there, or it has failed and says why."""
    document = parts.state.store.get(words["scope"], "computes", words["name"])
    if document is not None:
        _judge(parts.state, document)
    provisioned(parts.state, "computes", words, "Succeeded", provisioningErrors=None)


def _judge(state: State, document: Document) -> None:
    """Raises why Azure could not make a cluster: a fault that is set, its size, or the quota."""
    inner = document.body["properties"]["properties"]
    low_priority, size = sizes.is_low_priority(inner), sizes.find(inner["vmSize"], f"Compute {document.name}")
    nodes = max(inner["scaleSettings"]["minNodeCount"], 1)
    words = {"name": document.name, "size": size.name, "nodes": nodes, "cores": size.vcpus * nodes}
    words["sizes"] = sizes.for_clusters()
    for at in ("compute.work", "compute.offer", "compute.low_priority" if low_priority else "compute.dedicated"):
        faults.inject(state, at, **words)
    refused = sizes.cluster_fault(state, size, nodes, low_priority)
    if refused is not None:
        raise refused
    workspace = lookup.workspace_of_scope(state, document.scope)
    found = sizes.usage(state, workspace.subscription, workspace.region)[sizes.CLUSTERS]
    most = sizes.limit(state, sizes.CLUSTERS)
    if found > most:
        # MachineLearningNotebooks#613 (2019) has the beginning of the sentence; its numbers and code are unverified.
        message = "Operation results in exceeding quota limits of Microsoft.Batch clusters. "
        message += f"Maximum allowed: {most}, Current in use: {found - 1}, Additional requested: 1."
        raise AzureError(400, "ClusterQuotaReached", message)


@arm("DELETE", COMPUTE)
async def delete(call: Call) -> Any:
    """Deletes a cluster, unless a job still runs on it."""
    document = _find(call)
    running = call.parts.runner.using_compute(call.ws, document.name)
    if running:  # what Azure does then is unverified
        raise _refused(
            f"Compute {document.name} cannot be deleted while job {running} runs on it: cancel the job first.",
            "ComputeInUse",
        )
    document.body["properties"]["provisioningState"] = "Deleting"
    with call.state.store.transaction():
        call.state.store.change(document)
        headers = begin(call, "compute.delete", document.name)
    return reply(status=202, headers=headers)


async def remove(parts: Parts, words: dict[str, Any]) -> None:
    """Ends the deletion of a cluster."""
    parts.state.store.delete(words["scope"], "computes", words["name"])
