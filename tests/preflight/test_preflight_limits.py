"""The limits of the house: beyond one the run does not start, and what nobody can tell is no pass."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from scripts.azure.machine_sizes import PinnedPrice
from scripts.preflight.finding import FAIL, PASS, SKIPPED, WARN
from tests.preflight.conftest import SCALES, finding, made

COST, HOURS, DAY = "limit-job-cost", "limit-job-hours", "limit-endpoint-cost"
CASES = [  # check, status, what is said, --set
    (COST, SKIPPED, "sets no such limit", []),
    (COST, PASS, "allowed are 100000 USD", ["limits.max_job_cost=100000"]),
    (COST, FAIL, "allowed are 0.01 USD (limits.max_job_cost, set by --set)", ["limits.max_job_cost=0.01"]),
    (COST, WARN, "the shape of else or its GPU is not known",
     ["limits.max_job_cost=9", "model.huggingface_id=someone/else", "model.name=else"]),
    (HOURS, SKIPPED, "", []),
    (HOURS, PASS, "allowed are 1000 h", ["limits.max_job_hours=1000"]),
    (HOURS, FAIL, "allowed are 0.01 h (limits.max_job_hours, set by --set)", ["limits.max_job_hours=0.01"]),
    (HOURS, WARN, "nobody knows whether the job keeps to limits.max_job_hours",
     ["limits.max_job_hours=9", "model.huggingface_id=someone/else", "model.name=else"]),
    (DAY, PASS, "allowed are 9000", ["limits.max_endpoint_cost_a_day=9000"]),
    (DAY, PASS, "48.00 USD a day", ["limits.max_endpoint_cost_a_day=48", "deployment.price_per_hour=2"]),
    (DAY, PASS, "12.62 USD a day", ["limits.max_endpoint_cost_a_day=12.62", "deployment.price_per_hour=0.526"]),
    (DAY, FAIL, "allowed are 47.99", ["limits.max_endpoint_cost_a_day=47.99", "deployment.price_per_hour=2"]),
    (DAY, FAIL, "2 x Standard", ["limits.max_endpoint_cost_a_day=90", "deployment.price_per_hour=2",
                                 "deployment.instance_count=2"]),
    (DAY, FAIL, "3 x Standard", ["limits.max_endpoint_cost_a_day=143", "deployment.price_per_hour=2", SCALES]),
    (DAY, WARN, "nobody knows whether the price keeps to limits.max_endpoint_cost_a_day",
     ["limits.max_endpoint_cost_a_day=9", "deployment.instance_type=Standard_Unknown"]),
    ("limit-sizes", PASS, "allowed", ["limits.sizes=[standard_nc*_V5]"]),
    ("limit-sizes", FAIL, "compute.size: found Standard_NC40ads_H100_v5, allowed: Standard_NC*_A100_v4",
     ["limits.sizes=[Standard_NC*_A100_v4]"]),
    ("limit-sizes", FAIL, "compute.preparation.size: found Standard_E4s_v3",
     ["limits.sizes=[Standard_NC*]", "dataset.where=azureml"]),
    ("limit-regions", PASS, "eastus", ["limits.regions=[east*]"]),
    ("limit-regions", FAIL, "values.yaml:", ["limits.regions=[westeurope, westus]"]),
    ("limit-tags", FAIL, "no owner, which is asked for (limits.required_tags, set", ["limits.required_tags.owner=.+"]),
    ("limit-tags", PASS, "Owner", ["limits.required_tags.Owner=.+", "tags.owner=me"]),
    ("limit-tags", FAIL, "found 'a4711', expected a text that matches",
     ["limits.required_tags.cost='[0-9]+'", "tags.cost=a4711"]),
    ("limit-tags", FAIL, "writes that tag itself", ["limits.required_tags.Environment=.+"]),
]  # fmt: skip


@pytest.mark.parametrize(("check", "status", "said", "sets"), CASES)
def test_a_limit(check: str, status: str, said: str, sets: list[str]) -> None:
    found = finding(check, made("prod", *sets))
    assert found.status == status, found
    assert said in found.sentence


def test_an_estimate_that_may_go_beyond_is_a_warning() -> None:
    likely = float(finding(HOURS, made("prod", "limits.max_job_hours=1000")).sentence.split()[3])
    found = finding(HOURS, made("prod", f"limits.max_job_hours={likely + 0.1:.2f}"))
    assert (found.status, "which may become more" in found.sentence) == (WARN, True)


def test_without_data_nobody_knows() -> None:
    for check, key in ((COST, "max_job_cost"), (HOURS, "max_job_hours")):
        found = finding(check, made("prod", f"limits.{key}=1000", data={}))
        assert (found.status, found.todo) == (WARN, "make data ENV=prod prepares them"), found


def test_a_price_in_another_currency_is_not_compared() -> None:
    where = made("prod", "limits.max_endpoint_cost_a_day=1", "limits.max_job_cost=1")
    name = where.size_name("inference").lower()
    euros = dataclasses.replace(where.facts.sizes[name], price=PinnedPrice(1.0, "EUR", "2026-11-01", "eastus"))
    facts = dataclasses.replace(where.facts, sizes={**where.facts.sizes, name: euros})
    for check in (DAY, COST):
        found = finding(check, dataclasses.replace(where, facts=facts))
        assert (found.status, "it is in EUR, the limit in USD" in found.sentence) == (WARN, True), found


def test_the_strictest_wins_and_who_set_it_is_named(tmp_path: Path) -> None:
    shared = tmp_path / "platform.yaml"
    shared.write_text("limits:\n  max_job_hours: 0.02\n  sizes: [Standard_NC40*]\n")
    raised = finding(HOURS, made("prod", f"limits_from={shared}", "limits.max_job_hours=1000"))
    assert (raised.status, f"set by {shared}:2" in raised.sentence) == (FAIL, True), raised
    tightened = finding(HOURS, made("prod", f"limits_from={shared}", "limits.max_job_hours=0.01"))
    assert (tightened.status, "allowed are 0.01 h" in tightened.sentence) == (FAIL, True)
    narrower = finding(
        "limit-sizes", made("prod", f"limits_from={shared}", "limits.sizes=[Standard_ND*, Standard_NC*]")
    )
    assert narrower.status == PASS
    other = finding("limit-sizes", made("prod", f"limits_from={shared}", "limits.sizes=[Standard_ND*]"))
    assert (other.status, "set by --set" in other.sentence) == (FAIL, True)
