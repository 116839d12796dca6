"""What a machine costs an hour: from the values, else the lock, else the dated catalog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scripts.azure import lock_file, machine_sizes, retail_prices
from scripts.azure.machine_sizes import Size
from scripts.files import ROOT
from scripts.values.read import Values


@dataclass(frozen=True)
class Price:
    """Price of one machine for an hour, without tax and discounts, and where it was read, with its date."""

    per_hour: float
    currency: str
    source: str
    seen: str = ""  # the day or month on which it was read, an empty text for a price in the values

    def __str__(self) -> str:
        return f"{self.per_hour:.2f} {self.currency} an hour ({self.source})"


def of(size: Size, region: str, given: float | None = None) -> Price | None:
    """Returns the price of a size in a region, None where nobody knows it; `given` is the price in the values."""
    if given is not None:
        return Price(float(given), "USD", "values")
    pinned = size.price
    if pinned and (pinned.region or region).lower() == region.lower():
        return Price(float(pinned.per_hour), pinned.currency, f"lock, {pinned.seen}", pinned.seen)
    listed = retail_prices.catalog().get(size.name.lower())
    if listed is None:
        return None
    prices = {name.lower(): value for name, value in listed.usd_per_hour.items()}
    if region.lower() in prices:
        return Price(prices[region.lower()], retail_prices.CURRENCY, f"catalog, {region}, {listed.seen}", listed.seen)
    dearest = max(prices, key=lambda name: prices[name])  # of the regions known
    source = f"catalog, {dearest} for want of {region}, {listed.seen}"
    return Price(prices[dearest], retail_prices.CURRENCY, source, listed.seen)


def of_what_runs(values: Values, section: str, name: str, root: Path = ROOT) -> Price | None:
    """Returns the price of a size that runs, which may be another one than the values have.

    `section` of the values (compute, deployment) is what it runs for.
    """
    lock, small, own = lock_file.read(values.environment, root), name.lower(), values.data[section]
    size = (lock.sizes.get(small) if lock else None) or machine_sizes.catalog().get(small) or Size(name, 0, 0, 0)
    chosen = str(own.get("size") or own.get("instance_type")).lower() == small
    given = own.get("price_per_hour") if chosen else None
    return of(size, values.data["azure"]["region"], given if isinstance(given, int | float) else None)
