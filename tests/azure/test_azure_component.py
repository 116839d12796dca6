"""The component: its inputs' types and bounds, what it demands of parameters together, and a lock's copy of it."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.azure import component, component_rules
from scripts.azure.catalog import read_catalog
from scripts.azure.component import Input
from scripts.azure.component_rules import applies

INPUTS = component.catalog().inputs


@pytest.mark.parametrize(
    ("name", "given", "typed"),
    [
        ("num_train_epochs", "3", 3), ("num_train_epochs", 3, 3), ("num_train_epochs", 3.0, 3),
        ("num_train_epochs", "3.0", 3),
        ("learning_rate", "5e-6", 5e-6), ("learning_rate", 1, 1.0), ("precision", 16, "16"), ("precision", "16", "16"),
        ("apply_lora", True, "true"), ("apply_lora", "true", "true"), ("deepspeed_stage", 3, "3"),
        ("huggingface_id", "a/b", "a/b"),
    ],
)  # fmt: skip
def test_a_value_gets_the_inputs_type(name: str, given: object, typed: object) -> None:
    found = INPUTS[name].typed(given)
    assert found == typed
    assert type(found) is type(typed)


@pytest.mark.parametrize(
    ("name", "given"),
    [("num_train_epochs", "ten"), ("num_train_epochs", 2.5), ("num_train_epochs", "1.5"), ("num_train_epochs", True),
     ("num_train_epochs", None), ("num_train_epochs", "inf"), ("learning_rate", "fast"), ("learning_rate", False),
     ("learning_rate", [1])],
)  # fmt: skip
def test_a_value_of_another_type_is_a_value_error(name: str, given: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        INPUTS[name].typed(given)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("precision", "8", "32, 16"), ("precision", "16", ""), ("apply_lora", "True", "true, false"),
        ("num_train_epochs", 0, "1 or more"), ("num_train_epochs", 1, ""), ("learning_rate", 0, "more than 0"),
        ("learning_rate", 1e-9, ""), ("lora_dropout", 1.0, "0 to below 1"), ("lora_dropout", 0.0, ""),
        ("evaluation_steps_interval", 1.0, ""), ("evaluation_steps_interval", 1.1, "0 to 1"),
        ("huggingface_id", "x", ""),
        ("num_nodes_finetune", 0, "1 or more"), ("max_seq_length", -1, ""), ("max_seq_length", -2, "-1 or more"),
    ],
)  # fmt: skip
def test_what_is_allowed_is_said(name: str, value: Any, allowed: str) -> None:
    assert INPUTS[name].fault(value) == allowed


def test_bounds_of_the_interface_come_before_those_of_the_code() -> None:
    assert Input("learning_rate", "number").limit.above == 0  # type: ignore[union-attr]
    own = Input("learning_rate", "number", min=5, max=7)
    assert [own.fault(number) for number in (4, 5, 7, 8)] == ["5 to 7", "", "", "5 to 7"]
    assert Input("learning_rate", "number", max=7).fault(8)
    assert Input("x", "integer").limit is None


def test_every_input_has_a_native_value() -> None:
    given = component.catalog().native({"learning_rate": "1e-3", "apply_lora": "true", "lora_r": "", "seed": None})
    assert set(given) == set(INPUTS)
    assert (given["learning_rate"], given["apply_lora"], given["merge_lora_weights"]) == (0.001, True, True)
    assert (given["lora_r"], given["seed"], given["adam_epsilon"]) == (8, 42, 1e-8)
    assert (given["precision"], given["train_file_path"], given["apply_deepspeed"]) == ("32", None, False)


def test_kinds_of_inputs() -> None:
    assert INPUTS["apply_lora"].is_switch
    assert not INPUTS["precision"].is_switch
    assert INPUTS["train_file_path"].takes_files
    assert not INPUTS["huggingface_id"].takes_files
    assert not INPUTS["task_name"].optional
    assert INPUTS["precision"].optional


def test_the_row_is_the_catalogs_again() -> None:
    row = read_catalog("chat_completion_pipeline.json")
    again = component.catalog().as_row()
    assert again["inputs"]["precision"] == row["inputs"]["precision"]
    assert again["inputs"]["num_nodes_finetune"] == row["inputs"]["num_nodes_finetune"]
    assert again["inputs"]["adam_epsilon"]["default"] == 1e-8
    assert (again["component"], again["version"], again["type"]) == (
        "chat_completion_pipeline",
        row["version"],
        "pipeline",
    )
    assert again["outputs"] == row["outputs"]
    assert "seen" not in again
    assert component.read(again) == component.catalog()


def test_texts_of_the_wire_become_types() -> None:
    inputs = {"epochs": {"type": "integer", "default": "3", "min": "1", "optional": "True"},
              "rate": {"type": "number", "max": "0.5", "optional": "False"},
              "way": {"type": "string", "enum": ["a", "b"], "default": "a"}}  # fmt: skip
    made = component.read(
        {"component": "c", "version": "1", "inputs": inputs, "outputs": {"o": {"type": "uri_folder"}}}
    )
    assert made.inputs["epochs"] == Input("epochs", "integer", 3, min=1, optional=True)
    assert (made.inputs["rate"].max, made.inputs["rate"].optional, made.inputs["rate"].default) == (0.5, False, None)
    assert made.inputs["way"].enum == ("a", "b")
    assert made.outputs["o"].type == "uri_folder"


def given(**changes: Any) -> dict[str, Any]:
    return component.catalog().native({}) | changes


@pytest.mark.parametrize(
    ("rule", "changes", "applied"),
    [
        ("early-stopping-without-evaluation", {"apply_early_stopping": True, "evaluation_strategy": "disable"}, True),
        ("early-stopping-without-evaluation", {"apply_early_stopping": True, "evaluation_strategy": "steps"}, False),
        ("early-stopping-without-evaluation", {"evaluation_strategy": "disable"}, False),
        ("deepspeed-with-batch-search", {"apply_deepspeed": True, "auto_find_batch_size": True}, True),
        ("deepspeed-with-batch-search", {"apply_deepspeed": True}, False),
        ("deepspeed-with-batch-search", {"auto_find_batch_size": True}, False),
        ("stage-3-with-onnx-runtime", {"apply_deepspeed": True, "deepspeed_stage": "3", "apply_ort": True}, True),
        ("stage-3-with-onnx-runtime", {"apply_deepspeed": True, "deepspeed_stage": "2", "apply_ort": True}, False),
        ("stage-3-with-onnx-runtime", {"deepspeed_stage": "3", "apply_ort": True}, False),
        ("stage-3-with-onnx-runtime", {"apply_deepspeed": True, "deepspeed_stage": "3"}, False),
        ("onnx-runtime", {"apply_ort": True}, True), ("onnx-runtime", {}, False),
        ("activations-kept", {"apply_lora": True}, True),
        ("activations-kept", {"apply_lora": True, "apply_deepspeed": True}, False),
        ("activations-kept", {}, False),
        ("adapter-left-beside", {"apply_lora": True, "merge_lora_weights": False}, True),
        ("adapter-left-beside", {"apply_lora": True}, False),
        ("adapter-left-beside", {"merge_lora_weights": False}, False),
        ("all-checkpoints-kept", {"save_total_limit": 0}, True),
        ("all-checkpoints-kept", {"save_total_limit": -1}, True),
        ("all-checkpoints-kept", {"save_total_limit": 1}, False),
        ("weights-from-the-host", {"apply_deepspeed": True, "deepspeed_stage": "3"}, True),
        ("weights-from-the-host", {"deepspeed_stage": "3"}, False),
        ("weights-from-the-host", {"apply_deepspeed": True}, False),
        ("32-bit", {}, True), ("32-bit", {"precision": "16"}, False),
    ],
)  # fmt: skip
def test_rules_about_several_parameters(rule: str, changes: dict[str, Any], applied: bool) -> None:
    assert applies(rule, given(**changes)) is applied


def test_facts_of_files() -> None:
    assert component_rules.FEWEST_ROWS == 10
    assert component_rules.FILES == ("train_file_path", "validation_file_path", "test_file_path")
    assert set(component_rules.PATHS) == {name for name, each in INPUTS.items() if each.takes_files} - {
        "evaluation_config"
    }
    assert set(component_rules.COMPUTES) == {name for name in INPUTS if name.startswith("compute_")}
    assert component_rules.FORBIDDEN == ("\\", "'")
    assert ".jsonl" in component_rules.FORMATS
    assert {*component_rules.MODEL_SOURCES, *component_rules.TRAINING_SOURCES} <= set(INPUTS)
    assert component_rules.MODEL_SOURCES[0] == "pytorch_model_path"


def test_an_input_that_does_not_say_so_is_required() -> None:
    inputs = {"said": {"type": "string", "optional": "True"}, "not_said": {"type": "string"}}
    made = component.read({"component": "c", "version": "1", "inputs": inputs, "outputs": {}})
    assert [made.inputs[name].optional for name in inputs] == [True, False]
