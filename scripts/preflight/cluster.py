"""Checks of the cluster that trains: is it there, as the values say, and does it have enough nodes."""

from __future__ import annotations

from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, failed, passed, warned


def nodes(context: Context) -> Finding:
    """Fails when a job wants more nodes than the cluster may have."""
    wanted, most = context.number("num_nodes_finetune"), context.value("compute.max_instances")
    if wanted > most:
        return failed(
            f"{context.at('compute.max_instances')}: {most}, but finetune.num_nodes_finetune is {wanted}: "
            "the job would wait for nodes that never come",
            f"raise compute.max_instances to {wanted}, or lower finetune.num_nodes_finetune",
        )
    return passed(f"{wanted} of at most {most} nodes")


def idle(context: Context) -> Finding:
    """Warns about nodes that are billed around the clock."""
    least = context.value("compute.min_instances")
    if least:
        return warned(
            f"{context.at('compute.min_instances')}: {least} nodes are kept, and billed, when nothing runs",
            "set compute.min_instances to 0",
        )
    return passed("no node is kept when nothing runs")


def cluster(context: Context) -> Finding:
    """Fails for an existing cluster in a failed state, of another size or tier, or with too few nodes."""
    name, size = context.value("compute.name"), context.value("compute.size")
    found, where = context.asked.cluster(name), context.at("compute.name")
    if found is None:
        return passed(f"there is no cluster {name} yet; make compute creates it with {size}")
    delete = f"az ml compute delete -n {name}"
    if found["type"].lower() != "amlcompute":
        return failed(f"{where}: {name} is a {found['type']}, not a cluster", "give compute.name another name")
    if found["state"].lower() == "failed":
        why = f": {found['errors']}" if found["errors"] else ""
        todo = f"{delete}, then make compute; or give compute.name another name"
        if context.value("compute.low_priority_allowed") and found["tier"] != "low_priority":
            todo += "; or go on with compute.tier: low_priority, which the values allow"
        return failed(f"{where}: cluster {name} is in state Failed{why}", todo)
    if found["size"].lower() != size.lower():
        return failed(
            f"{where}: cluster {name} has size {found['size']}, the values say {size} ({context.at('compute.size')}); "
            "a cluster's size cannot be changed",
            f"give compute.name another name, or {delete}, or set compute.size to {found['size']}",
        )
    wanted = context.number("num_nodes_finetune")
    if wanted > found["max"]:
        return failed(
            f"{where}: cluster {name} has at most {found['max']} nodes, finetune.num_nodes_finetune is {wanted}",
            f"az ml compute update -n {name} --max-instances {wanted}",
        )
    tier = context.value("compute.tier")
    if found["tier"].replace("_", "") != tier.replace("_", ""):
        return warned(
            f"{where}: cluster {name} is {found['tier']}, the values say {tier}; a cluster's tier cannot be changed",
            f"give compute.name another name, or {delete}",
        )
    return passed(f"cluster {name}: {found['size']}, {found['tier']}, at most {found['max']} nodes, {found['state']}")
