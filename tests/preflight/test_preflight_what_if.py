"""What if another size: one function for preflight's checks and for make gpu."""

from __future__ import annotations

import dataclasses

import pytest

from scripts.azure import machine_sizes
from scripts.estimate import what_if
from scripts.estimate.memory import GIB
from scripts.estimate.what_if import price_of, serving_on, training_on
from scripts.preflight.context import Context
from scripts.values.data_facts import Split
from tests.preflight.conftest import DATA, made

SIZES = machine_sizes.catalog()
A100, FOUR, T4 = SIZES["standard_nc24ads_a100_v4"], SIZES["standard_nc96ads_a100_v4"], SIZES["standard_nc4as_t4_v3"]


def hours(where: Context) -> float:
    training = training_on(where, where.size("finetune"))
    assert training
    assert training.hours
    return training.hours.likely


def test_the_chosen_size_takes_what_the_values_say_and_another_all_its_gpus() -> None:
    where = made("reference", "compute.size=Standard_NC96ads_A100_v4", "finetune.number_of_gpu_to_use_finetuning=2")
    chosen, other = training_on(where, FOUR), training_on(where, FOUR, all_gpus=True)
    assert chosen
    assert other
    assert (chosen.step.gpus, other.step.gpus) == (2, 4)
    assert where.given["number_of_gpu_to_use_finetuning"] == 2  # nothing of the context changed


def test_what_is_not_known_is_none() -> None:
    where = made("reference")
    assert training_on(where, None) is serving_on(where, None) is None
    assert training_on(where, SIZES["standard_ds2_v2"]) is serving_on(where, SIZES["standard_ds2_v2"]) is None
    shapeless = dataclasses.replace(where, shape=None)
    assert training_on(shapeless, A100) is serving_on(shapeless, A100) is None
    empty = training_on(dataclasses.replace(where, data={}), A100)
    assert empty
    assert empty.hours is None
    none = training_on(dataclasses.replace(where, data={"train": Split(0, 0, 0, (), "exact")}), A100)
    assert none
    assert none.hours is None


def test_money_is_hours_nodes_and_price() -> None:
    where = made("reference", "finetune.num_nodes_finetune=2", "compute.max_instances=2", "compute.price_per_hour=3")
    training = training_on(where, A100)
    assert training
    assert training.cost(10) == 60
    assert dataclasses.replace(training, price=None).cost(10) is None
    assert training.step.gpus == 2


def test_the_price_of_the_values_is_the_chosen_sizes_alone() -> None:
    where = made("reference", "compute.price_per_hour=3", "deployment.price_per_hour=4")
    found = [
        price_of(where, size, role) for size, role in ((A100, "finetune"), (A100, "inference"), (FOUR, "finetune"))
    ]
    assert [each.per_hour for each in found if each] == [3, 4, 14.692]


def test_fits_and_tight_are_at_the_cards_memory() -> None:
    training = training_on(made("reference"), A100)
    assert training
    for usable, fits, tight in ((training.gib, True, True), (training.gib - 0.01, False, True),
     (training.gib / 0.9, True, False),
                                (training.gib / 0.9 - 0.01, True, True)):  # fmt: skip
        on = dataclasses.replace(training, card=dataclasses.replace(training.card, usable_gib=usable))
        assert (on.fits, on.is_tight) == (fits, tight)
    host = dataclasses.replace(
        training, size=dataclasses.replace(A100, memory_gb=training.host_gib / 0.85 * GIB / 1e9 + 0.01)
    )
    assert host.host_fits
    assert not dataclasses.replace(host, size=dataclasses.replace(A100, memory_gb=host.size.memory_gb - 0.1)).host_fits
    assert training.host_has_gib == pytest.approx(220e9 / GIB)


def test_serving_takes_weights_and_a_conversation_a_request() -> None:
    one = serving_on(made("reference"), A100)
    two = serving_on(made("reference", "deployment.max_concurrent_requests_per_instance=2"), A100)
    assert one
    assert two
    parameters, cache = 3_821_079_552, 2 * 2 * 32 * 32 * 96 * 4096
    assert one.gib == pytest.approx((2 * parameters + cache) / GIB * 1.1 + 2.0)
    assert two.gib - one.gib == pytest.approx(cache / GIB * 1.1)
    on_four = serving_on(made("reference"), FOUR)
    assert on_four
    assert on_four.has_gib == pytest.approx(4 * one.has_gib)
    for usable, fits, tight in (
        (one.gib, True, True),
        (one.gib - 0.01, False, True),
        (one.gib / 0.9 + 0.01, True, False),
    ):
        on = dataclasses.replace(one, card=dataclasses.replace(one.card, usable_gib=usable))
        assert (on.fits, on.is_tight) == (fits, tight)


def test_stage_2_keeps_the_weights_on_the_gpu() -> None:
    training = training_on(made("prod", "finetune.deepspeed_stage=3"), SIZES["standard_nc40ads_h100_v5"])
    assert training
    assert training.step.offload_weights
    two = training.at_stage_2()
    assert (two.step.sharding, two.step.offload_weights, two.step.offload_optimizer) == ("zero2", False, True)
    assert two.gib > training.gib


def test_hours_follow_the_epochs_and_the_most_steps() -> None:
    one, three = hours(made("reference", "finetune.num_train_epochs=1")), hours(made("reference"))
    assert three > 2 * one - 0.5
    # 2,000 rows: 1,000 steps of one row are half an epoch, 10,000 are more than the three epochs
    assert hours(made("reference", "finetune.max_steps=1000")) < one
    assert hours(made("reference", "finetune.max_steps=2000")) == pytest.approx(one)
    assert hours(made("reference", "finetune.max_steps=10000")) == three
    assert hours(made("reference", "finetune.max_steps=0", "finetune.num_train_epochs=1")) == one
    twice = made("reference", "finetune.max_steps=1000", "finetune.gradient_accumulation_steps=2")
    assert hours(twice) == pytest.approx(
        hours(made("reference", "finetune.num_train_epochs=1", "finetune.gradient_accumulation_steps=2"))
    )


def test_evaluation_takes_its_time() -> None:
    without = {name: split for name, split in DATA.items() if name != "validation"}
    assert hours(made("reference", data=without)) < hours(made("reference"))


@pytest.mark.parametrize(
    ("lengths", "longest"),
    [((3000, 200), 3000), ((200, 3000), 3000), ((0, 3000), None), ((3000, 0), None), ((0, 0), None)],
)
def test_the_longest_is_known_where_both_splits_know_it(lengths: tuple[int, int], longest: int | None) -> None:
    data = {name: dataclasses.replace(DATA[name], longest=length)
            for name, length in zip(("train", "validation"), lengths, strict=True)}  # fmt: skip
    assert what_if.longest(made("reference", data=data)) == longest
    assert what_if.longest(made("reference", data={"train": DATA["train"]})) == 3000
    assert what_if.longest(made("reference", data={})) is None


def test_tight_host_and_serving_shares_are_what_the_sentences_say() -> None:
    assert (what_if.TIGHT, what_if.HOST_SHARE, what_if.SERVING_CONTEXT, what_if.SERVED_TOKENS) == (0.9, 0.85, 2.0, 4096)
    assert serving_on(made("demo"), T4)
