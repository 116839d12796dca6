"""What a review always says of an environment: model, machines, data, money, and what preflight complains of."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.azure.lock_file import Promoted
from scripts.azure.machine_sizes import Size
from scripts.errors import UserError
from scripts.estimate.what_if import price_of, training_on
from scripts.preflight import checklist, setup
from scripts.preflight.context import Context
from scripts.preflight.finding import FAIL, WARN
from scripts.review.seen import DAY, DAYS, IDLE, JOB, JOB_HOURS, MONTH, Amount, Complaint
from scripts.values import data_facts, names
from scripts.values.parameters import Parameter


def facts(made: Context, parameters: Mapping[str, Parameter]) -> dict[str, str]:
    """Returns the lines that say what is trained on what, and served where."""
    named = names.build(made.values, made.facts, dict(parameters))
    nodes, count = made.given["num_nodes_finetune"], made.value("deployment.instance_count")
    found = {
        "model": _model(made),
        "trains on": _machine(nodes, made.size_name("finetune"), made.size("finetune")),
        "data": _data(made),
        "registers": named.model,
        "endpoint": f"{named.endpoint}, deployment {named.deployment}",
        "serves on": _machine(count, made.size_name("inference"), made.size("inference")),
        "promoted": _promoted(names.promoted(made.facts, named)),
    }
    return {key: text for key, text in found.items() if text}


def _model(made: Context) -> str:
    model = made.model
    return f"{model.name} {model.version or made.value('model.huggingface_id', '')}".strip()


def _machine(count: int, name: str, size: Size | None) -> str:
    gpus = f" ({size.gpus_per_node} x {size.gpu}, {size.gpu_memory_gb:g} GB)" if size and size.gpus_per_node else ""
    return f"{count} x {size.name if size else name}{gpus}"


def _data(made: Context) -> str:
    source = f"{made.value('dataset.percent', 100):g} % of {made.value('dataset.source')}"
    train = made.data.get("train")
    if train is None:
        return f"{source}; how much that is nobody has counted yet"
    kept = data_facts.current(made.values, made.root)
    version = f", version {kept.version}" if kept else ""
    version += f" of commit {kept.commit[:12]}" if kept and kept.commit else ""
    return f"{source}: {train.rows:,} rows, {train.tokens:,} tokens to train on{version}; {made.data_from}"


def _promoted(found: Promoted | None) -> str:
    if found is None:
        return ""
    figures = [
        f"{name.replace('_', ' ')} {each['base']:g} -> {each['tuned']:g}"
        for name, each in found.measures.items()
        if {"base", "tuned"} <= each.keys()
    ]
    told = f": base -> tuned {', '.join(figures)}" if figures else ""
    return f"{found.model}:{found.version} of job {found.job}{told}"


def amounts(made: Context) -> dict[str, Amount]:
    """Returns hours and money; what nobody knows is left out."""
    found: dict[str, Amount] = {}
    trains, serves = made.size("finetune"), made.size("inference")
    training = training_on(made, trains)
    if training and training.hours:
        hours = training.hours
        found[JOB_HOURS] = Amount(hours.likely, hours.low, hours.high, "h")
        if training.price:
            low, likely, high = (training.cost(each) or 0.0 for each in (hours.low, hours.likely, hours.high))
            found[JOB] = Amount(likely, low, high, training.price.currency, f"{training.size.name}: {training.price}")
    if serves and (price := price_of(made, serves, "inference")):
        low, day, high = (price.per_hour * machines * 24 for machines in made.billed_machines)
        found[DAY] = Amount(day, low, high, price.currency, f"{serves.name}: {price}")
        found[MONTH] = Amount(day * DAYS, low * DAYS, high * DAYS, price.currency, f"{serves.name}: {price}")
    idle = made.value("compute.min_instances", 0)
    if idle and trains and (price := price_of(made, trains, "finetune")):
        day = price.per_hour * idle * 24
        found[IDLE] = Amount(day, day, day, price.currency, f"{trains.name}: {price}")
    return found


def complaints(made: Context) -> dict[str, Complaint]:
    """Returns the offline checks of preflight that fail or warn.

    Those of this machine's programs are none of them, and what is not rendered is named by itself.
    """
    found = {}
    for check in checklist.CHECKS:
        if check.live or check.waits or check.work is setup.rendered:
            continue
        try:
            result = checklist.result_of(check, made).finding
            each = Complaint(result.status, result.sentence, result.todo)
        except UserError as error:
            each = Complaint(FAIL, str(error), "")
        if each.status in (FAIL, WARN):
            found[check.name] = each
    return found
