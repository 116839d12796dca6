"""What make lock pins of sizes: the region's word over the catalog's, and a price or a note."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from scripts import lock
from scripts.azure import chat_models, component, lock_file, machine_sizes
from scripts.azure import retail_prices as retail
from scripts.azure.machine_sizes import Size
from scripts.values.read import load

TODAY = datetime.date(2026, 11, 23)
A100 = "Standard_NC24ads_A100_v4"
PRICE = {"per_hour": 3.5, "currency": "USD", "region": "eastus", "meter": "a meter", "seen": "2026-11-23"}


def pinned(
    monkeypatch: pytest.MonkeyPatch, *sets: str, price: Any = PRICE, **offered: Size
) -> tuple[lock_file.Lock, list[str]]:
    """Returns the lock of reference on a region that offers the A100 size and others, and the notes."""
    sizes = {A100.lower(): Size(A100, 1, 26, 221, family="newFamily", low_priority=True)}
    model = chat_models.catalog()["Phi-3-mini-4k-instruct"]
    live = SimpleNamespace(
        region="eastus",
        sizes=sizes | {size.name.lower(): size for size in offered.values()},
        model=lambda name, version=None: model,
        component=lambda name: component.catalog(),
    )
    monkeypatch.setattr(retail, "per_hour", lambda *words: price)
    content, notes = lock.pin(load("reference", sets, check=False), live, TODAY)  # type: ignore[arg-type]
    lock_file._verify(content, "reference", {})
    return lock_file.typed(content), notes


def test_the_region_has_the_last_word_on_what_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    made, notes = pinned(monkeypatch)
    size, known = made.sizes[A100.lower()], machine_sizes.catalog()[A100.lower()]
    assert (size.vcpus, size.memory_gb, size.family, size.low_priority) == (26, 221, "newFamily", True)
    assert (size.gpu, size.gpu_memory_gb, size.disk_gib) == (known.gpu, known.gpu_memory_gb, known.disk_gib)
    assert size.endpoint_quota_reserve_20pct is False
    assert size.price
    assert (size.price.per_hour, size.price.meter, size.seen) == (3.5, "a meter", "2026-11-23")
    assert (notes, list(made.sizes)) == ([], [A100.lower()])  # both roles have this one size
    assert made.model
    assert (made.model.seen, made.model.archived, made.seen) == ("2026-11-23", True, TODAY)


def test_a_size_that_the_catalog_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Size("Standard_New_v9", 4, 96, 900, family="standardNewFamily")
    made, notes = pinned(monkeypatch, "compute.size=standard_new_V9", price=None, new=new)
    size = made.sizes["standard_new_v9"]
    assert (size.name, size.gpus_per_node, size.gpu, size.price) == (
        "Standard_New_v9",
        4,
        "GPU of a kind not in the catalog",
        None,
    )
    assert notes[0] == "Standard_New_v9: Azure's price list has no price of it in eastus"


def test_a_size_that_the_region_does_not_offer_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    made, notes = pinned(monkeypatch, "compute.size=Standard_NC24ad_A100_v4")
    assert list(made.sizes) == [A100.lower()]
    assert len(notes) == 1
    assert "compute.size: eastus does not offer Standard_NC24ad_A100_v4" in notes[0]
    assert f"(did you mean '{A100}'?); not pinned" in notes[0]
