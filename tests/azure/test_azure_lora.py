"""How the component applies LoRA, by its published sources: which algorithm, which modules, what would stop it."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.azure import lora, model_shapes
from scripts.azure.lora import CUSTOM, PEFT

QV = ("q_proj", "v_proj")


@pytest.mark.parametrize(
    ("model_type", "config", "stage_3", "algorithm", "modules"),
    [
        ("llama", {}, False, CUSTOM, QV),
        ("llama", {"lora_algo": "auto"}, True, PEFT, QV),
        ("qwen2", {"lora_algo": "peft"}, False, PEFT, QV),
        ("phi3", {"lora_algo": "peft", "lora_target_modules": ["qkv_proj"]}, False, PEFT, ("qkv_proj",)),
        ("phi3", {"lora_algo": "peft", "lora_target_modules": ".*proj"}, True, PEFT, ".*proj"),
        ("falcon", {}, False, CUSTOM, ("query_key_value",)),
    ],
)
def test_what_is_adapted(
    model_type: str, config: dict[str, Any], stage_3: bool, algorithm: str, modules: tuple[str, ...] | str
) -> None:
    plan = lora.plan(model_type, config, stage_3)
    assert (plan.algorithm, plan.modules, plan.fault) == (algorithm, modules, "")


@pytest.mark.parametrize("model_type", ["phi3", "qwen2", "qwen3", "mistral", "gemma2"])
def test_the_own_wrapper_refuses_most_types(model_type: str) -> None:
    plan = lora.plan(model_type, {}, stage_3=False)
    assert f"does not take model type {model_type}" in plan.fault
    assert plan.todo.startswith("lora_algo: peft")
    assert ("lora_target_modules" in plan.todo) == (model_type == "phi3")  # of which PEFT has no default


def test_under_stage_3_the_converter_wants_the_algorithm_named() -> None:
    assert "would be the untrained one" in lora.plan("llama", {}, stage_3=True).fault
    assert "adapters of PEFT" in lora.plan("llama", {"lora_algo": "custom"}, stage_3=True).fault


def test_the_own_wrapper_reads_no_modules() -> None:
    assert lora.plan("llama", {"lora_target_modules": ["o_proj"]}, stage_3=False).ignored == ("lora_target_modules",)


def test_every_known_model_has_a_type() -> None:
    assert all(shape.model_type for shape in model_shapes.catalog().values())


def test_peft_has_the_defaults_that_the_catalog_says() -> None:
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as mapping

    known = lora._catalog("peft")
    assert {kind: mapping.get(kind) for kind in known} == dict(known)
    assert not set(lora._catalog("linear")) & set(mapping)
