"""The price list's client, against a server that answers as https://prices.azure.com does."""

from __future__ import annotations

import datetime
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from scripts.azure import retail_prices as retail
from scripts.errors import CouldNotAskError

TODAY = datetime.date(2026, 11, 23)
SIZE = "Standard_NC24ads_A100_v4"


def item(price: float, **more: Any) -> dict[str, Any]:
    """One meter in the shape of the API's answers."""
    return {
        "currencyCode": "USD", "tierMinimumUnits": 0.0, "retailPrice": price, "unitPrice": price,
        "armRegionName": "eastus", "location": "US East", "effectiveStartDate": "2022-06-01T00:00:00Z",
        "meterId": "00000000-0000-0000-0000-000000000001", "meterName": "NC24ads A100 v4", "productId": "DZH318Z0B",
        "skuId": "DZH318Z0B/0001", "productName": "NCads A100 v4 Series Linux", "skuName": "NC24ads A100 v4",
        "serviceName": "Virtual Machines", "serviceId": "DZH313Z7MMC8", "serviceFamily": "Compute",
        "unitOfMeasure": "1 Hour", "type": "Consumption", "isPrimaryMeterRegion": True, "armSkuName": SIZE, **more,
    }  # fmt: skip


LINUX = item(3.673)
TRAPS = [
    item(4.777, productName="NCads A100 v4 Series Windows", meterId="2"),
    item(0.9, meterName="NC24ads A100 v4 Spot", skuName="NC24ads A100 v4 Spot", meterId="3"),
    item(0.73, meterName="NC24ads A100 v4 Low Priority", skuName="NC24ads A100 v4 Low Priority", meterId="4"),
    item(20000.0, type="Reservation", reservationTerm="1 Year", meterId="5"),
    item(2.0, type="DevTestConsumption", meterId="6"),
    item(9.0, productName="NCads A100 v4 Series CloudServices", meterId="7"),
    item(0.0, meterId="8"),
    item(9.9, effectiveStartDate="2027-01-01T00:00:00Z", meterId="9"),
    item(9.8, effectiveEndDate="2025-01-01T00:00:00Z", meterId="10"),
    item(9.7, isPrimaryMeterRegion=False, meterId="11"),
    item(9.6, unitOfMeasure="1 Month", meterId="12"),
]


class Prices:
    """A price list on 127.0.0.1: pages of items, or whatever else `answer` says."""

    def __init__(self, pages: list[list[dict[str, Any]]]) -> None:
        self.pages, self.asked = pages, []
        self.status, self.body = 200, None
        self.next_host: str | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                outer.asked.append(query)
                at = int(query.get("$skip", ["0"])[0])
                more = at + 1 < len(outer.pages)
                following = f"{outer.next_host or outer.url}?$skip={at + 1}" if more else None
                page = {"BillingCurrency": "USD", "CustomerEntityId": "Default", "CustomerEntityType": "Retail",
                        "Items": outer.pages[at], "NextPageLink": following, "Count": len(outer.pages[at])}  # fmt: skip
                body = outer.body if outer.body is not None else json.dumps(page).encode()
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/retail/prices"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def prices() -> Iterator[Prices]:
    made = Prices([[LINUX, *TRAPS]])
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_only_the_linux_meter_on_demand_counts(prices: Prices) -> None:
    found = retail.per_hour(SIZE, "EastUS", TODAY, prices.url)
    assert found == {
        "per_hour": 3.673, "currency": "USD", "region": "eastus", "seen": "2026-11-23",
        "meter": "NCads A100 v4 Series Linux, NC24ads A100 v4",
    }  # fmt: skip
    asked = prices.asked[0]
    assert asked["currencyCode"] == ["'USD'"]
    assert f"armSkuName eq '{SIZE}'" in asked["$filter"][0]
    assert "armRegionName eq 'eastus'" in asked["$filter"][0]  # the filter's values are case-sensitive


@pytest.mark.parametrize("trap", range(len(TRAPS)))
def test_no_trap_is_taken_for_a_price(prices: Prices, trap: int) -> None:
    prices.pages = [[TRAPS[trap]]]
    found = retail.per_hour(SIZE, "eastus", TODAY, prices.url)
    if TRAPS[trap].get("isPrimaryMeterRegion"):
        assert found is None
    else:
        assert found is not None  # a secondary meter is better than none


def test_pages_are_followed_on_the_same_host_only(prices: Prices) -> None:
    prices.pages = [[TRAPS[0]], TRAPS[1:3], [LINUX]]
    found = retail.per_hour(SIZE, "eastus", TODAY, prices.url)
    assert found is not None
    assert found["per_hour"] == 3.673
    assert len(prices.asked) == 3
    prices.next_host = "http://localhost:1/api"
    with pytest.raises(CouldNotAskError, match="another host"):
        retail.per_hour(SIZE, "eastus", TODAY, prices.url)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (429, b"", "answered 429"),
        (200, b"<html>", "not a price list"),
        (200, b"[]", "not a price list"),
        (302, b"", "not a price list"),
    ],
)
def test_what_is_not_an_answer_is_a_reason(prices: Prices, status: int, body: bytes, reason: str) -> None:
    prices.status, prices.body = status, body
    with pytest.raises(CouldNotAskError, match=reason):
        retail.per_hour(SIZE, "eastus", TODAY, prices.url)


def test_nobody_there_is_a_reason() -> None:
    with pytest.raises(CouldNotAskError, match="not reachable"):
        retail.per_hour(SIZE, "eastus", TODAY, "http://127.0.0.1:9/")


def test_a_price_holds_from_its_first_day_to_the_day_before_its_last() -> None:
    first = item(1.0, effectiveStartDate=f"{TODAY}T00:00:00Z")
    over = item(2.0, effectiveEndDate=f"{TODAY}T00:00:00Z")
    assert retail.choose([first, over], TODAY) == first
