"""The checks that judge facts by the day, the lock, the price list and what is known of sizes and versions."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any, cast

import pytest

from scripts.azure import lock_file as pinned
from scripts.preflight.finding import FAIL, PASS, SKIPPED, WARN
from tests.preflight.conftest import DATA, TODAY, finding, made


def test_a_month_of_prices_ends_with_its_last_day() -> None:
    from scripts.preflight import cost

    assert cost._last_day("2024-02") == datetime.date(2024, 2, 29)
    assert cost._last_day("2024-12") == datetime.date(2024, 12, 31)
    assert cost._last_day("2024-09-30") == datetime.date(2024, 9, 30)


def test_a_version_is_left_to_the_registry_where_it_can_be_asked() -> None:
    where = made("prod", 'model.version="99"')
    asking = dataclasses.replace(where, live=cast("Any", object()))
    assert finding("model-version", asking).status == SKIPPED
    inherited = dataclasses.replace(made("reference", "model.name=Phi-4"), live=cast("Any", object()))
    assert finding("model-version", inherited).status == FAIL


def test_lost_answers_are_counted() -> None:
    lossy = {**DATA, "train": dataclasses.replace(DATA["train"], answers_lost=7)}
    found = finding("sequence-length", made("reference", "finetune.max_seq_length=512", data=lossy))
    assert found.status == WARN
    assert "7 of 2000" in found.sentence


def test_unknown_price_is_not_guessed() -> None:
    found = finding("endpoint-cost", made("demo", "deployment.instance_type=Standard_NC8as_T4_v3"))
    assert found.status == SKIPPED
    assert "deployment.price_per_hour" in found.todo


def test_retirement_is_seen_coming() -> None:
    where = made("prod")
    size = dataclasses.replace(where.facts.sizes["standard_nc40ads_h100_v5"], retirement_date="2027-01-31")
    facts = dataclasses.replace(where.facts, sizes={**where.facts.sizes, "standard_nc40ads_h100_v5": size})
    assert finding("finetune-size-alive", dataclasses.replace(where, facts=facts)).status == WARN
    later = dataclasses.replace(where, facts=facts, today=datetime.date(2027, 2, 1))
    assert finding("finetune-size-alive", later).status == FAIL
    soon = dataclasses.replace(where.model, deprecation={"inferenceRetirementDate": "2026-12-31T00:00:00.000000Z"})
    facts = dataclasses.replace(where.facts, model=soon)
    assert finding("model-lifecycle", dataclasses.replace(where, facts=facts)).status == WARN


def test_lock_is_judged_by_its_age_and_its_model() -> None:
    where = made("prod")
    lock = pinned.typed({"seen": "2026-11-01", "model": {"name": "Phi-4", "version": "8"}})
    locked = dataclasses.replace(where.facts, origin="environments/prod.lock.yaml", lock=lock)
    fresh = dataclasses.replace(where, facts=locked)
    assert finding("lock", fresh).status == PASS
    assert finding("lock", dataclasses.replace(fresh, today=datetime.date(2027, 6, 1))).status == WARN
    other = pinned.typed({"seen": "2026-11-01", "model": {"name": "Phi-3-mini-4k-instruct", "version": "15"}})
    found = finding("lock", dataclasses.replace(where, facts=dataclasses.replace(where.facts, lock=other)))
    assert found.status == FAIL
    assert "make lock ENV=prod" in found.todo


@pytest.mark.parametrize("size", ["Standard_ND40rs_v2", "Standard_NC40ads_H100_v5"])
def test_a_size_that_exists_is_not_taken_for_a_misspelling(size: str) -> None:
    found = finding("finetune-size", made("reference", f"compute.size={size}"))
    assert found.status == FAIL
    assert "did you mean" not in found.sentence


@pytest.mark.parametrize("size", ["Standard_D4s_v3", "Standard_Foo", "Standard_NC24"])
def test_the_near_word_for_a_size_is_one_that_can_be_had(size: str) -> None:
    found = finding("finetune-size-alive", made("demo", f"compute.size={size}"))
    assert found.status == FAIL
    near = found.sentence.partition("did you mean '")[2].partition("'")[0]
    known = made("demo").facts.size(near)
    assert not near or (known and not known.is_retired(TODAY))
