"""Machine sizes: what a region offers, and the quota (cores in use and their limit, a family of sizes)."""

from __future__ import annotations

from typing import Any

from scripts.azure.machine_sizes import AVAILABLE, POOLS, Size, catalog
from scripts.errors import suggest
from scripts.local.core import faults, lookup
from scripts.local.core.state import PROVIDER, State
from scripts.local.core.web import SUBSCRIPTION, Call, Routes, bad_request

arm = Routes()
LOW_PRIORITY_POOL = POOLS["low priority"][0]  # one for all families of a region


def find(name: str, what: str) -> Size:
    """Returns a size; refuses one that does not exist, or that Azure has retired (`what` says who asked for it)."""
    size = catalog().get(str(name).lower())
    if size is None:
        hint = suggest(name, [each.name for each in catalog().values()])
        raise bad_request(f"{what} asks for size {name!r}, which does not exist{hint}.", "InvalidVmSize")
    if size.status != AVAILABLE:
        raise bad_request(f"{what} asks for size {size.name}, which was {size.status}.", "VmSizeRetired")
    return size


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
        used[facts.family] = used.get(facts.family, 0) + facts.vcpus * nodes


def refuse_over_quota(call: Call, size: Size, instances: int, held: int) -> None:
    """Refuses a deployment that the quota does not hold, in Azure's words.

    Azure reserves a fifth on top for upgrades, except for sizes that it exempts. `held`: cores that it has already.
    """
    needed = size.serving_cores(instances)
    used = usage(call.state, call.ws.subscription, call.ws.region).get(size.family, 0) - held
    limit = call.state.settings.family_limit(size.family)
    if used + needed > limit:
        message = (
            f"Not enough quota available for {size.name} in SubscriptionId {call.ws.subscription}. "
            f"Current usage/limit: {used}/{limit}. Additional needed: {used + needed - limit} "
            "Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota"
        )
        raise bad_request(message, "OutOfQuota")


@arm("GET", SUBSCRIPTION + PROVIDER + "/locations/{location}/vmSizes")
async def list_sizes(call: Call) -> Any:
    """Lists the sizes that a cluster can have; with the fault size-not-available none that has a GPU."""
    missing = faults.is_set(call.state, "size-not-available")
    return {
        "value": [
            {
                "name": size.name,
                "family": size.family,
                "vCPUs": size.vcpus,
                "gpus": size.gpus_per_node,
                "memoryGB": size.memory_gb,
                "osVhdSizeMB": 1047552,
                "maxResourceVolumeMB": (size.disk_gib or 0) * 1024,
                "lowPriorityCapable": True,
                "premiumIO": True,
                "supportedComputeTypes": ["AmlCompute", "ComputeInstance"],
            }
            for size in catalog().values()
            if size.status == AVAILABLE and not (missing and size.gpus_per_node)
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
    families = sorted({size.family for size in catalog().values()})
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
