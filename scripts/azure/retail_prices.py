"""The price an hour of a Linux machine: dated, from catalog/prices.json, or asked for in Azure's public price list.

In the list (https://prices.azure.com/api/retail/prices) one size and region has a dozen meters: Linux and Windows, spot
and low priority, reservations (whose price is for the whole term), dev/test, Cloud Services. Only one is what an Azure
ML node costs; `choose` finds it.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from scripts.azure.catalog import read_catalog, record
from scripts.errors import CouldNotAskError

ENDPOINT = "https://prices.azure.com/api/retail/prices"
API_VERSION = "2023-01-01-preview"
SECONDS = 20
PAGES = 20  # of 100 to 1,000 meters; one size and region fits in one
NOT_LINUX_ON_DEMAND = ("windows", "spot", "low priority", "cloudservices", "cloud services", "dedicated host")


CURRENCY: str = read_catalog("prices.json")["currency"]


@dataclass(frozen=True)
class ListPrice:
    """A Linux machine on demand, by region, and when one of the prices was last found unchanged."""

    size: str
    seen: str
    usd_per_hour: Mapping[str, float]


@functools.cache
def catalog() -> dict[str, ListPrice]:
    """Returns the dated prices by the size's name in lower case."""
    return {row["size"].lower(): record(ListPrice, row) for row in read_catalog("prices.json")["prices"]}


def per_hour(size: str, region: str, today: datetime.date, endpoint: str = ENDPOINT) -> dict[str, Any] | None:
    """Returns {"per_hour", "currency", "region", "meter", "seen"} of a size, None where the list has no such meter.

    Filter values are case-sensitive: `size` as Azure spells it. Raises CouldNotAskError when nobody answers.
    """
    region = region.lower()
    clauses = {
        "serviceName": "Virtual Machines",
        "priceType": "Consumption",
        "armRegionName": region,
        "armSkuName": size,
    }
    query = " and ".join(f"{name} eq '{value}'" for name, value in clauses.items())
    found = choose(_items(endpoint, query), today)
    if found is None:
        return None
    return {
        "per_hour": float(found["retailPrice"]),
        "currency": found["currencyCode"],
        "region": region,
        "meter": f"{found['productName']}, {found['meterName']}",
        "seen": today.isoformat(),
    }


def choose(items: Iterable[dict[str, Any]], today: datetime.date) -> dict[str, Any] | None:
    """Returns the meter of a Linux machine on demand that holds today; the dearest where several do."""
    left = [item for item in items if _on_demand(item) and _holds(item, today)]
    primary = [item for item in left if item.get("isPrimaryMeterRegion", True)]
    return max(primary or left, key=lambda item: (item["retailPrice"], item["meterId"]), default=None)


def _on_demand(item: dict[str, Any]) -> bool:
    words = " ".join(str(item.get(key, "")) for key in ("productName", "skuName", "meterName")).lower()
    return (
        item.get("type") == "Consumption"
        and item.get("unitOfMeasure") == "1 Hour"
        and not item.get("reservationTerm")
        and not item.get("tierMinimumUnits")
        and item.get("retailPrice", 0) > 0
        and not any(word in words for word in NOT_LINUX_ON_DEMAND)
    )


def _holds(item: dict[str, Any], today: datetime.date) -> bool:
    start, end = item.get("effectiveStartDate"), item.get("effectiveEndDate")
    day = today.isoformat()
    return not (start and str(start)[:10] > day) and not (end and str(end)[:10] <= day)


def _items(endpoint: str, query: str) -> Iterable[dict[str, Any]]:
    """Yields the meters page by page; the next page's address is only followed on the same host."""
    import requests

    url: str | None = endpoint
    parameters: dict[str, str] | None = {"api-version": API_VERSION, "currencyCode": "'USD'", "$filter": query}
    for _ in range(PAGES):
        if not url:
            return
        try:
            answer = requests.get(url, params=parameters, timeout=SECONDS, allow_redirects=False)
            answer.raise_for_status()
            page = answer.json()
            items = page["Items"]
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise CouldNotAskError(f"{urlsplit(endpoint).hostname}: {_reason(error)}") from error
        yield from items
        url, parameters = page.get("NextPageLink"), None
        if url and urlsplit(url).hostname != urlsplit(endpoint).hostname:
            raise CouldNotAskError(f"{urlsplit(endpoint).hostname}: its next page is on another host, {url[:80]}")


def _reason(error: Exception) -> str:
    import requests

    response = getattr(error, "response", None)
    if response is not None:
        return f"answered {response.status_code}"
    reasons = {
        requests.exceptions.ProxyError: "not reachable through the proxy",
        requests.exceptions.SSLError: "its certificate is not trusted",
        requests.Timeout: "no answer",
        requests.ConnectionError: "not reachable",
    }
    return next((why for kind, why in reasons.items() if isinstance(error, kind)), "the answer is not a price list")
