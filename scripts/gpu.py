"""`python -m scripts.gpu --env ENV`: which machine? Every size that could train and serve this model, cheapest first.

Each line has the memory that this run's step takes, the hours and the money; the sizes left out follow with the reason.
"""

from __future__ import annotations

import dataclasses
import datetime
import json

from scripts import terminal
from scripts.azure.live import Live
from scripts.azure.machine_sizes import Size
from scripts.errors import FAILED, main
from scripts.estimate.what_if import price_of, serving_on, training_on
from scripts.preflight import context as context_module
from scripts.preflight.context import Context
from scripts.preflight.sizes import WORDS
from scripts.values.read import from_arguments, parser_of

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
    """Returns every known size with GPUs, what it takes and costs, cheapest first; those left out come last, with the
    reason.
    """
    found = [_candidate(context, role, size) for size in context.facts.sizes.values() if size.gpus_per_node]
    endless = float("inf")
    return sorted(
        found,
        key=lambda each: (bool(each.reason), endless if each.cost is None else each.cost, each.per_hour or endless),
    )


def _candidate(context: Context, role: str, size: Size) -> Candidate:
    plain = Candidate(
        size.name, role, f"{size.gpus_per_node} x {size.gpu or '?'}", reason=_left_out(context, role, size)
    )
    if plain.reason:
        return plain
    known = price_of(context, size, role)
    plain = dataclasses.replace(plain, per_hour=known.per_hour if known else None)
    return _serving(context, size, plain) if role == "inference" else _training(context, size, plain)


def _left_out(context: Context, role: str, size: Size) -> str:
    model = context.model
    if size.is_retired(context.today):
        return f"retired {size.retires}"
    if model.lists(role, size.name) is False:
        return f"not in the {WORDS[role]} list of {model.name}"
    short = size.below(model.minimum(role))
    if short:
        return f"too small: {', '.join(short)}"
    if role == "inference" and not size.online_endpoint:
        return "not documented for managed online endpoints"
    if context.live is not None and size.name.lower() not in context.live.sizes:
        return f"not offered in {context.live.region}"
    return ""


def _training(context: Context, size: Size, plain: Candidate) -> Candidate:
    training = training_on(context, size, all_gpus=True)
    if training is None:
        return dataclasses.replace(plain, note="memory and time not known")
    card, gib, hours = training.card, training.gib, training.hours
    plain = dataclasses.replace(plain, memory_gib=round(gib, 1), usable_gib=card.usable_gib)
    if not training.fits:
        reason = f"needs {gib:.1f} GiB on each GPU, {card.gpu} has {card.usable_gib:.1f}"
        return dataclasses.replace(plain, reason=reason)
    if not training.host_fits:
        reason = f"DeepSpeed keeps {training.host_gib:.0f} GiB on a host of {size.memory_gb} GB"
        return dataclasses.replace(plain, reason=reason)
    note = "tight" if training.is_tight else ""
    if training.unsure:
        note = f"{training.keeping().gib:.1f} GiB if activations are kept"
    return dataclasses.replace(
        plain,
        note=note,
        hours=(hours.low, hours.likely, hours.high) if hours else None,
        cost=training.cost(hours.likely) if hours else None,
    )


def _serving(context: Context, size: Size, plain: Candidate) -> Candidate:
    serving = serving_on(context, size)
    if serving is None:
        return dataclasses.replace(plain, note="memory not known")
    plain = dataclasses.replace(plain, memory_gib=round(serving.gib, 1), usable_gib=round(serving.has_gib, 1))
    if not serving.fits:
        return dataclasses.replace(plain, reason=f"needs {serving.gib:.1f} GiB, has {serving.has_gib:.1f}")
    day = plain.per_hour * 24 * context.value("deployment.instance_count") if plain.per_hour else None
    return dataclasses.replace(plain, cost=day)


def as_text(context: Context, role: str, found: list[Candidate]) -> str:
    """Returns the candidates as a table, and a line for each that is left out."""
    chosen = context.size_name(role).lower()
    unit = "USD/run" if role == "finetune" else "USD/day"
    lines = [f"To {ROLES[role]} {context.model.name} ({context.environment}):", ""]
    lines.append(_row("  size", "GPUs", "GiB", "hours", unit, "USD/h"))
    for each in (each for each in found if not each.reason):
        mark = "*" if each.size.lower() == chosen else " "
        memory = f"{each.memory_gib:.1f}/{each.usable_gib:.1f}" if each.memory_gib and each.usable_gib else "?"
        hours = f"{each.hours[1]:.1f}" if each.hours else ("-" if role == "inference" else "?")
        cost, price = (f"{value:.2f}" if value is not None else "?" for value in (each.cost, each.per_hour))
        lines.append(_row(f"{mark} {each.size}", each.gpus, memory, hours, cost, price))
        lines += [f"    {each.note}"] * bool(each.note)
    if all(each.reason for each in found):
        lines.append("  none")
    lines += ["", "Left out:"]
    lines += [terminal.wrapped(each.reason, " " * 31, f"  {each.size:<28} ") for each in found if each.reason]
    return "\n".join(lines)


def _row(*cells: str) -> str:
    """Returns a row of the table: GiB that are needed of those that a GPU has, hours as likely."""
    size, gpus, *rest = cells
    memory, hours, cost, price = rest
    return f"{size:<28} {gpus:<19} {memory:>11} {hours:>5} {cost:>7} {price:>5}".rstrip()


def run(arguments: list[str] | None = None) -> int:
    """The command: exit 1 if no size is left for a role."""
    parser = parser_of("gpu", "Which machine could train this model?")
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
        if context.data_from:
            print(f"\n{terminal.wrapped(f'Hours and cost are {context.data_from}.')}")
        if "train" not in context.data:
            print(f"\nHours and cost of a run need the data: {context.make('data')}")
    return FAILED if any(all(each.reason for each in each_role) for each_role in found.values()) else 0


if __name__ == "__main__":
    main(run)
