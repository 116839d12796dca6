"""Limits: what numbers Azure and the component allow, and the schema of the values that repeats it."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest

from scripts.azure import component
from scripts.azure.limits import Limit, component_limits, limit, limits, traffic_adds_up
from scripts.files import ROOT
from scripts.values.parameters import NOT_PARAMETERS

SCHEMA = json.loads((ROOT / "values.schema.json").read_text())["properties"]


@pytest.mark.parametrize(
    ("made", "inside", "outside", "words"),
    [
        (Limit("x", "s", 1, 50), (1, 50, 2.5), (0.9, 0, 51, -1), "1 to 50"),
        (Limit("x", "s", 1), (1, 10**9), (0, -5), "1 or more"),
        (Limit("x", "s", 0, 0), (0,), (-1, 1), "0 only"),
        (Limit("x", "s", above=0), (1e-9, 5), (0, -1), "more than 0"),
        (Limit("x", "s", 0, below=1), (0, 0.99), (1, -0.1), "0 to below 1"),
    ],
)
def test_a_limit_holds_what_is_inside(
    made: Limit, inside: tuple[float, ...], outside: tuple[float, ...], words: str
) -> None:
    assert all(map(made.holds, inside))
    assert not any(map(made.holds, outside))
    assert not made.holds(math.nan)
    assert made.words == words


def test_azures_own_numbers() -> None:
    """Written down a second time on purpose: a slip in the catalog is seen."""
    bounds = {name: (each.least, each.most) for name, each in limits().items()}
    assert bounds["deployment.instance_count"] == (1, 50)
    assert bounds["deployment.request_timeout_ms"] == (1, 180_000)
    assert bounds["endpoint.mirror_traffic"] == (0, 50)
    assert bounds["endpoint.mirror_traffic.deployments"] == (0, 1)
    assert bounds["liveness_probe.success_threshold"] == (1, 1)
    assert bounds["cluster.min_instances"] == (0, None)
    assert bounds["cluster.max_instances"] == (1, None)
    assert all(each.source for each in (*limits().values(), *component_limits().values()))


@pytest.mark.parametrize(
    ("total", "allowed"), [(0, True), (100, True), (60, False), (99, False), (1, False), (110, False)]
)
def test_traffic_adds_up_to_nothing_or_all(total: int, allowed: bool) -> None:
    assert traffic_adds_up(total) is allowed
    assert "no answer of the service" in limit("endpoint.traffic.whole").unverified


def of_schema(spec: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(spec.get(key) for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"))


@pytest.mark.parametrize("name", sorted(set(component.catalog().inputs) - NOT_PARAMETERS))
def test_the_schema_repeats_the_components_limits(name: str) -> None:
    """No number of a training parameter is bounded in one place only."""
    each, spec = component.catalog().inputs[name], SCHEMA["finetune"]["properties"][name]
    if each.type == "string":
        assert each.limit is None
    else:
        assert each.limit, name
        assert of_schema(spec) == (each.limit.least, each.limit.most, each.limit.above, each.limit.below)


@pytest.mark.parametrize("key", [
    "compute.min_instances", "compute.max_instances", "compute.idle_time_before_scale_down",
    "deployment.instance_count",
    "deployment.request_timeout_ms", "deployment.max_concurrent_requests_per_instance",
])  # fmt: skip
def test_the_schema_repeats_azures_limits(key: str) -> None:
    section, _, name = key.partition(".")
    of = {"compute": f"cluster.{name}", "deployment": key}[section]
    allowed = limit(of)
    assert of_schema(SCHEMA[section]["properties"][name]) == (allowed.least, allowed.most, None, None)


@pytest.mark.parametrize("name", ["initial_delay", "period", "timeout", "failure_threshold"])
@pytest.mark.parametrize("probe", ["liveness_probe", "readiness_probe"])
def test_the_schema_repeats_azures_limits_of_a_probe(probe: str, name: str) -> None:
    """Its upper ends are this project's: Azure names none, and a container that is dead for hours is billed."""
    spec = SCHEMA["deployment"]["properties"][probe]["properties"][name]
    assert spec["minimum"] == limit(f"probe.{name}").least
    assert limit(f"probe.{name}").most is None and spec["maximum"] >= 30


def test_limits_of_inputs_are_of_inputs() -> None:
    assert set(component_limits()) - {"training_rows"} <= set(component.catalog().inputs)
    draw = random.Random(3)
    for each in component.catalog().inputs.values():
        if each.limit:
            for _ in range(20):
                number = draw.choice((-2, -1, 0, 0.5, 1, 2, 10))
                assert bool(each.fault(number)) != each.limit.holds(number)
