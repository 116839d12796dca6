"""The GPUs: usable memory, 16-bit matrix rate, and the link to the host. Facts from catalog/gpu_cards.json."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from scripts.azure.catalog import read_catalog, record
from scripts.azure.machine_sizes import Size


@dataclass(frozen=True)
class Card:
    """A GPU as a program finds it; the catalog says what each figure is and where it is from."""

    gpu: str
    usable_gib: float
    tflops_16: float
    bf16: bool  # Ampere and later: bfloat16, and with it flash attention 2
    gb_per_s: float
    host_gb_per_s: float
    achievable: float


@functools.cache
def catalog() -> dict[str, Card]:
    """Returns the cards by name."""
    return {row["gpu"]: record(Card, row) for row in read_catalog("gpu_cards.json")["cards"]}


def of_size(size: Size) -> Card | None:
    """Returns the card of a machine size of the catalog or the lock."""
    if size.gpu == "V100" and size.gpu_memory_gb == 32:
        return catalog()["V100 32GB"]
    return catalog().get(size.gpu)
