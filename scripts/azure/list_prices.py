"""Dated list prices an hour, by size and region. Facts from catalog/prices.json; `make lock` reads today's."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.azure.catalog import read_catalog, record

CURRENCY: str = read_catalog("prices.json")["currency"]


@dataclass(frozen=True)
class ListPrice:
    """A Linux machine on demand, by region, and when one of the prices was last found unchanged."""

    size: str
    seen: str
    usd_per_hour: Mapping[str, float]


@functools.cache
def catalog() -> dict[str, ListPrice]:
    """Returns the prices by the size's name in lower case."""
    return {row["size"].lower(): record(ListPrice, row) for row in read_catalog("prices.json")["prices"]}
