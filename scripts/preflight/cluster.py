"""Checks of the cluster that trains: is it there, as the values say, and does it have enough nodes."""

from __future__ import annotations

from scripts.azure import name_rules
from scripts.estimate.what_if import training_on
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


def low_priority(context: Context) -> Finding:
    """Warns what a job on low priority nodes loses when one is taken away: it is queued again and starts anew."""
    if context.value("compute.tier") != "low_priority":
        return passed("dedicated nodes are not taken away")
    back = "a node that is taken away puts the job back into the queue (for 7 days at most)"
    todo = []
    if not context.given["resume_from_checkpoint"]:
        todo.append("set finetune.resume_from_checkpoint to true")
    if context.given["evaluation_strategy"] == "disable":
        todo.append("set finetune.evaluation_strategy to epoch: a checkpoint is written with each evaluation")
    if todo:
        return warned(
            f"{context.at('compute.tier')}: low_priority: {back}, and it starts anew: {_lost(context)} may be lost",
            "; ".join(todo),
        )
    return passed(f"{back}, and it goes on from its last checkpoint (unverified: whether the component finds it)")


def _lost(context: Context) -> str:
    training = training_on(context, context.size("finetune"))
    if training is None or training.hours is None:
        return "all that was trained"
    money = training.cost(training.hours.likely)
    price = f" and {money:.2f} {training.price.currency}" if training.price and money is not None else ""
    return f"up to {training.hours.likely:.1f} h{price}"


def name_length(context: Context) -> Finding:
    """Warns for a cluster name that the service's refusals of 2020 to 2022 would not have let through."""
    rule, name = name_rules.rule("cluster"), str(context.value("compute.name"))
    safe = name_rules.SAFE_CLUSTER_NAME
    if len(name) > safe:
        return warned(
            f"{context.at('compute.name')}: '{name}' has {len(name)} characters: Microsoft's rule now says "
            f"{rule.lengths}, the service refused more than {safe} until 2022, and no newer answer is known",
            f"take a name of {rule.least} to {safe} characters, which both let through",
        )
    return passed(f"a name of {rule.least} to {safe} characters")


def cluster(context: Context) -> Finding:
    """Fails for an existing cluster in a failed state, of another size or tier, or with too few nodes."""
    name, size = context.value("compute.name"), context.value("compute.size")
    found, where = context.asked.cluster(name), context.at("compute.name")
    if found is None:
        return passed(f"there is no cluster {name} yet; {context.make('compute')} creates it with {size}")
    delete = f"az ml compute delete -n {name}"
    if found["type"].lower() != "amlcompute":
        return failed(f"{where}: {name} is a {found['type']}, not a cluster", "give compute.name another name")
    if found["state"].lower() == "failed":
        why = f": {found['errors']}" if found["errors"] else ""
        todo = f"{delete}, then {context.make('compute')}; or give compute.name another name"
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
