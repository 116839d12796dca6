"""Machine sizes: what a region offers, and the quota: cores and clusters in use and their limits."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from scripts.azure.machine_sizes import AVAILABLE, POOLS, Size, catalog
from scripts.errors import suggest
from scripts.local.core import faults, lookup
from scripts.local.core.faults import GUIDE
from scripts.local.core.state import PROVIDER, State
from scripts.local.core.web import SUBSCRIPTION, AzureError, Call, Routes, bad_request, inferencing

arm = Routes()
LOCATION = SUBSCRIPTION + PROVIDER + "/locations/{location}"
# The names on the wire since 2026, and the older ones of the portal before them.
LOW_PRIORITY, DEDICATED = POOLS["low priority"][-1], POOLS["dedicated"][-1]
CLUSTERS = "TotalClusters"
TRAINS, SERVES = "AmlCompute", "MIR"  # in supportedComputeTypes; MIR are managed online endpoints


def find(name: str, what: str, use: str = TRAINS) -> Size:
    """Returns a size; refuses one that the catalog does not know, or that Azure retired.

    `what` asked for it, for this `use`: the near word of the refusal is one that could be had.
    """
    size = catalog().get(str(name).lower())
    if size is None:
        hint = suggest(name, [each.name for each in _offered() if use in compute_types(each)])
        message = f"{what} asks for size {name!r}, which is not known to this catalog{hint}. Azure has more sizes than "
        message += "scripts/azure/catalog/sizes.json: add its row there, from the region's `az ml compute list-sizes`."
        raise bad_request(message, "InvalidVmSize")
    if size.status != AVAILABLE:
        raise bad_request(f"{what} asks for size {size.name}, which was {size.status}.", "VmSizeRetired")
    return size


def is_low_priority(properties: dict[str, Any]) -> bool:
    """Tells whether a cluster, by its own properties, has low priority machines."""
    return str(properties.get("vmPriority")).lower() == "lowpriority"


def usage(state: State, subscription: str, region: str) -> dict[str, int]:
    """Returns what is in use: cores by family and by the region's two pools, and the number of clusters.

    Clusters count by their minimum nodes, deployments, failed ones too, by their instances. Low priority cores are of
    one pool and of no family. A cluster that failed is there and holds no core.
    """
    used: Counter[str] = Counter()
    for workspace in lookup.workspaces(state):
        if (workspace.subscription, workspace.region) != (subscription.lower(), region.lower()):
            continue
        for document in state.store.list("computes", workspace.scope):
            inner = document.body["properties"]["properties"]
            used[CLUSTERS] += 1
            if document.body["properties"]["provisioningState"] != "Failed":
                nodes = inner.get("scaleSettings", {}).get("minNodeCount", 0)
                _count(used, inner.get("vmSize"), nodes, is_low_priority(inner))
        for document in state.store.list("deployments", workspace.scope):
            _count(used, document.body["properties"].get("instanceType"), document.body["sku"]["capacity"], False)
    return used


def _count(used: Counter[str], size: Any, nodes: int, low_priority: bool) -> None:
    facts = catalog().get(str(size).lower())
    if facts is not None:
        for name in (LOW_PRIORITY,) if low_priority else (facts.family, DEDICATED):
            used[name] += facts.vcpus * nodes


def limit(state: State, name: str) -> int:
    """Returns how much the settings allow: of a family, of a pool of the region, or of clusters."""
    settings = state.settings
    pools = {LOW_PRIORITY: settings.low_priority_cores, DEDICATED: settings.total_cores, CLUSTERS: settings.clusters}
    return pools[name] if name in pools else settings.family_limit(name)


def cluster_fault(state: State, size: Size, nodes: int, low_priority: bool) -> AzureError | None:
    """Returns why Azure could not make a cluster of this size, in its words, or None.

    It wants cores for at least one node, even where the minimum is 0: recorded by Microsoft's tests, 2023-01. Low
    priority nodes are judged by the region's pool alone: users' logs, 2026-08.
    """
    if TRAINS not in compute_types(size):
        return faults.FAULTS["size-not-available"].error(size=size.name, sizes=for_clusters())
    pools = [(LOW_PRIORITY, "total vCPU")]
    if not low_priority:
        family = re.sub("(?i)^standard|family$", "", size.family).strip()
        pools = [(size.family, f"Standard {family} family vCPU"), (DEDICATED, "total vCPU")]
    for name, words in pools:
        if size.vcpus * nodes > limit(state, name):
            message = (
                f"The specified subscription has a {words} quota of {limit(state, name)} and cannot accomodate for "
            )
            message += f"at least {nodes} requested managed compute node which maps to {size.vcpus * nodes} vCPUs."
            return bad_request(message, "ClusterMinNodesExceedCoreQuota")
    return None


def refuse_over_quota(call: Call, size: Size, instances: int, held: int) -> None:
    """Refuses a deployment that the quota does not hold, in Azure's words: six users' logs, 2022 to 2026-09.

    Azure reserves a fifth on top for upgrades, except for sizes that it exempts; "Additional needed" is the whole need.
    `held`: cores that it has already.
    """
    needed = size.serving_cores(instances)
    found = usage(call.state, call.ws.subscription, call.ws.region)
    for name in (size.family, DEDICATED):
        used, most = found.get(name, 0) - held, limit(call.state, name)
        if used + needed > most:
            message = f"Not enough quota available for {size.name} in SubscriptionId {call.ws.subscription}. "
            message += f"Current usage/limit: {used}/{most}. Additional needed: {needed} {GUIDE}#error-outofquota"
            raise inferencing(message, "VmSize", "InferencingClientCreateDeploymentFailed")


def compute_types(size: Size) -> list[str]:
    """Returns what a size can be, as `supportedComputeTypes` says it."""
    serves = [SERVES] if size.online_endpoint else []
    return list(size.compute_types) if size.compute_types else [TRAINS, "ComputeInstance", *serves]


def for_clusters() -> str:
    """Returns the sizes that clusters can have, as Azure's refusal of another lists them (its own list is outdated)."""
    return ",".join(sorted(each.name.upper() for each in _offered() if TRAINS in compute_types(each)))


def _offered() -> list[Size]:
    return [size for size in catalog().values() if size.status == AVAILABLE]


@arm("GET", LOCATION + "/vmSizes")
async def list_sizes(call: Call) -> Any:
    """Lists the sizes of the region; with the fault size-not-available none that has a GPU."""
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
                "lowPriorityCapable": size.low_priority is not False,
                "premiumIO": True,
                "supportedComputeTypes": compute_types(size),
            }
            for size in _offered()
            if not (missing and size.gpus_per_node)
        ]
    }


def _families() -> list[str]:
    return sorted({size.family for size in catalog().values()})


@arm("GET", LOCATION + "/usages")
async def list_usage(call: Call) -> Any:
    """Lists what is in use and the limits, as Azure does: each family twice, for dedicated and for low priority cores.

    Of low priority cores a family has no limit of its own, which Azure shows as -1; the region's pool limits them.
    Names and types as in users' listings of 2026. With the fault quota-exceeded no cores are left; with
    offer-without-compute no entry has a current value.
    """
    exceeded, nothing = (faults.is_set(call.state, name) for name in ("quota-exceeded", "offer-without-compute"))
    subscription, region = call.words["subscription"], call.words["location"].lower()
    used = usage(call.state, subscription, region)
    low = "low-priority-pool-empty"
    empty = faults.is_set(call.state, low)

    def entry(name: str, kind: str, most: int, current: int) -> dict[str, Any]:
        return {
            "id": f"/subscriptions/{subscription}{PROVIDER}/locations/{region}/usages/{name}",
            "type": f"Microsoft.MachineLearningServices/{kind}/usages",
            "unit": "Count",
            "currentValue": None if nothing else current,
            "limit": current if exceeded and most >= 0 and name != CLUSTERS else most,
            "amlWorkspaceLocation": region,
            "name": {"value": name, "localizedValue": name},
        }

    pools = [(DEDICATED, "dedicatedCores"), (LOW_PRIORITY, "lowPriorityCores"), (CLUSTERS, "totalClusters")]
    value = []
    for name, kind in pools:
        most = 0 if empty and name == LOW_PRIORITY else limit(call.state, name)
        value.append(entry(name, kind, most, used.get(name, 0)))
    for name in _families():
        value.append(entry(name, "vmFamily/dedicatedCores", limit(call.state, name), used.get(name, 0)))
        value.append(entry(name, "vmFamily/lowPriorityCores", -1, 0))
    return {"value": value}


@arm("GET", LOCATION + "/quotas")
async def list_quotas(call: Call) -> Any:
    """Lists the quotas that a workspace may be given: of dedicated cores, by family."""
    subscription, region = call.words["subscription"], call.words["location"].lower()
    return {
        "value": [
            {
                "id": f"/subscriptions/{subscription}{PROVIDER}/locations/{region}/quotas/{name}",
                "type": "Microsoft.MachineLearningServices/vmFamily/dedicatedCores/quotas",
                "limit": limit(call.state, name),
                "unit": "Count",
                "location": None,
                "name": {"value": name, "localizedValue": name},
            }
            for name in _families()
        ]
    }
