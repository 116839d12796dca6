"""Checks of the two sizes, the one that trains and the one that serves: listed, alive, large enough, on offer."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from scripts.azure.regions import REGIONS
from scripts.errors import suggest
from scripts.estimate.run import SIZE_KEYS
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, failed, passed, skipped, warned

RETIRING = datetime.timedelta(days=180)
TRAINS, SERVES = "AmlCompute", "MIR"  # what a size may be, in the service's words; MIR: managed inference
WORDS = {"finetune": "fine-tune", "inference": "inference"}


def listed(context: Context, role: str) -> Finding:
    """Fails for a size outside the model's list; with no list, for the notebook's deny list."""
    name, where, word = context.size_name(role), context.at(SIZE_KEYS[role]), WORDS[role]
    model, size = context.model, context.size(role)
    answer = model.lists(role, name)
    if answer is False:
        near = "" if size else suggest(name, model.computes(role))  # what exists is not misspelt
        return failed(
            f"{where}: {name} is not in the {word} list of {model.name}{near}",
            f"take one of {', '.join(_alive(context, model.computes(role)))} ({context.make('gpu')})",
        )
    if answer is None and size and size.denied:
        return failed(
            f"{where}: {name} has K80 cards, which {word} cannot use",
            f"{context.make('gpu')} names others",
        )
    if answer is None:
        return passed(f"{name}: {model.name} lists no {word} sizes, and it is not on the deny list")
    return passed(f"{name} is in the {word} list of {model.name}")


def _alive(context: Context, names: Sequence[str]) -> Sequence[str]:
    """Returns those of the listed sizes that can still be had, or all where none can."""
    sizes = {name: context.facts.size(name) for name in names}
    return [name for name, size in sizes.items() if size is None or not size.is_retired(context.today)] or names


def alive(context: Context, role: str) -> Finding:
    """Fails for a size that is unknown, has no GPU or is retired."""
    name, where = context.size_name(role), context.at(SIZE_KEYS[role])
    size, others = context.size(role), f"{context.make('gpu')} names those that fit"
    if size is None:
        sizes = [other for other in context.facts.sizes.values() if other.gpus_per_node]
        known = [other.name for other in sizes if not other.is_retired(context.today)]
        return failed(f"{where}: nothing is known about size {name}{suggest(name, known)}", others)
    if not size.gpus_per_node:
        return failed(f"{where}: {name} has no GPU", others)
    if size.is_retired(context.today):
        return failed(f"{where}: {name} ({size.gpu}) was retired on {size.retires}", others)
    if size.is_retired(context.today + RETIRING):
        return warned(f"{where}: {name} ({size.gpu}) will be retired on {size.retires}", others)
    if role == "inference" and not size.online_endpoint:
        return warned(f"{where}: {name} is not among the sizes documented for managed online endpoints", others)
    return passed(f"{name}: {size.gpus_per_node} x {size.gpu or 'GPU'}, not retired")


def minimum(context: Context, role: str) -> Finding:
    """Fails for a size below the model's minimum of vCPUs, GPUs, memory or disk."""
    size, model, spec = context.size(role), context.model, context.model.minimum(role)
    name, word = context.size_name(role), WORDS[role]
    if size is None or not spec:
        return skipped(f"{model.name} names no smallest {word} machine" if size else f"{name} is not known")
    short = size.below(spec)
    if short:
        return failed(
            f"{context.at(SIZE_KEYS[role])}: {name} has {', '.join(short)} that {model.name} needs to {word}",
            f"{context.make('gpu')} names sizes that are large enough",
        )
    return passed(f"{name} meets {model.name}'s smallest {word} machine ({spec})")


def in_region(context: Context) -> Finding:
    """Fails when the workspace's region does not offer a size, or offers it with another number of GPUs."""
    offered, region = context.asked.sizes, context.asked.region
    for role, key in SIZE_KEYS.items():
        name = context.size_name(role)
        found = offered.get(name.lower())
        if found is None:
            near = [size.name for size in offered.values() if size.gpus_per_node]
            return failed(
                f"{context.at(key)}: {region} does not offer {name}{suggest(name, near)}",
                "take a size that it offers (az ml compute list-sizes), or a workspace in another region",
            )
        known = context.size(role)
        if known and known.gpus_per_node != found.gpus_per_node:
            return failed(
                f"{context.at(key)}: {name} has {found.gpus_per_node} GPUs in {region}, the lock or catalog says "
                f"{known.gpus_per_node}",
                context.make("lock"),
            )
    return passed(f"{region} offers {' and '.join(dict.fromkeys(map(context.size_name, SIZE_KEYS)))}")


def usable(context: Context) -> Finding:
    """Fails for a size that the region lists but lets no cluster be, or no low priority node; warns for serving."""
    offered, region = context.asked.sizes, context.asked.region
    trains, serves = (offered.get(context.size_name(role).lower()) for role in SIZE_KEYS)
    if trains and trains.compute_types and TRAINS not in trains.compute_types:
        return failed(
            f"{context.at(SIZE_KEYS['finetune'])}: {region} lists {trains.name} for {', '.join(trains.compute_types)}, "
            f"not for {TRAINS}: a cluster of it is refused (InvalidPropertyValue, 'not a supported VM size')",
            "take a size for training: az ml compute list-sizes",
        )
    if trains and context.value("compute.tier") == "low_priority" and trains.low_priority is False:
        return failed(
            f"{context.at('compute.tier')}: low_priority, but {region} has no low priority nodes of {trains.name}",
            "set compute.tier to dedicated, or take another size: az ml compute list-sizes",
        )
    if serves and serves.compute_types and SERVES not in serves.compute_types:
        uses = ", ".join(serves.compute_types)
        return warned(
            f"{context.at(SIZE_KEYS['inference'])}: {region} lists {serves.name} for {uses}, "
            f"not for {SERVES}, the managed endpoints; what a deployment of it is answered is unverified",
            f"take a size that is listed for {SERVES}: az ml compute list-sizes",
        )
    if not trains or not serves or not trains.compute_types or not serves.compute_types:
        return skipped(f"{region} does not say what its sizes may be used for")
    return passed(f"{trains.name} may be a cluster, {serves.name} may serve")


def restricted(context: Context) -> Finding:
    """Fails for a size that is blocked for this subscription in the whole region: no quota helps against that."""
    region = context.asked.region
    blocked = context.asked.subscription.restrictions(region)
    partly = []
    for role, key in SIZE_KEYS.items():
        name = context.size_name(role)
        places = blocked.get(name.lower())
        if places is None:
            partly.append(f"{context.at(key)}: {region} has no {name} among the sizes of Microsoft.Compute")
        elif "region" in places:
            return failed(
                f"{context.at(key)}: {name} is blocked for this subscription in {region} "
                "(NotAvailableForSubscription): nodes of it would never come, whatever the quota says",
                f"ask for access (support request: quota, {name} in {region}), or take another size or region: "
                f"az vm list-skus -l {region} --size {name} --all -o table",
            )
        elif places:
            partly.append(
                f"{context.at(key)}: {name} is blocked for this subscription in {', '.join(places)} of {region}"
            )
    if partly:
        return warned("; ".join(partly), "expect to wait for nodes, or take another size or region")
    return passed(f"no size is blocked for this subscription in {region}")


def region_exists(context: Context) -> Finding:
    """Fails for a region that is none of Azure's."""
    said = str(context.value("azure.region"))
    if said not in REGIONS:
        return failed(
            f"{context.at('azure.region')}: {said} is no region of Azure's that is known{suggest(said, REGIONS)}",
            "write the workspace's: az ml workspace show --query location",
        )
    return passed(f"{said} is a region")


def region_agrees(context: Context) -> Finding:
    """Warns when azure.region is not the workspace's region: prices and names would be another region's."""
    said, real = context.value("azure.region"), context.asked.region
    if said.lower() != real.lower():
        return warned(f"{context.at('azure.region')}: {said}, but the workspace is in {real}", f"write {real}")
    return passed(f"the workspace is in {real}")
