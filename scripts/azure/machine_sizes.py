"""Machine sizes and their GPUs: cores, memory, rates, retirement, quota family.

Facts from catalog/sizes.json, or from a lock, and from catalog/gpu_cards.json.
"""

from __future__ import annotations

import datetime
import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.azure.catalog import read_catalog, record

AVAILABLE = "available"
RESERVE = 1.2  # an endpoint's machines count so many times in the quota, for upgrades, but of sizes that are exempt
# The names of a region's pools of cores: low priority nodes of all families draw on one, dedicated ones add up to one.
POOLS: dict[str, list[str]] = read_catalog("sizes.json")["pools"]


@dataclass(frozen=True)
class Card:
    """A GPU as a program finds it; the catalog says what each figure is and where it is from."""

    gpu: str
    usable_gib: float
    tflops_16: float
    bf16: bool  # Ampere and later: bfloat16, and with it flash attention 2
    host_gb_per_s: float
    achievable: float


@functools.cache
def cards() -> dict[str, Card]:
    """Returns the cards by name."""
    return {row["gpu"]: record(Card, row) for row in read_catalog("gpu_cards.json")["cards"]}


@dataclass(frozen=True)
class PinnedPrice:
    """What `make lock` read in Azure's price list: one machine for an hour."""

    per_hour: float
    currency: str
    seen: str
    region: str | None = None
    meter: str | None = None


@dataclass(frozen=True)
class Size:
    """A machine size; the catalog says what each figure is and where it is from, a lock adds `price` and `seen`."""

    name: str
    gpus_per_node: int
    vcpus: int
    memory_gb: float
    gpu: str = ""
    gpu_memory_gb: float = 0
    disk_gib: float | None = None
    status: str = AVAILABLE
    online_endpoint: bool = True
    endpoint_quota_reserve_20pct: bool | None = True
    family: str = ""
    retirement_date: str | None = None
    low_priority: bool | None = None
    compute_types: tuple[str, ...] | None = None  # what the region lets it be: AmlCompute trains, MIR serves
    seen: str | None = None
    price: PinnedPrice | None = None

    @property
    def retires(self) -> datetime.date | None:
        """The day on which it was or will be retired."""
        return datetime.date.fromisoformat(str(self.retirement_date)[:10]) if self.retirement_date else None

    def is_retired(self, today: datetime.date) -> bool:
        """Tells whether it is retired on a day."""
        return self.retires is not None and self.retires <= today

    @property
    def card(self) -> Card | None:
        """Its GPU, None where nothing is known about it."""
        return cards().get("V100 32GB" if self.gpu == "V100" and self.gpu_memory_gb == 32 else self.gpu)

    @property
    def denied(self) -> bool:
        """Whether the reference notebook denies it: no current CUDA runs on K80 cards."""
        return self.gpu == "K80"

    def below(self, spec: str | None) -> list[str]:
        """Returns what of it is below `vCPUs|GPUs|memory GB|disk GB`, in words."""
        if not spec:
            return []
        have = (self.vcpus, self.gpus_per_node, self.memory_gb, self.disk_gib)
        words = ("vCPUs", "GPUs", "GB of memory", "GiB of disk")
        wanted = [int(part) for part in spec.split("|")]
        return [
            f"{had:g} {word} of {least}"
            for had, word, least in zip(have, words, wanted, strict=True)
            if had is not None and had < least
        ]

    def serving_machines(self, instances: int) -> int:
        """Returns how many machines a deployment counts as in the quota, with Azure's reserve for upgrades."""
        return math.ceil(round(RESERVE * instances, 6)) if self.endpoint_quota_reserve_20pct else instances

    def serving_cores(self, instances: int) -> int:
        """Returns the cores that a deployment needs."""
        return self.serving_machines(instances) * self.vcpus


def read(row: Mapping[str, Any]) -> Size:
    """Returns a row of the catalog, of a lock or of the live region as a size."""
    price = row.get("price")
    return record(Size, {**row, "price": record(PinnedPrice, price) if isinstance(price, Mapping) else price})


@functools.cache
def catalog() -> dict[str, Size]:
    """Returns the sizes of the catalog by their name in lower case: Azure compares them without regard to case."""
    return {row["name"].lower(): read(row) for row in read_catalog("sizes.json")["sizes"]}


@functools.cache
def _series() -> list[tuple[re.Pattern[str], str, datetime.date]]:
    rows = read_catalog("sizes.json")["series"]
    return [
        (re.compile(row["pattern"]), row["series"], datetime.date.fromisoformat(row["retirement_date"])) for row in rows
    ]


def retirement(name: str) -> tuple[str, datetime.date] | None:
    """Returns series and day of a size that was or will be retired, of those that the catalog has no row for too."""
    found = (each for each in _series() if each[0].fullmatch(name.lower()))
    return next(((series, day) for _, series, day in found), None)


def family_key(name: str) -> str:
    """Returns what the names of a quota family have in common: `Standard NCADSA100v4 Family Cluster Dedicated vCPUs` is
    `standardNCADSA100v4Family` is `ncadsa100v4`.
    """
    text = re.sub(r"[^a-z0-9]", "", name.lower())
    text = re.sub(r"(clusterdedicated)?vcpus$", "", text)
    return re.sub(r"^standard|family$", "", text)


def is_pool(name: str, pool: str) -> bool:
    """Tells whether a quota of this name is the region's pool `low priority` or `dedicated`."""
    return family_key(name) in map(family_key, POOLS[pool])
