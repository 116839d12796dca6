"""Machine sizes: what a region offers, and the quota (cores in use and their limit, a family of sizes)."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from scripts.azure import machine_sizes
from scripts.errors import suggest
from scripts.local.core import faults, lookup
from scripts.local.core.state import State
from scripts.local.core.web import SUBSCRIPTION, AzureError, Call, Routes
from scripts.local.core.workspace_record import PROVIDER

arm = Routes()
LOW_PRIORITY_POOL = machine_sizes.POOLS["low priority"][0]  # one for all families of a region


@functools.cache
def catalog() -> dict[str, dict[str, Any]]:
    """Returns the sizes by their name in lower case, in the shape of scripts/azure/catalog/sizes.json."""
    return {name: dataclasses.asdict(size) for name, size in machine_sizes.catalog().items()}


def find(name: str, what: str) -> dict[str, Any]:
    """Returns the facts of a size; refuses one that does not exist (`what` says who asked for it)."""
    known = catalog()
    if str(name).lower() not in known:
        names = [size["name"] for size in known.values()]
        raise AzureError(
            400, "InvalidVmSize", f"{what} asks for size {name!r}, which does not exist{suggest(name, names)}."
        )
    return known[str(name).lower()]


def refuse_retired(size: dict[str, Any], what: str) -> None:
    """Refuses a size that Azure has retired."""
    if size["status"] != "available":
        raise AzureError(400, "VmSizeRetired", f"{what} asks for size {size['name']}, which was {size['status']}.")


def usage(state: State, subscription: str, region: str) -> dict[str, int]:
    """Returns the cores in use, by family: clusters by their minimum nodes, deployments by their instances."""
    used: dict[str, int] = {}
    for workspace in lookup.workspaces(state):
        if (workspace.subscription, workspace.region) != (subscription.lower(), region.lower()):
            continue
        for document in state.store.list("computes", workspace.scope):
            properties = document.body["properties"]["properties"]
            _count(used, properties.get("vmSize"), properties.get("scaleSettings", {}).get("minNodeCount", 0))
        for document in state.store.list("deployments", workspace.scope):
            _count(used, document.body["properties"].get("instanceType"), document.body["sku"]["capacity"])
    return used


def _count(used: dict[str, int], size: Any, nodes: int) -> None:
    facts = catalog().get(str(size).lower())
    if facts is not None:
        used[facts["family"]] = used.get(facts["family"], 0) + facts["vcpus"] * nodes


def refuse_over_quota(call: Call, size: dict[str, Any], instances: int, held: int) -> None:
    """Refuses a deployment that the quota does not hold, in Azure's words.

    Azure reserves a fifth on top for upgrades, except for sizes that it exempts. `held`: cores that it has already.
    """
    needed = machine_sizes.read(size).serving_cores(instances)
    used = usage(call.state, call.ws.subscription, call.ws.region).get(size["family"], 0) - held
    limit = call.state.settings.family_limit(size["family"])
    if used + needed > limit:
        message = (
            f"Not enough quota available for {size['name']} in SubscriptionId {call.ws.subscription}. "
            f"Current usage/limit: {used}/{limit}. Additional needed: {used + needed - limit} "
            "Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota"
        )
        raise AzureError(400, "OutOfQuota", message)


@arm("GET", SUBSCRIPTION + PROVIDER + "/locations/{location}/vmSizes")
async def list_sizes(call: Call) -> Any:
    """Lists the sizes that a cluster can have; with the fault size-not-available none that has a GPU."""
    missing = faults.is_set(call.state, "size-not-available")
    return {
        "value": [
            {
                "name": size["name"],
                "family": size["family"],
                "vCPUs": size["vcpus"],
                "gpus": size["gpus_per_node"],
                "memoryGB": size["memory_gb"],
                "osVhdSizeMB": 1047552,
                "maxResourceVolumeMB": size["disk_gib"] * 1024,
                "lowPriorityCapable": True,
                "premiumIO": True,
                "supportedComputeTypes": ["AmlCompute", "ComputeInstance"],
            }
            for size in catalog().values()
            if size["status"] == "available" and not (missing and size["gpus_per_node"])
        ]
    }


@arm("GET", SUBSCRIPTION + PROVIDER + "/locations/{location}/usages")
async def list_usage(call: Call) -> Any:
    """Lists the cores in use and their limit, a family of sizes, and the pool of low priority cores.

    With the fault quota-exceeded nothing is left of any.
    """
    exceeded = faults.is_set(call.state, "quota-exceeded")
    region = call.words["location"].lower()
    used = usage(call.state, call.words["subscription"], region)
    base = f"/subscriptions/{call.words['subscription']}{PROVIDER}/locations/{region}/usages/"
    families = sorted({size["family"] for size in catalog().values()})
    return {
        "value": [
            {
                "id": base + name,
                "type": "Microsoft.MachineLearningServices/usages",
                "unit": "Count",
                "currentValue": used.get(name, 0),
                "limit": used.get(name, 0) if exceeded else call.state.settings.family_limit(name),
                "amlWorkspaceLocation": region,
                "name": {"value": name, "localizedValue": name},
            }
            for name in [*families, LOW_PRIORITY_POOL]
        ]
    }
