"""Shapes: every sum by hand, on a model small enough to count."""

from __future__ import annotations

import dataclasses

import pytest

from scripts.azure import model_shapes
from scripts.azure.model_shapes import ALL_LINEAR, Shape

# 2 layers, 6 wide, 3 heads of 2, one of keys and values, MLPs of 10, 50 words
SMALL = Shape("small", 2, 6, 3, 1, 2, 10, 50, True, 64)
ATTENTION = 6 * 6 + 6 * 2 + 6 * 2 + 6 * 6  # q, k, v, o
MLP = 3 * 6 * 10  # gate, up, down


def test_modules_are_inputs_by_outputs() -> None:
    wanted = {
        "q": (6, 6),
        "k": (6, 2),
        "v": (6, 2),
        "o": (6, 6),
        "gate": (6, 10),
        "up": (6, 10),
        "down": (10, 6),
        "lm_head": (6, 50),
    }
    assert {name: SMALL.module(name) for name in (*ALL_LINEAR, "lm_head")} == wanted


def test_sums() -> None:
    assert SMALL.linear == 2 * (ATTENTION + MLP)
    assert SMALL.embedding_and_head == 50 * 6
    assert SMALL.parameters == 2 * (ATTENTION + MLP) + 50 * 6 + 6 * 5  # and five norms
    assert SMALL.flops_parameters == 2 * (ATTENTION + MLP) + 50 * 6
    assert SMALL.largest_layer == 300
    assert dataclasses.replace(SMALL, intermediate=90).largest_layer == 540


def test_an_untied_head_and_biases_are_more() -> None:
    assert dataclasses.replace(SMALL, tied=False).parameters == SMALL.parameters + 300
    assert dataclasses.replace(SMALL, qkv_bias=True).parameters == SMALL.parameters + 2 * (3 + 1 + 1) * 2


def test_experts_are_held_all_and_used_few() -> None:
    mixture = dataclasses.replace(SMALL, experts=4, active_experts=2)
    assert mixture.linear == 2 * (ATTENTION + 4 * MLP + 6 * 4)  # and a router
    assert mixture.flops_parameters == 2 * (ATTENTION + 2 * MLP) + 300
    assert mixture.lora_parameters(3, ("down",)) == 2 * 4 * 3 * 16
    assert mixture.lora_parameters(3, ("o",)) == 2 * 3 * 12


def test_an_adapter_is_rank_by_inputs_and_outputs() -> None:
    assert SMALL.lora_parameters(3, ("q", "k")) == 2 * 3 * (12 + 8)
    assert SMALL.lora_parameters(3, ("lm_head",)) == 3 * 56
    assert SMALL.lora_parameters(0, ALL_LINEAR) == 0


@pytest.mark.parametrize(
    "names", [("Phi-4",), ("microsoft/phi-4",), ("nobody/phi-4",), (None, "phi-4"), ("nobody", "Phi-4")]
)
def test_a_shape_is_found_by_any_of_its_names(names: tuple[str | None, ...]) -> None:
    found = model_shapes.find(*names)
    assert found
    assert found.name == "Phi-4"
    assert model_shapes.find("nobody") is model_shapes.find(None) is model_shapes.find() is None
