"""The run that prepared data are for: epochs, steps, hours and money, as preflight estimates them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.errors import UserError
from scripts.estimate.run import build, splits_of
from scripts.estimate.what_if import training_on
from scripts.values.read import Values


def run_plan(values: Values, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what training on the files of a manifest takes, as plain data; `unknown` says why it cannot be told."""
    try:
        run = build(values, splits_of(manifest))
        training = training_on(run, run.size("finetune"))
    except UserError as error:
        return {"unknown": str(error)}
    if training is None:
        return {"unknown": f"the shape of {run.model.name} or the GPU of {run.size_name('finetune')} is not known"}
    hours, schedule = training.hours, training.schedule
    if hours is None or schedule is None:
        return {"unknown": "there is no training row"}
    money = [training.cost(each) for each in (hours.low, hours.likely, hours.high)] if training.price else None
    return {
        "model": run.model.name, "machines": f"{training.nodes} x {training.size.name}",
        "epochs": schedule.epochs, "steps": schedule.steps, "rows_a_step": schedule.rows_a_step,
        "tokens": schedule.tokens, "hours": [hours.low, hours.likely, hours.high], "money": money,
        "currency": training.price.currency if training.price else "",
        "assumes": [*hours.assumptions, *([f"{training.size.name}: {training.price}"] if training.price else [])],
    }  # fmt: skip
