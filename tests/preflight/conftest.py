"""What the tests of preflight share: the context of an environment, with prepared data and a day that never changes."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from scripts.preflight import checklist, context
from scripts.preflight.finding import Finding
from scripts.values.data_facts import Split
from scripts.values.read import load

TODAY = datetime.date(2026, 11, 23)
DATA = {
    "train": Split(2000, 2_000_000, 3000, tuple(range(0, 3001, 30)), "exact"),
    "validation": Split(200, 200_000, 3000, tuple(range(0, 3001, 30)), "exact"),
    "test": Split(200, 200_000, 3000, tuple(range(0, 3001, 30)), "exact"),
}
# Rules of autoscaling, as --set takes them.
RULE = "metric: CpuUtilizationPercentage, minutes: 5, by: 1"
SCALES = f"deployment.autoscale={{min: 1, max: 3, scale_out: {{{RULE}, above: 70}}, scale_in: {{{RULE}, below: 25}}}}"


def made(env: str, *sets: str, data: dict[str, Any] | None = None, **more: Any) -> context.Context:
    """Returns the context of an environment with values overridden and with prepared data."""
    built = context.build(load(env, sets, check=False), today=TODAY)
    own = {"data": DATA if data is None else data, "prepared": context.Prepared(), "data_from": ""}
    return dataclasses.replace(built, **(own | more))


def finding(name: str, where: context.Context) -> Finding:
    """Runs one check."""
    return checklist.named(name).work(where)
