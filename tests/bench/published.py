"""The published measurements that the estimates are checked against, row by row (published_measurements.json)."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from scripts.azure import machine_sizes
from scripts.azure import model_shapes as shapes
from scripts.estimate import time
from scripts.estimate.memory import Step

MEASUREMENTS = Path(__file__).with_name("published_measurements.json")

# What an absent key of a row means.
DEFAULTS: dict[str, Any] = {"attention": "fused", "gpus": 1, "measure": "device", "loss": "upcast", "weights": "16"}
PASSED_ON = ("batch", "sequence", "gpus", "lora_rank", "lora_dropout", "weights", "rest_32", "untied", "adapter_bits",
             "checkpointing", "offload_activations", "attention", "loss", "compiled", "sharding", "offload_optimizer",
             "optimizer_in_backward", "measure", "turing")  # fmt: skip


ROW_CARDS = {"T4": "T4", "A100-80": "A100 80GB SXM", "A100-40": "A100 40GB SXM", "H100": "H100 80GB SXM",
             "H100 (FP8)": "H100 80GB SXM", "L40S": "L40S", "4090": "RTX 4090"}  # fmt: skip
PLAIN_SOURCES = ("qwen", "fsdp-qlora", "fitcheck", "peft-metamath")
MPT = {"MPT-1b": (24, 2048), "MPT-3b": (32, 2560), "MPT-7b": (32, 4096), "MPT-13b": (40, 5120)}


def rows(kind: str) -> list[dict[str, Any]]:
    """Returns the rows of `memory` or `throughput`, each with what its source has in common and with the defaults."""
    return [
        {**DEFAULTS, **group["common"], **row, "source": group["source"]}
        for group in _measurements()[kind]
        for row in group["rows"]
    ]


def targets(words: str) -> tuple[str, ...]:
    """Returns the module names of a row's `lora_targets`, in which `all` stands for all linear modules."""
    names: list[str] = []
    for word in words.split(","):
        names += shapes.ALL_LINEAR if word == "all" else [word]
    return tuple(names)


def step(row: dict[str, Any]) -> Step:
    """Returns what a memory row measured, as the estimator takes it."""
    shape = shapes.find(row["model"])
    assert shape, row["model"]
    given = {key: row[key] for key in PASSED_ON if key in row}
    if "lora_targets" in row:
        given["lora_targets"] = targets(row["lora_targets"])
    return Step(shape=shape, **given)


def measured(row: dict[str, Any]) -> float:
    """Returns the published tokens per second and GPU."""
    return float(row["tokens_per_s"])


def rate_of(row: dict[str, Any]) -> float | None:
    """Returns the estimated tokens per second and GPU for a published row, None if it does not say enough."""
    sequence, card = row.get("sequence"), machine_sizes.cards().get(ROW_CARDS.get(row["gpu"], ""))
    shape = _shape(row)
    told = isinstance(sequence, int) and row.get("batch") and row.get("checkpointing") is not None
    if not (told and card and shape and "tokens_per_s" in row):
        return None
    lora = row["method"] != "full"
    step = Step(
        shape,
        row["batch"],
        sequence,
        row["gpus"],
        lora_rank=64 if lora else 0,
        weights="nf4" if row["method"] == "qlora" else "16",
        checkpointing=row["checkpointing"],
        attention=row["attention"],
        sharding="zero3" if row["source"] == "qwen" and not lora else "none",
    )
    tokens = row["batch"] * sequence
    rate = tokens / time.micro_batch_seconds(step, card, tokens, row["source"] not in PLAIN_SOURCES)
    return rate * 2 if "FP8" in row["gpu"] else rate  # twice the matrix rate


def _shape(row: dict[str, Any]) -> shapes.Shape | None:
    if row["model"] in MPT:  # its shape counts only by its width and its number of parameters
        layers, hidden = MPT[row["model"]]
        width = row["flops_parameters"] // (layers * 12 * hidden)
        return shapes.Shape(
            row["model"], layers, hidden, hidden // 128, hidden // 128, 128, 8 * width // 3, 50368, True, 2048
        )
    return shapes.find(row["model"])


@functools.cache
def _measurements() -> dict[str, Any]:
    return json.loads(MEASUREMENTS.read_text(encoding="utf-8"))
