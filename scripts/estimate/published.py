"""The published measurements that the estimates are checked against, row by row (catalog/published_measurements.json)."""

from __future__ import annotations

from typing import Any

from scripts.azure import model_shapes as shapes
from scripts.azure.catalog import read_catalog
from scripts.estimate.memory import Step

# What an absent key of a row means.
DEFAULTS: dict[str, Any] = {"attention": "fused", "gpus": 1, "measure": "device", "loss": "upcast", "weights": "16"}
PASSED_ON = ("batch", "sequence", "gpus", "lora_rank", "lora_dropout", "weights", "rest_32", "untied", "adapter_bits",
             "checkpointing", "offload_activations", "attention", "loss", "compiled", "sharding", "offload_optimizer",
             "optimizer_in_backward", "measure", "turing")  # fmt: skip


def rows(kind: str) -> list[dict[str, Any]]:
    """Returns the rows of `memory` or `throughput`, each with what its source has in common and with the defaults."""
    return [
        {**DEFAULTS, **group["common"], **row, "source": group["source"]}
        for group in read_catalog("published_measurements.json")[kind]
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
