"""Checks of numbers that Azure takes and nobody means: a timeout in the wrong unit, a rank above the model's width."""

from __future__ import annotations

from scripts.azure.limits import usual
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, failed, passed

OWN_CHECK = ("finetune.learning_rate",)  # which the model's own bounds decide


def numbers(context: Context) -> Finding:
    """Fails for the first number beyond what can be meant, and says why; its other lines have the rest."""
    beyond = []
    for key, limit in usual().items():
        found = context.value(key)
        number = isinstance(found, int | float) and not isinstance(found, bool)
        if key not in OWN_CHECK and number and not limit.holds(found):
            beyond.append((key, found, limit))
    if not beyond:
        return passed("timeouts, counts and ranks are what they can be")
    key, found, limit = beyond[0]
    others = [f"{context.at(key)}: {found}, allowed: {limit.words}: {limit.why}" for key, found, limit in beyond[1:]]
    return failed(
        f"{context.at(key)}: {found}, allowed: {limit.words}: {limit.why}", f"set {key} to {limit.words}", *others
    )
