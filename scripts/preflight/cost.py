"""Time and cost: how long the job takes, what it costs, and what a forgotten endpoint costs a day."""

from __future__ import annotations

from typing import Any

from scripts.estimate import price, time
from scripts.estimate.memory import Step
from scripts.estimate.price import Price
from scripts.preflight.check import Finding, check, passed, skipped, warned
from scripts.preflight.context import Context
from scripts.preflight.memory import step_of

LONG_HOURS = 24.0
DISCOUNT = "low priority costs less; its price is another meter"


def price_of(context: Context, size: dict[str, Any], role: str) -> Price | None:
    """Returns the price an hour of a size: from the values for the chosen one, else from the lock, else the catalog."""
    section = {"finetune": "compute", "inference": "deployment"}[role]
    given = context.value(f"{section}.price_per_hour") if size["name"] == context.size_name(role) else None
    return price.of(size["name"], context.value("azure.region"), given, size)


def hours_of(context: Context, step: Step) -> time.Hours | None:
    """Returns how long the job takes with a step, None where the data are not prepared or the card is not known."""
    train, held = context.data.get("train"), context.data.get("validation")
    card = context.card("finetune")
    if train is None or not train.rows or card is None:
        return None
    work = time.Work(
        rows=train.rows,
        tokens=train.cut(step.sequence),
        epochs=_epochs(context, step, train.rows),
        validation_rows=held.rows if held else 0,
        validation_tokens=held.cut(step.sequence) if held else 0,
    )
    return time.hours(step, card, work, context.number("gradient_accumulation_steps"))


def _epochs(context: Context, step: Step, rows: int) -> float:
    epochs, most = float(context.parameters["num_train_epochs"]), context.number("max_steps")
    per_step = step.batch * step.gpus * context.number("gradient_accumulation_steps")
    return min(epochs, most * per_step / rows) if most > 0 else epochs


@check("time-and-cost")
def time_and_cost(context: Context) -> Finding:
    """Estimates hours and money of the job as a range, with what it assumes."""
    step, size = step_of(context), context.size("finetune")
    if step is None or size is None:
        return skipped(f"the shape of {context.model['name']} or its GPU is not known")
    hours = hours_of(context, step)
    if hours is None:
        return skipped("no data yet", f"make data ENV={context.environment} prepares them")
    nodes, known = context.number("num_nodes_finetune"), price_of(context, size, "finetune")
    sentence = f"{hours.likely:.1f} h ({hours.low:.1f} to {hours.high:.1f})"
    details = list(hours.assumptions)
    if context.data["train"].how != "exact":
        details.append(f"tokens estimated ({context.data['train'].how})")
    if known is None:
        sentence += f"; the price of {size['name']} is not known"
        details.append("compute.price_per_hour in the values would be taken")
    else:
        low, likely, high = (each * nodes * known.per_hour for each in (hours.low, hours.likely, hours.high))
        sentence += f", {likely:.2f} {known.currency} ({low:.2f} to {high:.2f}) on {nodes} x {size['name']}"
        details.append(f"{size['name']}: {known}")
        if context.value("compute.tier") == "low_priority":
            details.append(DISCOUNT)
    lines = tuple(f"assumes {each}" for each in details)
    if hours.likely > LONG_HOURS:
        todo = "lower dataset.percent or num_train_epochs, or take a faster size"
        return warned(f"{context.at('finetune')}: the job takes {sentence}", f"{todo} (make gpu)", *lines)
    return passed(f"the job takes {sentence}", *lines)


@check("endpoint-cost")
def endpoint_cost(context: Context) -> Finding:
    """Says what the endpoint costs a day: it is billed by the hour until somebody deletes it."""
    size, instances = context.size("inference"), context.value("deployment.instance_count")
    known = price_of(context, size, "inference") if size else None
    if size is None or known is None:
        return skipped(f"the price of {context.size_name('inference')} is not known", "give deployment.price_per_hour")
    day = known.per_hour * instances * 24
    return passed(
        f"the endpoint costs {day:.2f} {known.currency} a day until make undeploy ENV={context.environment}, asked or not",
        f"assumes {instances} x {size['name']}: {known}",
    )
