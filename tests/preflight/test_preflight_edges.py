"""The checks that need no account, at their edges: the last day, the last token, the last row."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from scripts.azure import component_rules
from scripts.azure.lock_file import Lock
from scripts.azure.machine_sizes import Size
from scripts.preflight.context import Context
from scripts.preflight.finding import FAIL, PASS, SKIPPED, WARN, Finding
from tests.preflight.conftest import DATA, TODAY, finding, made

A100, T4 = "Standard_NC24ads_A100_v4", "Standard_NC4as_T4_v3"


def day(days: int) -> str:
    return (TODAY + datetime.timedelta(days=days)).isoformat()


def with_size(env: str, known: str, /, **changes: Any) -> Context:
    """Returns the context with other facts of a size."""
    where = made(env)
    size = dataclasses.replace(where.facts.sizes[known.lower()], **changes)
    return dataclasses.replace(
        where, facts=dataclasses.replace(where.facts, sizes={**where.facts.sizes, known.lower(): size})
    )


def with_model(env: str, *sets: str, **changes: Any) -> Context:
    """Returns the context with other facts of the model."""
    where = made(env, *sets)
    return dataclasses.replace(
        where, facts=dataclasses.replace(where.facts, model=dataclasses.replace(where.model, **changes))
    )


def has(found: Finding, status: str, *words: str) -> None:
    assert found.status == status, found
    for word in words:
        assert word in f"{found.sentence} -> {found.todo}"


@pytest.mark.parametrize(("days", "status"), [(-1, FAIL), (0, FAIL), (1, WARN), (180, WARN), (181, PASS)])
def test_a_size_retires(days: int, status: str) -> None:
    for check in ("finetune-size-alive", "inference-size-alive"):
        has(finding(check, with_size("reference", A100, retirement_date=day(days))), status, A100)


@pytest.mark.parametrize(("days", "status", "words"),
 [(-1, PASS, "accepts that"), (0, PASS, "accepts that"), (1, WARN, "finetune retires"),
                                                       (90, WARN, "finetune retires"), (91, PASS,
                                                        "is maintained")])  # fmt: skip
def test_a_model_retires(days: int, status: str, words: str) -> None:
    dates = {"finetuneRetirementDate": day(days), "inferenceRetirementDate": day(999)}
    found = finding("model-lifecycle", with_model("reference", archived=False, deprecation=dates))
    has(found, status, words)
    assert "inference" not in found.sentence


def test_an_archived_model_fails_or_warns_as_the_values_say() -> None:
    where = with_model("prod", archived=True, deprecation={})
    has(
        finding("model-lifecycle", where),
        FAIL,
        "archived in the registry",
        "a maintained model",
        "preflight.retired_model: accept",
    )
    warns = with_model("reference", "preflight.retired_model=warn", archived=True, deprecation={})
    found = finding("model-lifecycle", warns)
    has(found, WARN, "archived", "take Phi-4 (model.name: Phi-4")
    assert "retired_model" not in found.todo
    has(finding("model-lifecycle", made("demo")), PASS, "Hugging Face hub, which retires nothing")


@pytest.mark.parametrize(("days", "status"), [(0, PASS), (90, PASS), (91, WARN)])
def test_a_lock_grows_old(days: int, status: str) -> None:
    where = made("demo")
    lock = Lock(TODAY - datetime.timedelta(days=days))
    aged = dataclasses.replace(where, facts=dataclasses.replace(where.facts, lock=lock))
    has(finding("lock", aged), status, f"seen {lock.seen}")
    undated = dataclasses.replace(where, facts=dataclasses.replace(where.facts, lock=Lock()))
    has(finding("lock", undated), WARN, "does not say when", "make lock ENV=demo")
    other = dataclasses.replace(made("reference"), facts=dataclasses.replace(made("reference").facts, lock=lock))
    has(finding("lock", other), FAIL, "pins no model, the values want Phi-3-mini-4k-instruct version 15")


def test_lists_and_the_deny_list() -> None:
    has(
        finding("finetune-size", with_model("reference", finetune_computes=("Standard_NC6s_v3", A100, "Standard_New"))),
        PASS,
    )
    found = finding(
        "finetune-size",
        with_model("reference", f"compute.size={T4}", finetune_computes=("Standard_NC6s_v3", A100, "Standard_New")),
    )
    has(found, FAIL, f"take one of {A100}, Standard_New (make gpu ENV=reference)")
    only = finding("finetune-size", with_model("reference", finetune_computes=("Standard_NC6s_v3",)))
    has(only, FAIL, "take one of Standard_NC6s_v3 (")  # where none can be had, all are named
    has(
        finding(
            "inference-size", with_model("reference", "deployment.instance_type=Standard_NC24", inference_computes=())
        ),
        FAIL,
        "K80 cards",
    )
    has(finding("finetune-size", made("demo", "compute.size=Standard_X")), PASS, "lists no fine-tune sizes")


def test_sizes_without_gpus_and_unknown_ones() -> None:
    has(finding("finetune-size-alive", made("reference", "compute.size=Standard_E4s_v3")), FAIL, "has no GPU")
    unknown = finding("finetune-size-alive", made("reference", "compute.size=Standard_E4as_v3"))
    has(unknown, FAIL, "nothing is known about size Standard_E4as_v3")
    assert "Standard_E4s_v3" not in unknown.sentence  # which could not train either
    has(
        finding("inference-size-alive", with_size("reference", A100, online_endpoint=False)),
        WARN,
        "not among the sizes documented",
    )
    has(finding("finetune-size-alive", with_size("reference", A100, online_endpoint=False)), PASS)
    has(finding("finetune-size-alive", with_size("reference", A100, gpu="")), PASS, "1 x GPU")
    has(
        finding("finetune-size-minimum", made("reference", "compute.size=Standard_X")),
        SKIPPED,
        "Standard_X is not known",
    )
    has(finding("finetune-size-minimum", made("demo")), SKIPPED, "names no smallest fine-tune machine")


def test_every_gpu_of_a_node_is_used() -> None:
    four = "compute.size=Standard_NC96ads_A100_v4"
    has(
        finding("gpus-per-node", made("reference", four, "finetune.number_of_gpu_to_use_finetuning=3")),
        FAIL,
        "3, but",
        "has 4 a node",
        "set it to 4",
    )
    has(finding("gpus-per-node", made("reference", "compute.size=Standard_X")), SKIPPED)


@pytest.mark.parametrize(
    ("sets", "status", "words"),
    [(["finetune.apply_deepspeed=false", "finetune.auto_find_batch_size=true"], PASS, "DeepSpeed is off"),
     (["finetune.deepspeed_stage=3"], PASS, "stage 3"), (["finetune.apply_ort=true"], PASS, "stage 2")],
)  # fmt: skip
def test_deepspeed_and_the_rest(sets: list[str], status: str, words: str) -> None:
    has(finding("deepspeed", made("reference", *sets)), status, words)


def test_precision() -> None:
    thirty_two = 'finetune.precision="32"'
    has(finding("precision", made("demo", thirty_two)), WARN, "twice the memory")
    has(finding("precision", with_model("reference", thirty_two, model_specific_defaults={"precision": 16})), FAIL)
    has(finding("precision", with_model("reference", thirty_two, model_specific_defaults={"precision": "32"})), WARN)
    has(finding("precision", made("reference", "compute.size=Standard_X")), PASS, "16 bits")
    assert finding("precision", made("reference", "compute.size=Standard_X")).sentence == "16 bits"
    has(finding("precision", made("demo")), PASS, "float16: T4")


@pytest.mark.parametrize(("rows", "status"), [(9, FAIL), (10, PASS)])
def test_the_fewest_rows(rows: int, status: str) -> None:
    assert component_rules.FEWEST_ROWS == 10
    few = {**DATA, "train": dataclasses.replace(DATA["train"], rows=rows)}
    has(finding("training-rows", made("reference", data=few)), status, f"{rows} training rows")


def test_splits_without_rows() -> None:
    none = {**DATA, "train": dataclasses.replace(DATA["train"], rows=0)}
    has(finding("data-files", made("reference", data=none)), FAIL, "there is no training row")
    two = {"train": DATA["train"], "test": dataclasses.replace(DATA["test"], rows=0)}
    has(finding("data-files", made("reference", data=two)), FAIL, "no rows for validation and test")
    assert finding("data-files", made("reference")).sentence == "2000 train, 200 validation, 200 test rows"


@pytest.mark.parametrize(
    ("length", "status", "words"),
    [(4096, PASS, "cut off after 4096 tokens, the longest has 3000"),
     (4097, WARN, "4097, but Phi-3-mini-4k-instruct takes 4096"),
     (3000, PASS, "cut off after 3000"), (2999, WARN, "cut off after 2999 tokens, the longest training one has 3000"),
     (-1, PASS, "after 4096")],
)  # fmt: skip
def test_the_cut(length: int, status: str, words: str) -> None:
    has(finding("sequence-length", made("reference", f"finetune.max_seq_length={length}")), status, words)


def test_the_cut_without_data_or_shape() -> None:
    assert finding("sequence-length", made("reference", data={})).sentence == "cut off after 4096 tokens"
    bare = {"train": dataclasses.replace(DATA["train"], percentiles=())}
    assert finding("sequence-length", made("reference", data=bare)).sentence == "cut off after 4096 tokens"
    has(
        finding("sequence-length", made("reference", shape=None)), SKIPPED, "longest sequence of Phi-3-mini-4k-instruct"
    )


def test_evaluation_and_what_is_kept() -> None:
    assert finding("evaluation", made("reference")).sentence == "evaluated every epoch"
    assert (
        finding("evaluation", made("reference", "finetune.evaluation_strategy=steps")).sentence
        == "evaluated every step"
    )
    assert finding("evaluation", made("reference", "finetune.evaluation_strategy=disable")).sentence == "not evaluated"
    assert finding("saved-models", made("reference")).sentence == "one merged model is kept"
    assert (
        finding(
            "saved-models", made("reference", "finetune.apply_lora=false", "finetune.merge_lora_weights=false")
        ).sentence
        == "one model is kept"
    )
    has(finding("saved-models", made("reference", "finetune.save_total_limit=0")), WARN)


@pytest.mark.parametrize(
    ("rate", "status"), [("4e-7", WARN), ("5e-7", PASS), ("5e-5", PASS), ("6e-5", WARN), ("-1", FAIL)]
)
def test_the_learning_rate_within_the_models_bounds(rate: str, status: str) -> None:
    has(finding("learning-rate", made("reference", f"finetune.learning_rate={rate}")), status)
    one_bound = with_model(
        "reference", "finetune.learning_rate=4e-7", model_specific_defaults={"learning_rate_max": "5e-5"}
    )
    has(finding("learning-rate", one_bound), PASS)
    other = with_model(
        "reference", "finetune.learning_rate=1e-4", model_specific_defaults={"learning_rate_min": "5e-7"}
    )
    has(finding("learning-rate", other), PASS)


def test_ways_out_of_too_little_memory() -> None:
    big = ["finetune.per_device_train_batch_size=64"]
    assert finding("gpu-memory", made("reference", *big)).todo.split("; or ") == [
        "lower finetune.per_device_train_batch_size (and raise gradient_accumulation_steps)",
        "lower finetune.max_seq_length (now 3000)",
        "set finetune.deepspeed_stage to 3", "take a larger card (make gpu ENV=reference)",
    ]  # fmt: skip
    small = [f"compute.size={A100}", "model.name=Phi-3-medium-128k-instruct", 'model.version="7"',
     "finetune.deepspeed_stage=3",
             "finetune.apply_lora=false", "finetune.per_device_train_batch_size=1"]  # fmt: skip
    card = made("reference", *small).facts.sizes[A100.lower()]
    tiny = made("reference", *small)
    sizes = {**tiny.facts.sizes, A100.lower(): dataclasses.replace(card, gpu="T4")}
    ways = finding("gpu-memory", dataclasses.replace(tiny, facts=dataclasses.replace(tiny.facts, sizes=sizes))).todo
    assert "batch_size" not in ways
    assert "deepspeed" not in ways
    assert "set finetune.apply_lora to true" in ways


@pytest.mark.parametrize("check", ["gpu-memory", "host-memory", "serving-memory", "time-and-cost"])
def test_without_a_shape_nothing_is_estimated(check: str) -> None:
    has(finding(check, made("reference", shape=None)), SKIPPED, "the shape of Phi-3-mini-4k-instruct or its")


def test_stage_3_is_judged_for_adapters_alone() -> None:
    has(finding("deepspeed-stage", made("prod", "finetune.apply_lora=false")), SKIPPED)
    has(finding("deepspeed-stage", made("prod", shape=None)), SKIPPED)


def test_money_of_a_run() -> None:
    priced = finding(
        "time-and-cost",
        made("reference", "compute.price_per_hour=10", "finetune.num_nodes_finetune=2", "compute.max_instances=2"),
    )
    has(priced, PASS, "USD (", f"on 2 x {A100}")
    hours, money = (float(priced.sentence.split(word)[0].split()[-1]) for word in (" h (", " USD"))
    assert money == pytest.approx(hours * 20, abs=1.1)
    assert not any("low priority" in line for line in priced.details)
    cheap = finding("time-and-cost", made("reference", "compute.tier=low_priority"))
    assert any("low priority costs less" in line for line in cheap.details)
    assert not any("tokens estimated" in line for line in cheap.details)
    sampled = {**DATA, "train": dataclasses.replace(DATA["train"], how="sample")}
    assert "assumes tokens estimated (sample)" in finding("time-and-cost", made("reference", data=sampled)).details
    unknown = with_size("reference", A100, name="Standard_Secret")
    found = finding("time-and-cost", unknown)
    has(found, PASS, "; the price of Standard_Secret is not known")
    assert "assumes compute.price_per_hour in the values would be taken" in found.details


def test_money_of_an_endpoint() -> None:
    found = finding("endpoint-cost", made("reference", "deployment.instance_count=3", "deployment.price_per_hour=2"))
    has(found, PASS, "144.00 USD a day until make undeploy ENV=reference")
    assert found.details == (f"assumes 3 x {A100}: 2.00 USD an hour (values)",)
    has(
        finding("endpoint-cost", made("reference", "deployment.instance_type=Standard_X")),
        SKIPPED,
        "price of Standard_X",
    )


def test_a_size_of_the_lock_may_say_little() -> None:
    assert Size("x", 1, 2, 3).disk_gib is None
    bare = with_size("reference", A100, disk_gib=None)
    has(finding("finetune-size-minimum", bare), PASS)
