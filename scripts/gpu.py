"""`python -m scripts.gpu --env ENV`: which machine? Every size that could train and serve this model, cheapest first.

Each line has the memory that this run's step takes, the hours and the money; the sizes left out follow with the reason.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
from typing import Any

from scripts.azure import cards
from scripts.azure.live import Live
from scripts.errors import FAILED, main
from scripts.estimate import time
from scripts.estimate import training_step as component
from scripts.estimate.memory import GIB, estimate
from scripts.preflight import context as context_module
from scripts.preflight import sizes as size_checks
from scripts.preflight.context import Context
from scripts.preflight.cost import hours_of, price_of
from scripts.preflight.memory import HOST_SHARE, WARN_SHARE, longest, serving_gib
from scripts.values.read import add_arguments, from_arguments

ROLES = {"finetune": "train", "inference": "serve"}


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A size for a role: what it needs and costs, or why it is left out."""

    size: str
    role: str
    gpus: str
    memory_gib: float | None = None
    usable_gib: float | None = None
    hours: tuple[float, float, float] | None = None
    cost: float | None = None  # of the run (train) or of a day (serve)
    per_hour: float | None = None
    note: str = ""
    reason: str = ""


def candidates(context: Context, role: str) -> list[Candidate]:
    """Returns every known size with what it takes and costs, cheapest first; those left out come last, with the reason."""
    found = [_candidate(context, role, size) for size in context.facts.sizes.values()]
    endless = float("inf")
    return sorted(
        found,
        key=lambda each: (bool(each.reason), endless if each.cost is None else each.cost, each.per_hour or endless),
    )


def _candidate(context: Context, role: str, size: dict[str, Any]) -> Candidate:
    name = size["name"]
    plain = Candidate(name, role, f"{size['gpus_per_node']} x {size.get('gpu', '?')}")
    reason = _left_out(context, role, size)
    if reason:
        return dataclasses.replace(plain, reason=reason)
    known = price_of(context, size, role)
    plain = dataclasses.replace(plain, per_hour=known.per_hour if known else None)
    return _serving(context, size, plain) if role == "inference" else _training(context, size, plain)


def _left_out(context: Context, role: str, size: dict[str, Any]) -> str:
    day = size_checks.retirement(size)
    if day and day <= context.today:
        return f"retired {day}"
    if not size["gpus_per_node"]:
        return "no GPU"
    if size_checks.listed(context.model, role, size["name"]) is False:
        return f"not in the {size_checks.WORDS[role]} list of {context.model['name']}"
    short = size_checks.too_small(size, context.model.get(f"{role}_min_sku_spec"))
    if short:
        return f"too small: {', '.join(short)}"
    if role == "inference" and not size.get("online_endpoint", True):
        return "not documented for managed online endpoints"
    if context.live is not None and size["name"].lower() not in context.live.sizes:
        return f"not offered in {context.live.region}"
    return ""


def _training(context: Context, size: dict[str, Any], plain: Candidate) -> Candidate:
    card, shape = cards.of_size(size), context.shape
    if card is None or shape is None:
        return dataclasses.replace(plain, note="memory and time not known")
    parameters = {**context.parameters, "number_of_gpu_to_use_finetuning": size["gpus_per_node"]}
    step = component.step(parameters, shape, card, longest(context))
    gib = estimate(step).total / GIB
    plain = dataclasses.replace(plain, memory_gib=round(gib, 1), usable_gib=card.usable_gib)
    if gib > card.usable_gib:
        return dataclasses.replace(
            plain, reason=f"needs {gib:.1f} GiB on each GPU, {card.gpu} has {card.usable_gib:.1f}"
        )
    host = component.host_gib(step, size["gpus_per_node"])
    if host > HOST_SHARE * size["memory_gb"] * 1e9 / GIB:
        return dataclasses.replace(plain, reason=f"DeepSpeed keeps {host:.0f} GiB on a host of {size['memory_gb']} GB")
    note = "tight" if gib > WARN_SHARE * card.usable_gib else ""
    hours = _hours(context, size, step)
    nodes = context.number("num_nodes_finetune")
    cost = hours.likely * nodes * plain.per_hour if hours and plain.per_hour else None
    return dataclasses.replace(
        plain, note=note, hours=(hours.low, hours.likely, hours.high) if hours else None, cost=cost
    )


def _hours(context: Context, size: dict[str, Any], step: Any) -> time.Hours | None:
    data = {**context.values.data, "compute": {**context.values.data["compute"], "size": size["name"]}}
    values = dataclasses.replace(context.values, data=data)
    return hours_of(dataclasses.replace(context, values=values), step)


def _serving(context: Context, size: dict[str, Any], plain: Candidate) -> Candidate:
    card, need = cards.of_size(size), serving_gib(context)
    if card is None or need is None:
        return dataclasses.replace(plain, note="memory not known")
    have = card.usable_gib * size["gpus_per_node"]
    plain = dataclasses.replace(plain, memory_gib=round(need, 1), usable_gib=round(have, 1))
    if need > have:
        return dataclasses.replace(plain, reason=f"needs {need:.1f} GiB, has {have:.1f}")
    day = plain.per_hour * 24 * context.value("deployment.instance_count") if plain.per_hour else None
    return dataclasses.replace(plain, cost=day)


def as_text(context: Context, role: str, found: list[Candidate]) -> str:
    """Returns the candidates as a table, and a line for each that is left out."""
    chosen = context.size_name(role).lower()
    unit = "a run" if role == "finetune" else "a day"
    lines = [f"To {ROLES[role]} {context.model['name']} ({context.environment}):", ""]
    lines.append(
        f"  {'size':<28} {'GPUs':<20} {'GiB of GiB':>16} {'hours':>18} {'USD ' + unit:>12} {'USD an hour':>12}"
    )
    for each in (each for each in found if not each.reason):
        mark = "*" if each.size.lower() == chosen else " "
        memory = f"{each.memory_gib:.1f} of {each.usable_gib:.1f}" if each.memory_gib and each.usable_gib else "?"
        hours = "{1:.1f} ({0:.1f}-{2:.1f})".format(*each.hours) if each.hours else ("-" if role == "inference" else "?")
        cost, price = (f"{value:.2f}" if value is not None else "?" for value in (each.cost, each.per_hour))
        lines.append(
            f"{mark} {each.size:<28} {each.gpus:<20} {memory:>16} {hours:>18} {cost:>12} {price:>12}  {each.note}".rstrip()
        )
    if all(each.reason for each in found):
        lines.append("  none")
    lines += ["", "Left out:"]
    lines += [f"  {each.size:<28} {each.reason}" for each in found if each.reason]
    return "\n".join(lines)


def run(arguments: list[str] | None = None) -> int:
    """The command: exit 1 if no size is left for a role."""
    parser = argparse.ArgumentParser(prog="python -m scripts.gpu", description="Which machine could train this model?")
    add_arguments(parser)
    parser.add_argument("--live", action="store_true", help="only sizes that the workspace's region offers")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--today", type=datetime.date.fromisoformat, metavar="DATE", help="another day than today")
    options = parser.parse_args(arguments)
    values = from_arguments(options)
    context = context_module.build(values, Live(values) if options.live else None, options.today)
    found = {role: candidates(context, role) for role in ROLES}
    if options.output == "json":
        print(
            json.dumps(
                {role: [dataclasses.asdict(each) for each in each_role] for role, each_role in found.items()}, indent=2
            )
        )
    else:
        print("\n\n".join(as_text(context, role, each) for role, each in found.items()))
        if "train" not in context.data:
            print(f"\nHours and cost of a run need the data: make data ENV={context.environment}")
    return FAILED if any(all(each.reason for each in each_role) for each_role in found.values()) else 0


if __name__ == "__main__":
    main(run)
