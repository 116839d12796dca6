"""Checks of the quota: cores that training and serving need, against what the region has left for their families."""

from __future__ import annotations

from typing import Any

from scripts.azure.machine_sizes import RESERVE, Size, family_key, is_pool
from scripts.errors import CouldNotAskError
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, failed, passed, skipped, warned
from scripts.values.names import endpoint_name

ASK = "ask for more (Azure ML studio > Quota, or a support request), or choose a size of a family with cores left"


def family_of(context: Context, role: str) -> str:
    """Returns the quota family of a size: as the region names it, else as the lock or catalog does."""
    offered, known = context.asked.sizes.get(context.size_name(role).lower()), context.size(role)
    return (offered.family if offered else "") or (known.family if known else "")


def _left(context: Context, family: str) -> dict[str, Any]:
    for usage in context.asked.usage:
        if family_key(usage["name"]) == family_key(family):
            return usage
    raise CouldNotAskError(f"the region has no entry for family {family or '(unknown)'}", "the quota")


def _pool(context: Context, pool: str) -> dict[str, Any] | None:
    return next((usage for usage in context.asked.usage if is_pool(usage["name"], pool)), None)


def training(context: Context) -> Finding:
    """Fails when the family's cores do not hold the training nodes; a cluster's running nodes count as held."""
    size = context.size("finetune")
    if size is None:
        return skipped(f"nothing is known about {context.size_name('finetune')}")
    nodes = max(context.number("num_nodes_finetune"), context.value("compute.min_instances"))
    need, where = nodes * size.vcpus, context.at("compute.size")
    sum_ = f"{nodes} x {size.vcpus} = {need} cores"
    if context.value("compute.tier") == "low_priority":
        pool = _pool(context, "low priority")
        if pool is None:
            return skipped("the region's quota has no entry for low priority cores")
        if pool["used"] + need > pool["limit"]:
            return failed(f"{where}: {sum_} of low priority needed, {_counts(pool)}", ASK)
        return passed(f"{sum_} of low priority needed, {_counts(pool)}")
    family = family_of(context, "finetune")
    usage = _left(context, family)
    held = _held_by_cluster(context, size)
    for pool in filter(None, (usage, _pool(context, "dedicated"))):
        if pool["used"] - held + need > pool["limit"]:
            return _short(context, where, sum_, family, pool, size)
    return passed(f"{sum_} of {family} needed, {_counts(usage)}")


def _short(context: Context, where: str, sum_: str, family: str, pool: dict[str, Any], size: Size) -> Finding:
    sentence = f"{where}: training needs {sum_} of {family}, {_counts(pool)}"
    spare, nodes = _pool(context, "low priority"), context.number("num_nodes_finetune")
    room = spare is None or spare["used"] + nodes * size.vcpus <= spare["limit"]
    if context.value("compute.low_priority_allowed") and room:
        return failed(sentence, f"set compute.tier to low_priority, which the values allow; or {ASK}")
    return failed(sentence, f"{ASK}; or allow low priority (compute.low_priority_allowed: true, compute.tier)")


def _held_by_cluster(context: Context, size: Size) -> int:
    found = context.asked.cluster(context.value("compute.name"))
    same = found and found["size"].lower() == size.name.lower() and found["tier"] == "dedicated"
    return int(found["min"]) * size.vcpus if found and same else 0


def serving(context: Context) -> Finding:
    """Fails when the family's cores do not hold the deployment, upgrade reserve included."""
    size = context.size("inference")
    if size is None:
        return skipped(f"nothing is known about {context.size_name('inference')}")
    instances = context.value("deployment.instance_count")
    need = size.serving_cores(instances)
    machines = f"ceil({RESERVE} x {instances})" if size.endpoint_quota_reserve_20pct else f"{instances}"
    sum_ = f"{machines} x {size.vcpus} = {need} cores"
    family = family_of(context, "inference")
    usage = _left(context, family)
    present = context.asked.deployment(endpoint_name(context.values), context.value("deployment.name"))
    same = present and present["size"].lower() == size.name.lower()
    held = present["instances"] * size.vcpus if present and same else 0
    if usage["used"] - held + need > usage["limit"]:
        return failed(
            f"{context.at('deployment.instance_type')}: serving needs {sum_} of {family}, {_counts(usage)}", ASK
        )
    trains = context.size("finetune")
    together = need + context.number("num_nodes_finetune") * (trains.vcpus if trains else 0)
    shared = (
        family_key(family_of(context, "finetune")) == family_key(family)
        and context.value("compute.tier") == "dedicated"
    )
    if shared and usage["used"] - held + together > usage["limit"]:
        return warned(
            f"{sum_} of {family} needed, {_counts(usage)}: enough, but not for training at the same time",
            f"delete the endpoint before the next training (make undeploy), or {ASK}",
        )
    return passed(f"{sum_} of {family} needed, {_counts(usage)}")


def _counts(usage: dict[str, Any]) -> str:
    return f"{usage['used']} of {usage['limit']} in use ({usage['name']})"
