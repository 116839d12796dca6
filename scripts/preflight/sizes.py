"""Checks of the two sizes, the one that trains and the one that serves: listed, alive, large enough, on offer."""

from __future__ import annotations

import datetime
from typing import Any

from scripts.errors import suggest
from scripts.preflight.check import Finding, check, failed, passed, skipped, warned
from scripts.preflight.context import SIZE_KEYS, Context

# The reference notebook's deny list: K80 cards, which no current CUDA runs on.
DENIED = ("standard_nc6", "standard_nc12", "standard_nc24", "standard_nc24r")
RETIRING_DAYS = 180
WORDS = {"finetune": "fine-tune", "inference": "inference"}


def listed(model: dict[str, Any], role: str, name: str) -> bool | None:
    """Tells whether a model lists a size for a role, regardless of case; None where it lists none for it."""
    sizes = model.get(f"{role}_computes") or []
    return name.lower() in {size.lower() for size in sizes} if sizes else None


def retirement(size: dict[str, Any]) -> datetime.date | None:
    """Returns the day on which a size was or will be retired."""
    day = size.get("retirement_date")
    return datetime.date.fromisoformat(str(day)) if day else None


def too_small(size: dict[str, Any], spec: str | None) -> list[str]:
    """Returns what of a size is below `vCPUs|GPUs|memory GB|disk GB`, in words."""
    if not spec:
        return []
    wanted = [int(part) for part in spec.split("|")]
    parts = (("vCPUs", "vcpus"), ("GPUs", "gpus_per_node"), ("GB of memory", "memory_gb"), ("GiB of disk", "disk_gib"))
    return [
        f"{size[key]:g} {word} of {least}"
        for (word, key), least in zip(parts, wanted, strict=True)
        if size.get(key) is not None and size[key] < least
    ]


def _list(context: Context, role: str) -> Finding:
    name, where, word = context.size_name(role), context.at(SIZE_KEYS[role]), WORDS[role]
    answer = listed(context.model, role, name)
    listed_sizes = context.model.get(f"{role}_computes") or []
    if answer is False:
        near = "" if context.size(role) else suggest(name, listed_sizes)  # what exists is not misspelt
        return failed(
            f"{where}: {name} is not in the {word} list of {context.model['name']}{near}",
            f"take one of {', '.join(_alive(context, listed_sizes))} (make gpu ENV={context.environment})",
        )
    if answer is None and name.lower() in DENIED:
        return failed(
            f"{where}: {name} has K80 cards, which {word} cannot use",
            f"make gpu ENV={context.environment} names others",
        )
    if answer is None:
        return passed(f"{name}: {context.model['name']} lists no {word} sizes, and it is not on the deny list")
    return passed(f"{name} is in the {word} list of {context.model['name']}")


def _alive(context: Context, names: list[str]) -> list[str]:
    """Returns those of the listed sizes that can still be had, or all where none can."""
    alive = []
    for name in names:
        size = context.facts.size(name)
        day = retirement(size) if size else None
        if day is None or day > context.today:
            alive.append(name)
    return alive or names


@check("finetune-size")
def finetune_list(context: Context) -> Finding:
    """Fails for a training size outside the model's list; with no list, for the notebook's deny list."""
    return _list(context, "finetune")


@check("inference-size")
def inference_list(context: Context) -> Finding:
    """Fails for a serving size outside the model's list."""
    return _list(context, "inference")


def _alive_and_known(context: Context, role: str) -> Finding:
    name, where = context.size_name(role), context.at(SIZE_KEYS[role])
    size, others = context.size(role), f"make gpu ENV={context.environment} names those that fit"
    if size is None:
        known = [each["name"] for each in context.facts.sizes.values()]
        return failed(f"{where}: nothing is known about size {name}{suggest(name, known)}", others)
    if not size["gpus_per_node"]:
        return failed(f"{where}: {name} has no GPU", others)
    day = retirement(size)
    if day and day <= context.today:
        return failed(f"{where}: {name} ({size['gpu']}) was retired on {day}", others)
    if day and day <= context.today + datetime.timedelta(days=RETIRING_DAYS):
        return warned(f"{where}: {name} ({size['gpu']}) will be retired on {day}", others)
    if role == "inference" and not size.get("online_endpoint", True):
        return warned(f"{where}: {name} is not among the sizes documented for managed online endpoints", others)
    return passed(f"{name}: {size['gpus_per_node']} x {size.get('gpu', 'GPU')}, not retired")


@check("finetune-size-alive")
def finetune_alive(context: Context) -> Finding:
    """Fails for a training size that is unknown, has no GPU or is retired."""
    return _alive_and_known(context, "finetune")


@check("inference-size-alive")
def inference_alive(context: Context) -> Finding:
    """Fails for a serving size that is unknown, has no GPU or is retired."""
    return _alive_and_known(context, "inference")


def _minimum(context: Context, role: str) -> Finding:
    size, spec = context.size(role), context.model.get(f"{role}_min_sku_spec")
    name, word = context.size_name(role), WORDS[role]
    if size is None or not spec:
        return skipped(f"{context.model['name']} names no smallest {word} machine" if size else f"{name} is not known")
    short = too_small(size, spec)
    if short:
        return failed(
            f"{context.at(SIZE_KEYS[role])}: {name} has {', '.join(short)} that {context.model['name']} needs to {word}",
            f"make gpu ENV={context.environment} names sizes that are large enough",
        )
    return passed(f"{name} meets {context.model['name']}'s smallest {word} machine ({spec})")


@check("finetune-size-minimum")
def finetune_minimum(context: Context) -> Finding:
    """Fails for a training size below the model's minimum of vCPUs, GPUs, memory or disk."""
    return _minimum(context, "finetune")


@check("inference-size-minimum")
def inference_minimum(context: Context) -> Finding:
    """Fails for a serving size below the model's minimum."""
    return _minimum(context, "inference")


@check("sizes-in-region", live=True)
def in_region(context: Context) -> Finding:
    """Fails when the workspace's region does not offer a size, or offers it with another number of GPUs."""
    assert context.live
    offered, region = context.live.sizes, context.live.region
    for role, key in SIZE_KEYS.items():
        name = context.size_name(role)
        found = offered.get(name.lower())
        if found is None:
            near = [each["name"] for each in offered.values() if each["gpus_per_node"]]
            return failed(
                f"{context.at(key)}: {region} does not offer {name}{suggest(name, near)}",
                "take a size that it offers (az ml compute list-sizes), or a workspace in another region",
            )
        known = context.size(role)
        if known and known["gpus_per_node"] != found["gpus_per_node"]:
            return failed(
                f"{context.at(key)}: {name} has {found['gpus_per_node']} GPUs in {region}, the lock or catalog says "
                f"{known['gpus_per_node']}",
                f"make lock ENV={context.environment}",
            )
    return passed(f"{region} offers {' and '.join(dict.fromkeys(map(context.size_name, SIZE_KEYS)))}")


@check("region", live=True)
def region_agrees(context: Context) -> Finding:
    """Warns when azure.region is not the workspace's region: prices and names would be another region's."""
    assert context.live
    said, real = context.value("azure.region"), context.live.region
    if said.lower() != real.lower():
        return warned(f"{context.at('azure.region')}: {said}, but the workspace is in {real}", f"write {real}")
    return passed(f"the workspace is in {real}")
