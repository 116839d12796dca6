"""Checks of the limits of the house: the project's own and those of the file that it shares; the strictest wins."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any

from scripts.azure import retail_prices
from scripts.estimate.run import SIZE_KEYS
from scripts.estimate.what_if import price_of, training_on
from scripts.preflight.context import Context
from scripts.preflight.finding import FAIL, PASS, SKIPPED, WARN, Finding, failed, passed, skipped, warned
from scripts.values import house_limits
from scripts.values.house_limits import Limits
from scripts.values.names import OWN_TAGS

NONE = skipped("the house sets no such limit")
_WORST = (FAIL, WARN, PASS, SKIPPED)
Judge = Callable[[Any, str], Finding]  # a limit, and the words that say which it is and who set it


def job_cost(context: Context) -> Finding:
    """Fails when the job is estimated to cost more than it may; warns when it may, or when nobody knows."""

    def judge(most: float, limit: str) -> Finding:
        training = training_on(context, context.size("finetune"))
        if training is None or training.hours is None:
            return _unknown_hours(context, limit)
        price, hours = training.price, training.hours
        if price is None:
            return _unknown_price(context, "compute.price_per_hour", training.size.name, limit)
        if price.currency != retail_prices.CURRENCY:
            return _other_currency(context, "compute", price.currency, limit)
        low, likely, high = (round(training.cost(each) or 0.0, 2) for each in (hours.low, hours.likely, hours.high))
        found = f"the job costs {likely:.2f} {price.currency} ({low:.2f} to {high:.2f}; {training.size.name}: {price})"
        return _compared(context, found, likely, high, most, f"{most:g} {price.currency}", limit)

    return _each(context, "max_job_cost", judge)


def job_hours(context: Context) -> Finding:
    """Fails when the job is estimated to take longer than it may; warns when it may, or when nobody knows."""

    def judge(most: float, limit: str) -> Finding:
        training = training_on(context, context.size("finetune"))
        if training is None or training.hours is None:
            return _unknown_hours(context, limit)
        hours = training.hours
        found = f"the job takes {hours.likely:.1f} h ({hours.low:.1f} to {hours.high:.1f})"
        return _compared(context, found, hours.likely, hours.high, most, f"{most:g} h", limit)

    return _each(context, "max_job_hours", judge)


def endpoint_cost(context: Context) -> Finding:
    """Fails when the endpoint costs more a day than it may; warns where its price is not known."""

    def judge(most: float, limit: str) -> Finding:
        size, key = context.size("inference"), SIZE_KEYS["inference"]
        price = price_of(context, size, "inference") if size else None
        if price is None:
            return _unknown_price(context, "deployment.price_per_hour", context.size_name("inference"), limit)
        if price.currency != retail_prices.CURRENCY:
            return _other_currency(context, "deployment", price.currency, limit)
        _, _, instances = context.billed_machines
        day = round(price.per_hour * instances * 24, 2)  # as it is said
        found = f"{day:.2f} {price.currency} a day ({instances} x {context.size_name('inference')}: {price})"
        if day > most:
            return failed(
                f"{context.at(key)}: the endpoint costs {found}, allowed are {most:g} ({limit})",
                f"take fewer or cheaper machines ({context.make('gpu')})",
            )
        return passed(f"the endpoint costs {found}, allowed are {most:g}")

    return _each(context, "max_endpoint_cost_a_day", judge)


def sizes(context: Context) -> Finding:
    """Fails for a machine size that is not among those allowed."""
    keys = list(SIZE_KEYS.values())
    if context.value("dataset.where") == "azureml":
        keys.append("compute.preparation.size")
    return _each(context, "sizes", lambda allowed, limit: _among(context, keys, allowed, limit))


def regions(context: Context) -> Finding:
    """Fails for a region that is not among those allowed."""
    return _each(context, "regions", lambda allowed, limit: _among(context, ["azure.region"], allowed, limit))


def tags(context: Context) -> Finding:
    """Fails for a tag that is asked for and is not there, or holds another text."""
    given = {name.lower(): (name, text) for name, text in (context.value("tags") or {}).items()}  # as Azure compares

    def judge(wanted: dict[str, str], limit: str) -> Finding:
        for name, pattern in wanted.items():
            if name.lower() in OWN_TAGS:
                return failed(
                    f"{context.at('tags')}: {name} is asked for ({limit}), but this project writes that tag itself, "
                    "and not to all that it makes",
                    "ask for another name there",
                )
            if name.lower() not in given:
                return failed(
                    f"{context.at('tags')}: has no {name}, which is asked for ({limit})",
                    f"add it; its text matches {pattern}",
                )
            key, text = given[name.lower()]
            if not re.fullmatch(pattern, text):
                return failed(
                    f"{context.at(f'tags.{key}')}: found '{text}', expected a text that matches {pattern} ({limit})",
                    "correct it",
                )
        return passed(f"the tags that are asked for are there: {', '.join(wanted)}")

    return _each(context, "required_tags", judge)


def _each(context: Context, key: str, judge: Judge) -> Finding:
    """Returns the worst that a limit's judge finds, whoever set one; the first, where two are as bad."""
    sources: list[Limits] = [each for each in house_limits.read(context.values, context.root) if each.data.get(key)]
    found = [judge(each.data[key], f"limits.{key}, set by {each.where(key)}") for each in sources]
    return min(found, key=lambda each: _WORST.index(each.status), default=NONE)


def _compared(
    context: Context, found: str, likely: float, high: float, most: float, allowed: str, limit: str
) -> Finding:
    todo = f"lower dataset.percent or num_train_epochs, or take another size ({context.make('gpu')})"
    if likely > most:
        return failed(f"{context.at('finetune')}: {found}, allowed are {allowed} ({limit})", todo)
    if high > most:
        return warned(f"{context.at('finetune')}: {found}, which may become more than the {allowed} of {limit}", todo)
    return passed(f"{found}, allowed are {allowed}")


def _among(context: Context, keys: list[str], allowed: list[str], limit: str) -> Finding:
    for key in keys:
        found = str(context.value(key))
        if not any(fnmatch(found.lower(), pattern.lower()) for pattern in allowed):
            return failed(
                f"{context.at(key)}: found {found}, allowed: {', '.join(allowed)} ({limit})", "take one of those"
            )
    return passed(f"{', '.join(dict.fromkeys(str(context.value(key)) for key in keys))}: allowed")


def _unknown_hours(context: Context, limit: str) -> Finding:
    size = context.size("finetune")
    if context.shape is None or size is None or size.card is None:
        why, todo = f"the shape of {context.model.name} or its GPU is not known", "let a person estimate it"
    else:
        why, todo = "no data yet", f"{context.make('data')} prepares them"
    return warned(f"nobody knows whether the job keeps to {limit}: {why}", todo)


def _unknown_price(context: Context, key: str, size: str, limit: str) -> Finding:
    return warned(
        f"nobody knows whether the price keeps to {limit}: what {size} costs is not known",
        f"give {key}, or pin it: {context.make('lock')}",
    )


def _other_currency(context: Context, section: str, currency: str, limit: str) -> Finding:
    return warned(
        f"nobody knows whether the price keeps to {limit}: it is in {currency}, the limit in {retail_prices.CURRENCY}",
        f"give {section}.price_per_hour in {retail_prices.CURRENCY}, or pin it: {context.make('lock')}",
    )
