"""The steps of a run: how many, under which cap, when it evaluates; each one's conversations and learning rate."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.conversation.tokens import Encoded
from scripts.local.engine.job_folder import Settings

POLYNOMIAL_END = 1e-7  # transformers' lr_end; the power is 1


@dataclass(frozen=True)
class Plan:
    """The steps of a run; `capped` says in words which cap made them fewer than `planned`, the job's own."""

    batch: int
    steps_per_epoch: int
    planned: int
    total: int
    evaluate_every: int | None  # steps; None: never
    capped: str = ""

    def evaluate_after(self, step: int) -> bool:
        """Whether step `step` (from 1) is followed by an evaluation; the last one always is."""
        return self.evaluate_every is not None and (step % self.evaluate_every == 0 or step >= self.total)


def make(values: dict[str, Any], lengths: Sequence[int], settings: Settings, unreached: int = 0) -> Plan:
    """Returns the plan for conversations of these lengths in tokens, under the caps of the emulator's settings.

    `unreached` are rows that a cap has left out already: the job would train on them, too.
    A cap counts steps or tokens, never seconds, so that a run is the same one on every machine.
    """
    batch = values["per_device_train_batch_size"] * values["gradient_accumulation_steps"]
    per_epoch, whole = (
        math.ceil(math.ceil(rows / values["per_device_train_batch_size"]) / values["gradient_accumulation_steps"])
        for rows in (len(lengths), len(lengths) + unreached)
    )
    planned = values["max_steps"] if values["max_steps"] > 0 else whole * values["num_train_epochs"]
    caps = {}
    if settings.max_steps:
        caps["max_steps"] = settings.max_steps
    if settings.max_tokens:
        caps["max_tokens"] = max(1, int(settings.max_tokens * per_epoch / sum(lengths)))
    name = min(caps, key=lambda cap: caps[cap], default="")
    total, capped = planned, ""
    if name and caps[name] < planned:
        total, capped = caps[name], f"{caps[name]} of {planned} steps (training.{name} in the emulator's settings)"
    every = {"epoch": per_epoch, "steps": values["eval_steps"], "disable": None}[values["evaluation_strategy"]]
    if values["evaluation_strategy"] == "steps" and values["evaluation_steps_interval"] > 0:
        # A share of an epoch; it overrides eval_steps.
        every = max(1, int(per_epoch * values["evaluation_steps_interval"]))
    return Plan(batch, per_epoch, planned, total, every, capped)


def learning_rate(scheduler: str, step: int, warmup: int, total: int, rate: float) -> float:
    """Returns what the learning rate `rate` is multiplied by in step `step` (from 0) of `total`.

    The component's six schedulers as transformers.get_scheduler computes them, as a function of (step, total).
    """
    if scheduler == "constant":
        return 1.0
    if step < warmup:
        return step / max(1, warmup)
    if scheduler == "constant_with_warmup":
        return 1.0
    progress = (step - warmup) / max(1, total - warmup)
    if scheduler == "linear":
        return max(0.0, 1.0 - progress)
    if scheduler == "cosine":
        return max(0.0, 0.5 * (1.0 + math.cos(math.pi * progress)))
    if scheduler == "cosine_with_restarts":  # one cycle, transformers' default
        return 0.0 if progress >= 1.0 else max(0.0, 0.5 * (1.0 + math.cos(math.pi * (progress % 1.0))))
    if scheduler == "polynomial":
        end = POLYNOMIAL_END / rate
        return end if progress > 1.0 else (1.0 - end) * (1.0 - progress) + end
    raise ValueError(scheduler)


def batches(rows: Sequence[Encoded], size: int, seed: int, epoch: int) -> Iterator[list[Encoded]]:
    """Yields an epoch's rows, `size` at a time (the last may be fewer), in an order that seed and epoch decide."""
    order = list(range(len(rows)))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    for start in range(0, len(order), size):
        yield [rows[at] for at in order[start : start + size]]


def passes(rows: Sequence[Encoded], most_tokens: int) -> list[list[Encoded]]:
    """Cuts a batch into groups of at most `most_tokens` tokens (a longer row stands alone): same gradient, less memory.

    Longest first into the first group with room, so that the groups come out few and full.
    """
    groups: list[list[Encoded]] = []
    room: list[int] = []
    for row in sorted(rows, key=lambda row: -len(row.ids)):
        at = next((at for at, left in enumerate(room) if len(row.ids) <= left), None)
        if at is None:
            groups.append([row])
            room.append(most_tokens - len(row.ids))
        else:
            groups[at].append(row)
            room[at] -= len(row.ids)
    return groups
