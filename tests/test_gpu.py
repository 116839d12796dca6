"""make gpu: which machines, cheapest first, and why the others are left out."""

from __future__ import annotations

import dataclasses
import datetime
import json
from typing import Any

import pytest

from scripts import gpu
from scripts.preflight import context
from scripts.values.data_facts import Split
from scripts.values.read import load

TODAY = datetime.date(2026, 11, 23)
SPLIT = Split(2000, 2_000_000, 3000, tuple(range(0, 3001, 30)), "exact")


def made(env: str, *sets: str) -> context.Context:
    built = context.build(load(env, sets, check=False), today=TODAY)
    return dataclasses.replace(built, data={"train": SPLIT, "validation": SPLIT, "test": SPLIT}, data_from="")


def test_training_sizes_are_the_listed_alive_and_large_enough_ones_cheapest_first() -> None:
    found = gpu.candidates(made("prod"), "finetune")
    left = [each for each in found if not each.reason]
    costs = [each.cost for each in left]
    assert all(costs)
    assert costs == sorted(costs)  # type: ignore[type-var]
    assert {each.size for each in left} <= set(made("prod").model.finetune_computes)
    assert all(each.memory_gib and each.usable_gib and each.memory_gib <= each.usable_gib for each in left)
    assert all(each.hours and each.hours[0] < each.hours[1] < each.hours[2] for each in left)
    assert len(found) == sum(size.gpus_per_node > 0 for size in made("prod").facts.sizes.values())


@pytest.mark.parametrize(("env", "role", "size", "reason"), [
    ("reference", "finetune", "Standard_NC6s_v3", "retired 2025-09-30"),
    ("reference", "finetune", "Standard_NC24", "retired 2023-08-31"),
    ("reference", "finetune", "Standard_ND40rs_v2", "not in the fine-tune list"),
    ("reference", "inference", "Standard_NC4as_T4_v3", "not in the inference list"),
    ("prod", "finetune", "Standard_ND96asr_v4", "GiB on each GPU"),
    ("demo", "inference", "Standard_ND96isr_H200_v5", "managed online endpoints"),
])  # fmt: skip
def test_left_out_with_the_reason(env: str, role: str, size: str, reason: str) -> None:
    larger = ["finetune.per_device_train_batch_size=8"] if env == "prod" else []
    found = {each.size: each for each in gpu.candidates(made(env, *larger), role)}
    assert reason in found[size].reason


def test_too_small_is_a_reason() -> None:
    where = made("reference")
    model = dataclasses.replace(where.model, inference_computes=(), inference_min_sku_spec="24|1|220|64")
    where = dataclasses.replace(where, facts=dataclasses.replace(where.facts, model=model))
    found = {each.size: each for each in gpu.candidates(where, "inference")}
    assert "4 vCPUs of 24" in found["Standard_NC4as_T4_v3"].reason


def test_each_size_trains_with_all_its_gpus() -> None:
    found = {each.size: each for each in gpu.candidates(made("reference"), "finetune")}
    one, four = found["Standard_NC24ads_A100_v4"], found["Standard_NC96ads_A100_v4"]
    assert one.hours
    assert four.hours
    assert four.hours[1] < one.hours[1]


def test_command(capsys: Any) -> None:
    assert gpu.run(["--env", "reference", "--today", "2026-11-23"]) == 0
    text = capsys.readouterr().out
    assert "* Standard_NC24ads_A100_v4" in text  # the chosen one is marked
    assert "Standard_NC6s_v3             retired 2025-09-30" in text
    assert gpu.run(["--env", "reference", "-o", "json", "--today", "2026-11-23"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"finetune", "inference"}


def test_nothing_fits_is_a_failure(capsys: Any) -> None:
    assert gpu.run(["--env", "prod", "--set", "finetune.per_device_train_batch_size=512", "--today", "2026-11-23"]) == 1
    assert "  none" in capsys.readouterr().out
