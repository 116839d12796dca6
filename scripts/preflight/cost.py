"""Time and cost: how long the job takes, what it costs, and what a forgotten endpoint costs a day."""

from __future__ import annotations

import datetime

from scripts.estimate.run import SIZE_KEYS
from scripts.estimate.what_if import Training, price_of, training_on
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, passed, skipped, warned
from scripts.targets import costs_nothing
from scripts.values.data_facts import ESTIMATED

LONG_HOURS = 24.0
OLD_DAYS = 366
DISCOUNT = "low priority costs less; its price is another meter"


def time_and_cost(context: Context) -> Finding:
    """Estimates hours and money of the job as a range, with what it assumes."""
    training = training_on(context, context.size("finetune"))
    if training is None:
        return skipped(f"the shape of {context.model.name} or its GPU is not known")
    hours = training.hours
    if hours is None:
        return _no_data(context)
    details = list(hours.assumptions)
    how = context.data["train"].how
    if how != "exact":
        details.append(f"tokens estimated ({how})" if how != ESTIMATED else "tokens estimated")
    money, more = _money(context, training)
    rows = f", {context.data_from}" if context.data_from else ""
    if context.prepared.fallback:
        rows += f"; data/{context.environment} only stands in ({context.prepared.fallback})"
    sentence = f"{hours.likely:.1f} h ({hours.low:.1f} to {hours.high:.1f}){money}{rows}"
    lines = tuple(f"assumes {each}" for each in details + more)
    if hours.likely > LONG_HOURS and how != ESTIMATED:  # what nobody has counted is said, and warns nobody
        todo = "lower dataset.percent or num_train_epochs, or take a faster size"
        return warned(
            f"{context.at('finetune')}: the job takes {sentence}",
            f"{todo} ({context.make('gpu')})",
            *lines,
        )
    return passed(f"{'on Azure ' * costs_nothing()}the job takes {sentence}", *lines)


def _no_data(context: Context) -> Finding:
    """Returns what is said where no rows are known; those that stand in are another run's."""
    stands_in = f": what data/{context.environment} holds only stands in ({context.prepared.fallback})"
    return skipped(f"no data yet{stands_in * bool(context.prepared.fallback)}", f"{context.make('data')} prepares them")


def _money(context: Context, training: Training) -> tuple[str, list[str]]:
    """Returns what the hours cost, the end of a sentence, and what that assumes."""
    size, price, hours = training.size.name, training.price, training.hours
    if price is None or hours is None:
        return f"; the price of {size} is not known", ["compute.price_per_hour in the values would be taken"]
    low, likely, high = (training.cost(each) for each in (hours.low, hours.likely, hours.high))
    discount = [DISCOUNT] if context.value("compute.tier") == "low_priority" else []
    money = f", {likely:.2f} {price.currency} ({low:.2f} to {high:.2f}) on {training.nodes} x {size}"
    return money, [f"{size}: {price}", *discount]


def endpoint_cost(context: Context) -> Finding:
    """Says what the endpoint costs a day: it is billed by the hour until somebody deletes it."""
    size, (_, instances, at_most) = context.size("inference"), context.billed_machines
    known = price_of(context, size, "inference") if size else None
    if size is None or known is None:
        return skipped(f"the price of {context.size_name('inference')} is not known", "give deployment.price_per_hour")
    day = known.per_hour * instances * 24
    on, until = "on Azure " * costs_nothing(), f" until {context.make('undeploy')}" * (not costs_nothing())
    most = known.per_hour * at_most * 24
    scaled = f" and up to {most:.2f} with {at_most} machines (deployment.autoscale.max)" * (most > day)
    return passed(
        f"{on}the endpoint costs {day:.2f} {known.currency} a day{scaled}{until}, asked or not",
        f"assumes {instances} x {size.name}: {known}",
    )


def price_age(context: Context) -> Finding:
    """Warns for prices that nobody has read for more than a year."""
    dated = {}
    for role in SIZE_KEYS:
        size = context.size(role)
        price = price_of(context, size, role) if size else None
        if size and price and price.seen:
            dated[role] = (size.name, price)
    if not dated:
        return skipped("no price has a date")
    if costs_nothing():
        return passed("nothing is paid on this backend")
    old = {role: each for role, each in dated.items() if (context.today - _last_day(each[1].seen)).days > OLD_DAYS}
    if old:
        words = " and ".join(dict.fromkeys(f"{name}: {price}" for name, price in old.values()))
        return warned(
            f"{context.at(SIZE_KEYS[next(iter(old))])}: the price is older than a year: {words}",
            f"{context.make('lock')} reads today's, or give compute.price_per_hour and deployment.price_per_hour",
        )
    return passed(f"prices were read {' and '.join(dict.fromkeys(price.seen for _, price in dated.values()))}")


def _last_day(seen: str) -> datetime.date:
    """Returns a day as it is, and of a month the last one."""
    parts = [int(part) for part in seen[:10].split("-")]
    if len(parts) > 2:
        return datetime.date(*parts[:3])
    year, month = parts[0] + parts[1] // 12, parts[1] % 12 + 1
    return datetime.date(year, month, 1) - datetime.timedelta(days=1)
