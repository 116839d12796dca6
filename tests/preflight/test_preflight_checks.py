"""The checks that need no account: each with a case that it stops and one that it lets pass."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from scripts.preflight import checklist
from scripts.preflight.finding import FAIL, PASS, SKIPPED, WARN
from tests.preflight import test_preflight_limits
from tests.preflight.conftest import DATA, SCALES, finding, made

ROOT = Path(__file__).parents[2]


T4 = "Standard_NC4as_T4_v3"
A100 = "Standard_NC24ads_A100_v4"
LLAMA = ["model.name=Llama-2-7b-chat", 'model.version="27"']  # of a type for which the component forces much
PROBES = [f"deployment.{name}.{key}" for name in ("liveness_probe", "readiness_probe")
          for key in ("initial_delay=500", "period=100", "failure_threshold=30")]  # fmt: skip
QWEN = ["model.huggingface_id=Qwen/Qwen2.5-7B-Instruct", "model.name=Qwen2.5-7B-Instruct"]  # of another
TUNES = ["job.kind=finetuning", "dataset.splits.heldout=null"]
CASES = [  # check, status, what the sentence or its way out has to name, environment, --set
    ("model-lifecycle", FAIL, "Phi-4", "reference", ["preflight.retired_model=fail"]),
    ("model-lifecycle", WARN, "2025-08-30", "reference", ["preflight.retired_model=warn"]),
    ("model-lifecycle", PASS, "Phi-4", "prod", []),
    ("lock", PASS, "make lock ENV=prod", "prod", []),
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
    ("job-kind", FAIL, "no place", "reference", ["job.kind=finetuning"]),
    ("job-kind", WARN, "experimental", "reference", TUNES),
    ("job-kind", FAIL, "num_nodes_finetune: found 2", "reference", [*TUNES, "finetune.num_nodes_finetune=2"]),
    ("job-kind", PASS, "type: pipeline", "reference", []),
    ("gpus-per-node", FAIL, "has 1", "reference", ["finetune.number_of_gpu_to_use_finetuning=2"]),
    ("gpus-per-node", PASS, "all 4", "reference", ["compute.size=Standard_NC96ads_A100_v4"]),
    ("deepspeed", FAIL, "auto_find_batch_size", "reference", ["finetune.auto_find_batch_size=true"]),
    ("deepspeed", FAIL, "apply_ort", "prod", ["finetune.apply_ort=true", "finetune.deepspeed_stage=3"]),
    ("deepspeed", PASS, "", "reference", []),
    ("onnx-runtime", WARN, "no effect", "reference", ["finetune.apply_ort=true"]),
    ("onnx-runtime", PASS, "", "reference", []),
    ("checkpointing", PASS, "gpu-memory counts that", "reference", ["finetune.apply_deepspeed=false"]),
    ("checkpointing", PASS, "is of type phi3", "prod", []),
    ("checkpointing", PASS, "finetune_config does not turn it on", "reference", QWEN),
    ("checkpointing", WARN, "'s is not known", "reference", ["model.huggingface_id=o/Unseen", "model.name=Unseen"]),
    ("checkpointing", PASS, "", "reference",
     [*QWEN, "model.finetune_config.hf_trainer_args.gradient_checkpointing=true"]),
    ("checkpointing", PASS, "computed again", "reference", LLAMA),
    ("precision", FAIL, "Flash Attention is not supported", "reference", ['finetune.precision="32"']),
    ("precision", PASS, "bfloat16", "demo", []),
    ("precision", PASS, "forced for other model types only", "prod", []),
    ("precision", PASS, "with flash attention", "reference", LLAMA),
    ("precision", PASS, "without flash attention", "reference", QWEN),
    ("precision", PASS, "with flash attention", "reference",
     [*QWEN, "model.finetune_config.load_model_kwargs.attn_implementation=flash_attention_2"]),
    ("precision", WARN, "PR#1758", "reference", [*LLAMA, "finetune.apply_deepspeed=false"]),
    ("evaluation", FAIL, "evaluation_strategy to epoch", "reference",
     ["finetune.apply_early_stopping=true", "finetune.evaluation_strategy=disable"]),
    ("evaluation", PASS, "", "reference", []),
    ("learning-rate", FAIL, "not above 0", "reference", ["finetune.learning_rate=0"]),
    ("learning-rate", WARN, "5e-07 to 5e-05", "reference", ["finetune.learning_rate=1e-3"]),
    ("learning-rate", FAIL, "forget all", "reference", ["finetune.learning_rate=5e-3"]),
    ("learning-rate", FAIL, "learn nothing", "reference", ["finetune.learning_rate=5e-9"]),
    ("learning-rate", WARN, "which is what chat models take", "demo", ["finetune.learning_rate=0.1"]),
    ("learning-rate", FAIL, "between 1e-07 and 0.005", "demo", ["finetune.learning_rate=0.5"]),
    ("learning-rate", PASS, "", "demo", []),
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
    ("deepspeed-stage", WARN, 'deepspeed_stage to "2"', "prod", ["finetune.deepspeed_stage=3"]),
    ("deepspeed-stage", PASS, "is needed", "prod",
     ["finetune.deepspeed_stage=3", "finetune.max_seq_length=16384", f"compute.size={A100}",
      "finetune.per_device_train_batch_size=8"]),
    ("deepspeed-stage", SKIPPED, "", "reference", []),
    ("serving-memory", FAIL, "does not fit", "prod", [f"deployment.instance_type={T4}"]),
    ("serving-memory", PASS, "fits", "prod", []),
    ("time-and-cost", PASS, "USD", "reference", []),
    ("time-and-cost", WARN, "num_train_epochs", "reference", ["finetune.num_train_epochs=200"]),
    ("model-registry", PASS, "azureml", "reference", []),
    ("model-registry", PASS, "", "reference", ["model.registry=AzureML-Meta"]),
    ("model-registry", FAIL, "did you mean 'azureml'", "reference", ["model.registry=azurml"]),
    ("model-registry", WARN, "not known offline", "reference", ["model.registry=our-models"]),
    ("model-version", PASS, "Phi-4 version 8", "prod", []),
    ("model-version", FAIL, 'make lock ENV=prod asks the registry; or take "8"', "prod", ['model.version="99"']),
    ("model-version", FAIL, "was written for another model than Phi-4", "reference", ["model.name=Phi-4"]),
    ("model-version", FAIL, 'beside model.name: "8"', "reference", ["model.name=Phi-4"]),
    ("model-version", PASS, "", "reference", ["model.name=Phi-4", 'model.version="8"']),
    ("model-version", SKIPPED, "", "demo", []),
    ("model-version", FAIL, "give model.name beside model.huggingface_id: Else", "reference",
     ["model.huggingface_id=someone/Else"]),
    ("gpu-memory", SKIPPED, "is not known", "reference", ["model.huggingface_id=someone/Else"]),
    ("lora", FAIL, "lora_algo: peft and lora_target_modules: [qkv_proj", "dev",
     ["model.huggingface_id=microsoft/phi-4"]),
    ("learning-rate", WARN, "set it between 5e-07 and 5e-05", "reference", ["finetune.learning_rate=1e-3"]),
    ("serving-memory", FAIL, "lower deployment.max_concurrent_requests_per_instance (now 1000)", "reference",
     ["deployment.max_concurrent_requests_per_instance=1000"]),
    ("node-disk", PASS, "3 x 0.3 GB", "demo", []),
    ("region-exists", PASS, "eastus", "reference", []),
    ("region-exists", FAIL, "did you mean 'eastus'", "reference", ["azure.region=eastsu"]),
    ("cluster-name", PASS, "3 to 16", "reference", []),
    ("cluster-name", WARN, "until 2022", "reference", ["compute.name=gpu-cluster-of-us"]),
    ("low-priority", PASS, "not taken away", "reference", []),
    ("low-priority", WARN, "resume_from_checkpoint to true", "reference", ["compute.tier=low_priority"]),
    ("low-priority", WARN, "USD may be lost", "reference", ["compute.tier=low_priority"]),
    ("low-priority", WARN, "evaluation_strategy to epoch", "reference",
     ["compute.tier=low_priority", "finetune.resume_from_checkpoint=true", "finetune.evaluation_strategy=disable"]),
    ("low-priority", PASS, "from its last checkpoint", "reference",
     ["compute.tier=low_priority", "finetune.resume_from_checkpoint=true"]),
    ("data-source", PASS, "scripts/catalog/demo", "demo", []),
    ("data-source", FAIL, "no such file or folder", "demo", ["dataset.source=data/nowhere.jsonl"]),
    ("data-source", FAIL, "no file matches", "demo", ["dataset.source=./nowhere/*.jsonl"]),
    ("data-source", SKIPPED, "Hugging Face hub", "reference", []),
    ("data-source", SKIPPED, "the workspace's", "reference", ["dataset.source=azureml:chats:1"]),
    ("numbers", PASS, "", "reference", []),
    ("numbers", PASS, "", "reference", ["finetune.learning_rate=0.1"]),  # judged by its own check alone
    ("numbers", FAIL, "milliseconds", "reference", ["deployment.request_timeout_ms=90"]),
    ("numbers", FAIL, "compute.idle_time_before_scale_down to at most 86400", "reference",
     ["compute.idle_time_before_scale_down=1200000"]),
    ("numbers", FAIL, "an adapter of a higher rank", "reference", ["finetune.lora_r=4096"]),
    ("node-disk", PASS, "unverified: one of", "prod", []),
    ("node-disk", WARN, "3 x 29 GB", "prod", [f"compute.size={A100}"]),
    ("node-disk", PASS, "3 x 8 GB", "reference", []),
    ("probes", WARN, "readiness_probe gives up after 120 s", "reference",
     ["deployment.readiness_probe.initial_delay=20", "deployment.readiness_probe.period=10",
      "deployment.readiness_probe.failure_threshold=10"]),
    ("probes", PASS, "", "reference", PROBES),
    ("endpoint-auth", WARN, "AzureML Data Scientist", "reference", ["endpoint.auth_mode=aad_token"]),
    ("endpoint-auth", PASS, "", "reference", []),
    ("price-age", WARN, "2024-09", "demo", []),
    ("price-age", PASS, "2026-11-09", "reference", []),
    ("price-age", SKIPPED, "", "reference", ["compute.price_per_hour=3", "deployment.price_per_hour=3"]),
    ("endpoint-cost", PASS, "88.15 USD a day", "reference", []),
    ("endpoint-cost", PASS, "48.00 USD a day", "reference", ["deployment.price_per_hour=2"]),
    ("endpoint-cost", PASS, "48.00 USD a day and up to 144.00 with 3 machines", "reference",
     ["deployment.price_per_hour=2", SCALES]),
    ("endpoint-cost", PASS, "96.00 USD a day", "reference",
     ["deployment.price_per_hour=2", "deployment.rollout.keep_previous=true"]),
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
    for name, status, *_ in [*CASES, *test_preflight_limits.CASES]:
        covered.setdefault(name, set()).add(status)
    # the other cases of these are tests of their own
    always = {
        "az-extension",
        "data-own",
        "data-content",
        "data-left-out",
        "data-unused",
        "data-files",
        "training-rows",
        "lock",
        "rendered",
        "endpoint-cost",
    }
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
        finding("gpu-memory", made("reference", *LLAMA, f"finetune.per_device_train_batch_size={batch}"))
        for batch in range(8, 40)
    ]
    statuses = [each.status for each in found]
    assert set(statuses) == {PASS, WARN, FAIL}
    assert statuses == sorted(statuses, key=(PASS, WARN, FAIL).index)  # a larger batch never fits better
    tight = next(each for each in found if each.status == WARN)
    assert tight.details[-1].split() == ["card", "79.10", "GiB"]
    assert tight.details[-2].startswith("total")


def test_both_memories_are_said_where_nobody_can_know() -> None:
    """What a look at Phi-4 on one H100 found: 16 GiB or 59 at 4,096 tokens, 42 or 213 at 16,384."""
    none: dict[str, Any] = {}
    short = finding("gpu-memory", made("prod", "finetune.max_seq_length=4096", "finetune.deepspeed_stage=3", data=none))
    assert short.status == PASS
    assert "16.3 of 93.0 GiB" in short.sentence
    assert "if activations are computed again, 59.0 if they are kept" in short.sentence
    long = finding("gpu-memory", made("prod", "finetune.max_seq_length=16384", "finetune.deepspeed_stage=3", data=none))
    assert long.status == WARN
    assert "training may not fit: 41.8 of 93.0 GiB" in long.sentence
    assert "212.7 if they are kept" in long.sentence
    tight = finding("gpu-memory", made("prod", "finetune.max_seq_length=6500", "finetune.deepspeed_stage=3", data=none))
    assert "training is tight" in tight.sentence
    sure = finding("gpu-memory", made("reference", *LLAMA, data=none))
    assert "if they are kept" not in sure.sentence
    kept = finding("gpu-memory", made("reference", *QWEN, data=none))
    assert "if they are kept" not in kept.sentence  # a hub model's configuration is all in the values
    again = "model.finetune_config.hf_trainer_args.gradient_checkpointing=true"
    less = finding("gpu-memory", made("reference", *QWEN, again, data=none))
    assert gib(less.details) < gib(kept.details)


def gib(details: tuple[str, ...]) -> float:
    return float(next(line for line in details if line.startswith("total")).split()[1])


def test_all_odd_numbers_are_told_at_once() -> None:
    found = finding("numbers", made("reference", "deployment.request_timeout_ms=90", "finetune.lora_alpha=90000"))
    assert "finetune.lora_alpha" in found.sentence
    assert [line for line in found.details if "deployment.request_timeout_ms: 90, allowed: 1000 or more" in line]
