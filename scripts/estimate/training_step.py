"""What chat_completion_pipeline makes of its parameters: the training step that memory and time are estimated for.

The rules are the component's own (version 0.0.82, its finetune.py, zero2.json and zero3.json), not what its description
says. Where they leave something open, the assumption that needs more memory is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.azure.cards import Card
from scripts.azure.model_shapes import Shape
from scripts.estimate.memory import Step


def truncation(parameters: Mapping[str, Any], shape: Shape) -> int:
    """Returns the length at which the component cuts conversations: max_seq_length, at most what the model takes."""
    asked = int(parameters.get("max_seq_length", -1))
    return min(asked, shape.context) if asked > 0 else shape.context


def step(parameters: Mapping[str, Any], shape: Shape, card: Card, longest: int | None = None) -> Step:
    """Returns the step of one GPU; `longest` is the data's longest conversation in tokens, where it is known."""
    sequence = truncation(parameters, shape)
    if longest and not is_true(parameters, "pad_to_max_length"):
        sequence = min(sequence, longest)
    lora, deepspeed = is_true(parameters, "apply_lora"), is_true(parameters, "apply_deepspeed")
    stage = str(parameters.get("deepspeed_stage", "2"))
    half = str(parameters.get("precision", "32")) == "16"
    # Without DeepSpeed, a card that has no bfloat16 trains with automatic mixed precision over 32-bit weights.
    weights = "16" if half and (card.bf16 or deepspeed) else "32"
    return Step(
        shape=shape,
        batch=int(parameters.get("per_device_train_batch_size", 1)),
        sequence=sequence,
        gpus=int(parameters.get("number_of_gpu_to_use_finetuning", 1)) * int(parameters.get("num_nodes_finetune", 1)),
        lora_rank=int(parameters.get("lora_r", 8))
        if lora
        else 0,  # of all linear modules: the model's list is not known
        lora_dropout=lora and float(parameters.get("lora_dropout", 0)) > 0,
        weights=weights,
        states="mixed",
        checkpointing=not lora or deepspeed,  # set_gradient_checkpointing: never for LoRA alone
        loss="upcast",
        sharding=f"zero{stage}" if deepspeed else "none",
        offload_optimizer=deepspeed,  # zero2.json and zero3.json: offload_optimizer, device cpu
        offload_weights=deepspeed and stage == "3",  # zero3.json: offload_param, device cpu
        turing=card.gpu == "T4",
    )


def host_gib(made: Step, gpus_per_node: int) -> float:
    """Returns GiB of the host's memory that offloaded states take on one node: weights and 32-bit optimizer states."""
    parameters = made.shape.parameters
    trained = made.shape.lora_parameters(made.lora_rank, made.lora_targets) if made.lora_rank else parameters
    share = gpus_per_node / max(made.gpus, gpus_per_node)
    held = 16.0 * trained * share if made.offload_optimizer else 0.0
    held += 2.0 * parameters * share if made.offload_weights else 0.0
    return held / 2**30


def is_true(parameters: Mapping[str, Any], name: str) -> bool:
    """Tells whether a parameter is the component's "true"."""
    return str(parameters.get(name, "false")).lower() == "true"
