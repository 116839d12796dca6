"""What a machine costs an hour: from the values, else the lock, else the dated catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scripts.azure.catalog import read_catalog


@dataclass(frozen=True)
class Price:
    """Price of one machine for an hour, without tax and discounts, and where it was read, with its date."""

    per_hour: float
    currency: str
    source: str

    def __str__(self) -> str:
        return f"{self.per_hour:.2f} {self.currency} an hour ({self.source})"


def of(size: str, region: str, given: float | None = None, lock: dict[str, Any] | None = None) -> Price | None:
    """Returns the price of a size in a region, None where nobody knows it.

    `given` is the price in the values; `lock` the entry of this size in the lock, in which `price` is what `make lock`
    read: {"per_hour", "currency", "region", "seen"}.
    """
    if given is not None:
        return Price(float(given), "USD", "values")
    pinned = (lock or {}).get("price")
    if pinned and pinned.get("region", region).lower() == region.lower():
        return Price(float(pinned["per_hour"]), pinned["currency"], f"lock, {pinned['seen']}")
    for row in read_catalog("prices.json")["prices"]:
        if row["size"].lower() == size.lower():
            prices = {name.lower(): value for name, value in row["usd_per_hour"].items()}
            if region.lower() in prices:
                return Price(
                    prices[region.lower()], read_catalog("prices.json")["currency"], f"catalog, {region}, {row['seen']}"
                )
            name, value = max(prices.items(), key=lambda item: item[1])  # elsewhere: the dearest region known
            return Price(
                value, read_catalog("prices.json")["currency"], f"catalog, {name} for want of {region}, {row['seen']}"
            )
    return None
