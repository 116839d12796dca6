"""Machine sizes: retirement, minimum, the reserve of endpoints, quota families; and what a lock adds."""

from __future__ import annotations

import datetime
import re

import pytest

from scripts.azure import machine_sizes
from scripts.azure.catalog import plain
from scripts.azure.machine_sizes import PinnedPrice, Size, family_key, is_pool

A100 = machine_sizes.catalog()["standard_nc24ads_a100_v4"]


def test_the_catalog_is_by_lower_case_name_and_complete() -> None:
    for name, size in machine_sizes.catalog().items():
        assert name == size.name.lower()
        assert size.vcpus > 0
        assert size.memory_gb > 0
        assert size.disk_gib
        assert size.family, name
        assert bool(size.gpus_per_node) == bool(size.gpu) == bool(size.gpu_memory_gb)
        assert (size.status == machine_sizes.AVAILABLE) == (size.retires is None)
    assert sum(not size.gpus_per_node for size in machine_sizes.catalog().values()) == 10


@pytest.mark.parametrize(("day", "retired"), [("2025-09-29", False), ("2025-09-30", True), ("2025-10-01", True)])
def test_a_size_is_retired_from_its_day_on(day: str, retired: bool) -> None:
    v100 = machine_sizes.catalog()["standard_nc6s_v3"]
    assert v100.is_retired(datetime.date.fromisoformat(day)) is retired
    assert v100.retires == datetime.date(2025, 9, 30)
    assert A100.is_retired(datetime.date(2099, 1, 1)) is False
    assert A100.retires is None


@pytest.mark.parametrize(
    ("spec", "short"),
    [
        (None, []), ("", []), ("24|1|220|64", []), ("25|1|220|64", ["24 vCPUs of 25"]),
        ("24|2|220|64", ["1 GPUs of 2"]),
        ("24|1|221|64", ["220 GB of memory of 221"]), ("24|1|220|65", ["64 GiB of disk of 65"]),
        ("40|2|440|128", ["24 vCPUs of 40", "1 GPUs of 2", "220 GB of memory of 440", "64 GiB of disk of 128"]),
    ],
)  # fmt: skip
def test_what_is_below_a_minimum(spec: str | None, short: list[str]) -> None:
    assert A100.below(spec) == short
    assert Size("x", 1, 24, 220).below("24|1|220|999") == []  # its disk is not known


@pytest.mark.parametrize(
    ("reserve", "instances", "machines"),
    [(True, 1, 2), (True, 2, 3), (True, 4, 5), (True, 5, 6), (True, 6, 8), (True, 10, 12), (True, 50, 60),
     (False, 1, 1), (False, 7, 7), (None, 3, 3)],
)  # fmt: skip
def test_a_fifth_is_reserved_but_for_exempt_sizes(reserve: bool | None, instances: int, machines: int) -> None:
    size = Size("x", 1, 6, 112, endpoint_quota_reserve_20pct=reserve)
    assert size.serving_machines(instances) == machines
    assert size.serving_cores(instances) == machines * 6


def test_only_k80_cards_are_denied() -> None:
    denied = {size.name for size in machine_sizes.catalog().values() if size.denied}
    assert denied == {"Standard_NC6", "Standard_NC12", "Standard_NC24", "Standard_NC24r"}


@pytest.mark.parametrize(
    "name",
    ["Standard NCADSA100v4 Family Cluster Dedicated vCPUs", "StandardNCADSA100v4Family", "standardNCADSA100v4Family",
     "Standard NCADSA100v4 Family vCPUs"],
)  # fmt: skip
def test_family_names_are_one(name: str) -> None:
    assert family_key(name) == "ncadsa100v4"


def test_families_are_of_series_not_guessed_from_names() -> None:
    """Sizes of one series share a family, and no two series do; a T4's family is not spelled as its sizes are."""
    by_family: dict[str, set[str]] = {}
    for size in machine_sizes.catalog().values():
        series = re.sub(r"\d+", "", size.name.removeprefix("Standard_").partition("_")[0])
        by_family.setdefault(family_key(size.family), set()).add(series.lower())
    assert by_family["ncasv3t4"] == {"ncas"}
    assert by_family["ncadsa100v4"] == {"ncads"}
    assert by_family["ndsh100v5"] != by_family["ncadsh100v5"]
    assert by_family["dsv2"] == {"ds"}
    assert by_family["dv2"] == {"d"}
    assert len(by_family) == 17


def test_pools_go_by_their_older_and_newer_names() -> None:
    assert is_pool("Total Cluster LowPriority Regional vCPUs", "low priority")
    assert is_pool("TotalLowPriorityCores", "low priority")
    assert is_pool("totaldedicatedcores", "dedicated")
    assert not is_pool("TotalDedicatedCores", "low priority")
    assert not is_pool("standardNCSv3Family", "dedicated")


def test_a_lock_is_read_and_written_in_the_catalogs_shape() -> None:
    price = {"per_hour": 3.5, "currency": "USD", "region": "eastus", "meter": "NC24ads", "seen": "2026-11-20"}
    row = {**plain(A100), "price": price, "seen": "2026-11-20", "a_newer_key": 1}
    size = machine_sizes.read(row)
    assert size.price == PinnedPrice(3.5, "USD", "2026-11-20", "eastus", "NC24ads")
    assert plain(size) == {key: value for key, value in row.items() if key != "a_newer_key"}
    assert machine_sizes.read({"name": "x", "gpus_per_node": 1, "vcpus": 2, "memory_gb": 3}).price is None
    assert "retirement_date" not in plain(A100)


def test_cards_of_sizes() -> None:
    assert A100.card == machine_sizes.cards()["A100 80GB PCIe"]
    assert machine_sizes.catalog()["standard_nd40rs_v2"].card == machine_sizes.cards()["V100 32GB"]
    assert machine_sizes.catalog()["standard_nc6s_v3"].card == machine_sizes.cards()["V100"]
    assert machine_sizes.catalog()["standard_ds2_v2"].card is None


def test_what_is_not_said_of_a_size_is_the_usual() -> None:
    size = Size("x", 1, 2, 3)
    assert (size.online_endpoint, size.endpoint_quota_reserve_20pct, size.status) == (True, True, "available")
    assert (size.gpu, size.gpu_memory_gb, size.family, size.price, size.low_priority) == ("", 0, "", None, None)
