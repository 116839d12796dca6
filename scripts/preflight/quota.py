"""Checks of the quota: cores that training and serving need, against what the region has left for their families.

The region lists its quotas twice, of dedicated and of low priority cores. What it does not tell (a limit of -1, a count
that is null) is not taken for unlimited, nor for none: a quota of 0 was seen beside a limit of -1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scripts.azure.machine_sizes import RESERVE, Size, family_key, is_pool
from scripts.errors import CouldNotAskError
from scripts.preflight.context import Context
from scripts.preflight.finding import FAIL, Finding, failed, passed, skipped, warned
from scripts.values.names import endpoint_name, slots

ASK = "ask for more (Azure ML studio > Quota, or a support request), or choose a size of a family with cores left"
CLUSTERS = "TotalClusters"
Usage = dict[str, Any]


def family_of(context: Context, role: str) -> str:
    """Returns the quota family of a size: as the region names it, else as the lock or catalog does."""
    offered, known = context.asked.sizes.get(context.size_name(role).lower()), context.size(role)
    return (offered.family if offered else "") or (known.family if known else "")


def training(context: Context) -> Finding:
    """Fails when the family's cores do not hold the training nodes; a cluster's running nodes count as held."""
    size = context.size("finetune")
    if size is None:
        return skipped(f"nothing is known about {context.size_name('finetune')}")
    if none := _no_offer(context):
        return none
    nodes = max(context.number("num_nodes_finetune"), context.value("compute.min_instances"))
    need, where = nodes * size.vcpus, context.at("compute.size")
    sum_ = f"{nodes} x {size.vcpus} = {need} cores"
    if context.value("compute.tier") == "low_priority":
        return _low_priority(context, where, sum_, need)
    family = family_of(context, "finetune")
    usage, held = _family(context, family), _held_by_cluster(context, size)
    pools = list(filter(None, (usage, _pool(context, "dedicated"))))
    for pool in pools:
        if _is_told(pool) and pool["used"] - held + need > pool["limit"]:
            return _short(context, where, sum_, family, pool, size)
    for pool in pools:
        if not _is_told(pool):
            return _untold(context, f"{where}: training needs {sum_} of {family}", pool)
    return passed(f"{sum_} of {family} needed, {_counts(usage)}")


def _low_priority(context: Context, where: str, sum_: str, need: int) -> Finding:
    """Low priority cores of all families are one pool, whatever the family's own entry says."""
    pool = _pool(context, "low priority")
    if pool is None:
        return skipped("the region's quota has no entry for low priority cores")
    if not _is_told(pool):
        return _untold(context, f"{where}: {sum_} of low priority needed", pool)
    if pool["used"] + need > pool["limit"]:
        return failed(f"{where}: {sum_} of low priority needed, {_counts(pool)}", ASK)
    return passed(f"{sum_} of low priority needed, {_counts(pool)}")


def _short(context: Context, where: str, sum_: str, family: str, pool: Usage, size: Size) -> Finding:
    sentence = f"{where}: training needs {sum_} of {family}, {_counts(pool)}"
    spare, nodes = _pool(context, "low priority"), context.number("num_nodes_finetune")
    room = spare is None or not _is_told(spare) or spare["used"] + nodes * size.vcpus <= spare["limit"]
    if context.value("compute.low_priority_allowed") and room:
        return failed(sentence, f"set compute.tier to low_priority, which the values allow; or {ASK}")
    return failed(sentence, f"{ASK}; or allow low priority (compute.low_priority_allowed: true, compute.tier)")


def _held_by_cluster(context: Context, size: Size) -> int:
    found = context.asked.cluster(context.value("compute.name"))
    same = found and found["size"].lower() == size.name.lower() and found["tier"] == "dedicated"
    return int(found["min"]) * size.vcpus if found and same else 0


def serving(context: Context) -> Finding:
    """Fails when the family's cores do not hold the deployment, upgrade reserve included; warns when not a second one.

    What stands already is counted in the usage. A new version is rolled out beside it, and needs as much once more.
    """
    size = context.size("inference")
    if size is None:
        return skipped(f"nothing is known about {context.size_name('inference')}")
    if none := _no_offer(context):
        return none
    need, sum_, family, pools = _served(context, size)
    where, standing = context.at("deployment.instance_type"), _standing(context, size)
    held = max(standing, default=0)
    for pool in pools:
        if _is_told(pool) and pool["used"] - held + need > pool["limit"]:
            return failed(f"{where}: serving needs {sum_} of {family}, {_counts(pool)}", ASK)
    for pool in pools:
        if not _is_told(pool):
            return _untold(context, f"{where}: serving needs {sum_} of {family}", pool)
    for pool in pools:
        together = need + _trained_beside(context, family if pool is pools[0] else "")
        if pool["used"] - held + together > pool["limit"] and together > need:
            return warned(
                f"{sum_} of {family} needed, {_counts(pool)}: enough, but not for training at the same time",
                f"delete the endpoint before the next training ({context.make('undeploy')}), or {ASK}",
            )
    if len(standing) == 1 and (short := beside(context)).status == FAIL:
        return warned(f"{short.sentence}: what serves stands, but nothing new can be rolled out beside it", short.todo)
    return passed(f"{sum_} of {family} needed, {_counts(pools[0])}")


def beside(context: Context) -> Finding:
    """Fails when the cores do not hold one more deployment beside all that the usage counts."""
    size = context.size("inference")
    if size is None:
        return skipped(f"nothing is known about {context.size_name('inference')}")
    need, sum_, family, pools = _served(context, size)
    for pool in pools:
        if _is_told(pool) and pool["used"] + need > pool["limit"]:
            return failed(
                f"{context.at('deployment.instance_type')}: a deployment beside the one that answers needs {sum_} of "
                f"{family}, {_counts(pool)}",
                f"{ASK}; or {context.make('undeploy')} first, and the endpoint answers nothing meanwhile",
            )
    return passed(f"{sum_} of {family} needed beside what serves, {_counts(pools[0])}")


def _served(context: Context, size: Size) -> tuple[int, str, str, list[Usage]]:
    """Returns the cores of a deployment, how they come about, their family and the quotas that hold them."""
    instances = context.most_machines
    need = size.serving_cores(instances)
    machines = f"ceil({RESERVE} x {instances})" if size.endpoint_quota_reserve_20pct else f"{instances}"
    family = family_of(context, "inference")
    pools = list(filter(None, (_family(context, family), _pool(context, "dedicated"))))
    return need, f"{machines} x {size.vcpus} = {need} cores", family, pools


def _standing(context: Context, size: Size) -> list[int]:
    """Returns the cores of this environment's deployments that stand, those of another size as 0."""
    names = slots(context.value("deployment.name"))
    found = [context.asked.deployment(endpoint_name(context.values), name) for name in names]
    return [
        int(each["instances"]) * size.vcpus if each["size"].lower() == size.name.lower() else 0
        for each in found
        if each is not None
    ]


def _trained_beside(context: Context, family: str) -> int:
    """Returns the dedicated cores that training takes of a family, of all of them where none is named."""
    trains = context.size("finetune")
    shared = not family or family_key(family_of(context, "finetune")) == family_key(family)
    beside = trains is not None and shared and context.value("compute.tier") == "dedicated"
    return context.number("num_nodes_finetune") * trains.vcpus if trains and beside else 0


def clusters(context: Context) -> Finding:
    """Fails when the region holds as many clusters as the subscription may have, and this one is not among them."""
    name = context.value("compute.name")
    usage = next((each for each in context.asked.usage if each["name"].lower() == CLUSTERS.lower()), None)
    if usage is None:
        return skipped("the region's quota has no entry for clusters")
    if context.asked.cluster(name):
        return passed(f"cluster {name} is one of {_counts(usage)}")
    if not _is_told(usage):
        return _untold(context, f"{context.at('compute.name')}: one more cluster", usage)
    if usage["used"] >= usage["limit"]:
        return failed(
            f"{context.at('compute.name')}: one more cluster, {_counts(usage)}",
            "delete a cluster that nobody needs (az ml compute list), or set compute.name to one that is there",
        )
    return passed(f"one more cluster, {_counts(usage)}")


def _no_offer(context: Context) -> Finding | None:
    """A subscription that may not create compute yet has quotas as its offer's template, and counts nothing."""
    usages = context.asked.usage
    if not usages or any(usage["used"] is not None for usage in usages):
        return None
    return failed(
        f"{context.at('azure.subscription_id')}: this subscription cannot create compute yet: {context.asked.region} "
        "counts nothing in use, not even 0, as for a free or student offer before its upgrade",
        "upgrade the offer (Azure portal > Subscriptions), wait some minutes, and run this again",
    )


def _entries(context: Context, kind: str) -> Iterator[Usage]:
    """Yields the region's quotas of a kind, then those that do not say of which kind they are."""
    usages = context.asked.usage
    for wanted in (kind, ""):
        yield from (usage for usage in usages if usage.get("kind", "") == wanted)


def _family(context: Context, family: str) -> Usage:
    for usage in (*_entries(context, "dedicated"), *_entries(context, "low priority")):
        if family_key(usage["name"]) == family_key(family):
            of_low_priority = usage.get("kind") == "low priority"
            return {**usage, "used": None, "limit": None} if of_low_priority else usage
    raise CouldNotAskError(f"the region has no entry for family {family or '(unknown)'}", "the quota")


def _pool(context: Context, pool: str) -> Usage | None:
    return next((usage for usage in _entries(context, pool) if is_pool(usage["name"], pool)), None)


def _is_told(usage: Usage) -> bool:
    return usage["used"] is not None and usage["limit"] is not None


def _untold(context: Context, sentence: str, usage: Usage) -> Finding:
    azure, region = context.value("azure"), context.asked.region
    scope = f"/subscriptions/{azure['subscription_id']}/providers/Microsoft.MachineLearningServices/locations/{region}"
    return warned(
        f"{sentence}, but the region does not tell how many there are ({_counts(usage)}): that is not unlimited, "
        "and was seen beside a quota of 0",
        f"ask the Microsoft.Quota API: az quota show --scope {scope} --resource-name {usage['name']}; or look in Azure "
        "ML studio > Quota",
    )


def _counts(usage: Usage) -> str:
    used, limit = ("an unknown number" if usage[key] is None else usage[key] for key in ("used", "limit"))
    return f"{used} of {limit} in use ({usage['name']})"
