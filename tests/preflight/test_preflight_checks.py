"""The checks that need no account: each with a case that it stops and one that it lets pass."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest

from scripts.azure import lock_file as pinned
from scripts.preflight import checklist
from scripts.preflight.finding import FAIL, PASS, SKIPPED, WARN
from tests.preflight.conftest import DATA, finding, made

ROOT = Path(__file__).parents[2]


T4 = "Standard_NC4as_T4_v3"
A100 = "Standard_NC24ads_A100_v4"
CASES = [  # check, status, what the sentence or its way out has to name, environment, --set
    ("model-lifecycle", FAIL, "Phi-4", "reference", ["preflight.retired_model=fail"]),
    ("model-lifecycle", WARN, "2025-08-30", "reference", ["preflight.retired_model=warn"]),
    ("model-lifecycle", PASS, "Phi-4", "prod", []),
    ("lock", WARN, "make lock ENV=prod", "prod", []),
    ("chat-tokens", PASS, "", "demo", []),
    ("chat-tokens", FAIL, "response_template", "demo",
     ["model.finetune_config.chat_special_tokens.response_template=null"]),
    ("lora", PASS, "by PEFT on q_proj, k_proj", "demo", []),
    ("lora", PASS, "own LoRA on q_proj, v_proj", "demo",
     ["model.finetune_config.lora_algo=auto", "model.finetune_config.lora_target_modules=null"]),
    ("lora", PASS, "Phi-4 brings", "prod", []),
    ("lora", WARN, "lora_target_modules: has no effect, as lora_algo is custom", "demo",
     ["model.finetune_config.lora_algo=null"]),
    ("lora", FAIL, "does not take model type qwen2", "demo",
     ["model.huggingface_id=Qwen/Qwen2.5-7B-Instruct", "model.finetune_config.lora_algo=null"]),
    ("lora", PASS, "model type qwen2: adapters by PEFT on q_proj, v_proj", "demo",
     ["model.huggingface_id=Qwen/Qwen2.5-7B-Instruct", "model.finetune_config.lora_target_modules=null"]),
    ("lora", FAIL, "lora_target_modules: [qkv_proj, o_proj, gate_up_proj, down_proj]", "demo",
     ["model.huggingface_id=microsoft/phi-4", "model.finetune_config.lora_target_modules=null"]),
    ("lora", FAIL, "would be the untrained one", "demo",
     ["finetune.apply_deepspeed=true", "finetune.deepspeed_stage=3", "model.finetune_config.lora_algo=null"]),
    ("lora", FAIL, "looks for adapters of PEFT", "demo",
     ["finetune.apply_deepspeed=true", "finetune.deepspeed_stage=3", "model.finetune_config.lora_algo=custom"]),
    ("lora", WARN, "apply_lora is false", "demo", ["finetune.apply_lora=false"]),
    ("lora", WARN, "nothing is known about the type of someone/else", "demo",
     ["model.huggingface_id=someone/else", "model.name=else"]),
    ("finetune-size", PASS, "", "reference", ["compute.size=standard_nc24ads_a100_V4"]),
    ("finetune-size", FAIL, A100, "reference", ["compute.size=Standard_ND40rs_v2"]),
    ("finetune-size", FAIL, A100, "reference", ["compute.size=Standard_NC6s_v3"]),
    ("finetune-size", FAIL, "did you mean 'Standard_NC24ads_A100_v4'", "reference",
     ["compute.size=Standard_NC24ad_A100_v4"]),
    ("finetune-size", FAIL, "K80", "demo", ["compute.size=Standard_NC24"]),
    ("finetune-size", PASS, "deny list", "demo", []),
    ("inference-size", FAIL, A100, "reference", [f"deployment.instance_type={T4}"]),
    ("inference-size", PASS, "", "reference", []),
    ("finetune-size-alive", FAIL, "retired on 2025-09-30", "reference", ["compute.size=Standard_NC6s_v3"]),
    ("finetune-size-alive", FAIL, "did you mean", "reference", ["compute.size=Standard_NC24ad_A100_v4"]),
    ("finetune-size-alive", PASS, "not retired", "reference", []),
    ("inference-size-alive", FAIL, "2025-09-30", "reference", ["deployment.instance_type=Standard_NC6s_v3"]),
    ("inference-size-alive", WARN, "managed online endpoints", "prod",
     ["deployment.instance_type=Standard_ND96isr_H200_v5"]),
    ("inference-size-alive", PASS, "", "reference", []),
    ("finetune-size-minimum", FAIL, "1 GPUs of 4", "prod",
     ["model.name=Phi-3-medium-4k-instruct", 'model.version="6"', f"compute.size={A100}"]),
    ("finetune-size-minimum", PASS, "24|1|220|64", "reference", []),
    ("inference-size-minimum", FAIL, "vCPUs of 6", "reference", [f"deployment.instance_type={T4}"]),
    ("inference-size-minimum", PASS, "", "reference", []),
    ("cluster-nodes", FAIL, "compute.max_instances to 2", "reference", ["finetune.num_nodes_finetune=2"]),
    ("cluster-nodes", PASS, "", "reference", ["finetune.num_nodes_finetune=2", "compute.max_instances=2"]),
    ("cluster-idle-cost", WARN, "min_instances to 0", "reference", ["compute.min_instances=1"]),
    ("cluster-idle-cost", PASS, "", "reference", []),
    ("gpus-per-node", FAIL, "has 1", "reference", ["finetune.number_of_gpu_to_use_finetuning=2"]),
    ("gpus-per-node", PASS, "all 4", "reference", ["compute.size=Standard_NC96ads_A100_v4"]),
    ("deepspeed", FAIL, "auto_find_batch_size", "reference", ["finetune.auto_find_batch_size=true"]),
    ("deepspeed", FAIL, "apply_ort", "prod", ["finetune.apply_ort=true"]),
    ("deepspeed", PASS, "", "reference", []),
    ("onnx-runtime", WARN, "no effect", "reference", ["finetune.apply_ort=true"]),
    ("onnx-runtime", PASS, "", "reference", []),
    ("checkpointing", WARN, "apply_deepspeed to true", "reference", ["finetune.apply_deepspeed=false"]),
    ("checkpointing", PASS, "", "reference", []),
    ("precision", FAIL, "Flash Attention is not supported", "reference", ['finetune.precision="32"']),
    ("precision", WARN, "bfloat16", "demo", []),
    ("precision", PASS, "", "prod", []),
    ("evaluation", FAIL, "evaluation_strategy to epoch", "reference",
     ["finetune.apply_early_stopping=true", "finetune.evaluation_strategy=disable"]),
    ("evaluation", PASS, "", "reference", []),
    ("learning-rate", FAIL, "not above 0", "reference", ["finetune.learning_rate=0"]),
    ("learning-rate", WARN, "5e-7 to 5e-5", "reference", ["finetune.learning_rate=1e-2"]),
    ("learning-rate", PASS, "", "reference", []),
    ("saved-models", WARN, "save_total_limit to 1", "reference", ["finetune.save_total_limit=-1"]),
    ("saved-models", WARN, "merge_lora_weights to true", "reference", ["finetune.merge_lora_weights=false"]),
    ("saved-models", PASS, "", "reference", []),
    ("data-files", PASS, "2000 train", "reference", []),
    ("training-rows", PASS, "2000", "reference", []),
    ("sequence-length", WARN, "cut off after 512", "reference", ["finetune.max_seq_length=512"]),
    ("sequence-length", WARN, "takes 4096", "reference", ["finetune.max_seq_length=8192"]),
    ("sequence-length", PASS, "longest has 3000", "reference", ["finetune.max_seq_length=4096"]),
    ("gpu-memory", FAIL, "gradient_accumulation_steps", "prod",
     [f"compute.size={A100}", "finetune.per_device_train_batch_size=16"]),
    ("gpu-memory", FAIL, "apply_deepspeed to true", "reference",
     ["finetune.apply_deepspeed=false", "finetune.per_device_train_batch_size=6"]),
    ("gpu-memory", PASS, "fits", "reference", []),
    ("host-memory", FAIL, "on the host", "prod", [f"compute.size={A100}", "finetune.apply_lora=false"]),
    ("host-memory", PASS, "", "prod", []),
    ("deepspeed-stage", WARN, 'deepspeed_stage to "2"', "prod", []),
    ("deepspeed-stage", PASS, "is needed", "prod", [f"compute.size={A100}", "finetune.per_device_train_batch_size=8"]),
    ("deepspeed-stage", SKIPPED, "", "reference", []),
    ("serving-memory", FAIL, "does not fit", "prod", [f"deployment.instance_type={T4}"]),
    ("serving-memory", PASS, "fits", "prod", []),
    ("time-and-cost", PASS, "USD", "reference", []),
    ("time-and-cost", WARN, "num_train_epochs", "reference", ["finetune.num_train_epochs=200"]),
    ("endpoint-cost", PASS, "88.15 USD a day", "reference", []),
    ("endpoint-cost", PASS, "48.00 USD a day", "reference", ["deployment.price_per_hour=2"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "status", "words", "env", "sets"), CASES)
def test_check(name: str, status: str, words: str, env: str, sets: list[str]) -> None:
    found = finding(name, made(env, *sets))
    assert found.status == status, found
    assert words in f"{found.sentence} {found.todo}"
    if status in (FAIL, WARN):
        assert found.todo  # every complaint names a way out


def test_every_offline_check_has_a_failing_or_warning_and_a_passing_case() -> None:
    covered: dict[str, set[str]] = {}
    for name, status, *_ in CASES:
        covered.setdefault(name, set()).add(status)
    always = {"data-files", "training-rows", "lock", "endpoint-cost"}  # their other cases are tests of their own, below
    for each in checklist.CHECKS:
        if not each.live and each.name not in always:
            assert PASS in covered[each.name], each.name
            assert covered[each.name] & {FAIL, WARN}, each.name


def test_data_checks_name_what_is_missing() -> None:
    few = {**DATA, "train": dataclasses.replace(DATA["train"], rows=9)}
    assert finding("training-rows", made("reference", data=few)).status == FAIL
    without = {name: split for name, split in DATA.items() if name != "test"}
    found = finding("data-files", made("reference", data=without))
    assert found.status == FAIL
    assert "no rows for test" in found.sentence
    assert "20 %" in found.sentence
    for name in ("data-files", "training-rows", "time-and-cost"):
        assert finding(name, made("reference", data={})).status == SKIPPED


def test_memory_above_nine_tenths_of_the_card_is_a_warning() -> None:
    found = [
        finding("gpu-memory", made("reference", f"finetune.per_device_train_batch_size={batch}"))
        for batch in range(8, 40)
    ]
    statuses = [each.status for each in found]
    assert set(statuses) == {PASS, WARN, FAIL}
    assert statuses == sorted(statuses, key=(PASS, WARN, FAIL).index)  # a larger batch never fits better
    tight = next(each for each in found if each.status == WARN)
    assert tight.details[-1].split() == ["card", "79.10", "GiB"]
    assert tight.details[-2].startswith("total")


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
