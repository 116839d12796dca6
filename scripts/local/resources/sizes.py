"""Machine sizes: what a region offers, and the quota (cores in use and their limit, a family of sizes)."""

from __future__ import annotations

import functools
import math
import re
from typing import Any

from scripts.azure.catalog import read_catalog
from scripts.errors import suggest
from scripts.local.core import faults, lookup
from scripts.local.core.state import State
from scripts.local.core.web import SUBSCRIPTION, AzureError, Call, Routes
from scripts.local.core.workspace_record import PROVIDER

arm = Routes()
LOW_PRIORITY_POOL = "Total Cluster LowPriority Regional vCPUs"  # one for all families of a region
# Sizes without a GPU that pipelines use for preparing data: (name, cores, memory in GB, disk in GiB).
CPU_SIZES = (
    ("Standard_DS2_v2", 2, 7, 14),
    ("Standard_DS3_v2", 4, 14, 28),
    ("Standard_DS4_v2", 8, 28, 56),
    ("Standard_D2as_v4", 2, 8, 16),
    ("Standard_D4as_v4", 4, 16, 32),
    ("Standard_D8as_v4", 8, 32, 64),
    ("Standard_D12_v2", 4, 28, 200),
    ("Standard_D13_v2", 8, 56, 400),
    ("Standard_E4s_v3", 4, 32, 64),
    ("Standard_F4s_v2", 4, 8, 32),
)


@functools.cache
def catalog() -> dict[str, dict[str, Any]]:
    """Returns the sizes by their name in lower case, in the shape of scripts/azure/catalog/gpu_sizes.json."""
    sizes = [*read_catalog("gpu_sizes.json")["sizes"]]
    for name, cores, memory, disk in CPU_SIZES:
        facts = {"name": name, "gpus_per_node": 0, "vcpus": cores, "memory_gb": memory, "disk_gib": disk}
        sizes.append(facts | {"status": "available", "online_endpoint": True, "endpoint_quota_reserve_20pct": True})
    return {size["name"].lower(): size | {"family": family(size["name"])} for size in sizes}


def family(name: str) -> str:
    """Returns the quota family of a size, such as `standardNCADSA100v4Family` for Standard_NC24ads_A100_v4."""
    words = name.removeprefix("Standard_").split("_")
    series = re.sub(r"\d+", "", words[0]).upper()
    return f"standard{series}{''.join(words[1:])}Family"


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
    factor = 1.2 if size["endpoint_quota_reserve_20pct"] else 1.0
    needed = math.ceil(round(factor * instances, 6)) * size["vcpus"]
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
