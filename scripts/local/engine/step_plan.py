"""How many steps a run takes, when it evaluates, and when a cap of the emulator's settings ends it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any


@dataclass
class Plan:
    """The steps of a run; `total` shrinks while it runs if a time cap will end it earlier.

    The time cap needs a rate: it is measured on the steps themselves, in tokens, so that the learning rate anneals to
    the step that will really be the last one, also when the machine gets slower meanwhile.
    """

    rows: int
    batch: int
    steps_per_epoch: int
    planned: int
    evaluate_every: int | None  # steps; None: never
    deadline: float | None = None  # of time.monotonic()
    total: int = 0

    def __post_init__(self) -> None:
        self.total = self.planned
        self._rates: list[float] = []

    @property
    def epochs(self) -> float:
        """How many passes over the rows all steps together make."""
        return self.total / self.steps_per_epoch

    def measured(self, step: int, seconds: float) -> None:
        """Learns that step `step` (from 1) took `seconds`; under a time cap, plans for the steps that still fit."""
        self._rates = [*self._rates[-7:], seconds]
        if self.deadline is None:
            return
        typical = sorted(self._rates)[len(self._rates) // 2]
        fit = max(0, int((self.deadline - time.monotonic()) / typical))
        self.total = max(step, min(self.planned, step + fit))

    def evaluate_after(self, step: int) -> bool:
        """Whether step `step` (from 1) is followed by an evaluation; the last one always is."""
        return self.evaluate_every is not None and (step % self.evaluate_every == 0 or step >= self.total)

    def seconds_left(self, step: int) -> float:
        """Returns the estimated seconds for the steps after `step`."""
        return (self.total - step) * sum(self._rates) / max(1, len(self._rates))


def make(values: dict[str, Any], rows: int, settings: dict[str, Any]) -> tuple[Plan, list[str]]:
    """Returns the plan for `rows` conversations, and a line for every cap that shortens it."""
    batch = values["per_device_train_batch_size"] * values["gradient_accumulation_steps"]
    per_epoch = math.ceil(
        math.ceil(rows / values["per_device_train_batch_size"]) / values["gradient_accumulation_steps"]
    )
    steps = values["max_steps"] if values["max_steps"] > 0 else per_epoch * values["num_train_epochs"]
    lines = []
    cap = settings.get("max_steps")
    if cap and int(cap) < steps:
        lines.append(f"CAPPED: {int(cap)} of {steps} steps (max_steps in the emulator's settings)")
        steps = int(cap)
    if settings.get("max_seconds"):
        lines.append(f"at most {settings['max_seconds']} s of fine-tuning (max_seconds in the emulator's settings)")
    every = {"epoch": per_epoch, "steps": values["eval_steps"], "disable": None}[values["evaluation_strategy"]]
    if values["evaluation_strategy"] == "steps" and values["evaluation_steps_interval"] > 0:
        # A share of an epoch; it overrides eval_steps.
        every = max(1, int(per_epoch * values["evaluation_steps_interval"]))
    return Plan(rows, batch, per_epoch, steps, every), lines
