"""What chat_completion_pipeline makes of its parameters: the training step that memory and time are estimated for.

The rules are the component's own (version 0.0.82, its finetune.py, zero2.json and zero3.json), not what its description
says. Where they leave something open, the assumption that needs more memory is taken. Parameters are as
`Component.native` makes them.
"""

from __future__ import annotations

from scripts.azure.component_rules import Parameters, applies
from scripts.azure.machine_sizes import Card
from scripts.azure.model_shapes import Shape
from scripts.estimate.memory import GIB, Step

OFFLOADED_BYTES = 16.0  # per trained parameter that DeepSpeed keeps on the host: 32-bit weights, gradient and states


def truncation(given: Parameters, shape: Shape) -> int:
    """Returns the length at which the component cuts conversations: max_seq_length, at most what the model takes."""
    asked = int(given["max_seq_length"])
    return min(asked, shape.context) if asked > 0 else shape.context


def step(
    given: Parameters, shape: Shape, card: Card, longest: int | None = None, recomputed: bool | None = None
) -> Step:
    """Returns the step of one GPU; `longest` is the data's longest conversation in tokens, where it is known.

    `recomputed` tells whether activations are computed again, not kept; None takes what LoRA and DeepSpeed alone say.
    """
    sequence = truncation(given, shape)
    if longest and not given["pad_to_max_length"]:
        sequence = min(sequence, longest)
    lora, deepspeed, half = given["apply_lora"], given["apply_deepspeed"], not applies("32-bit", given)
    return Step(
        shape=shape,
        batch=given["per_device_train_batch_size"],
        sequence=sequence,
        gpus=given["number_of_gpu_to_use_finetuning"] * given["num_nodes_finetune"],
        lora_rank=given["lora_r"] if lora else 0,  # of all linear modules: the model's list is not known
        lora_dropout=lora and given["lora_dropout"] > 0,
        # Without DeepSpeed, a card that has no bfloat16 trains with automatic mixed precision over 32-bit weights.
        weights="16" if half and (card.bf16 or deepspeed) else "32",
        states="mixed",
        checkpointing=not applies("activations-kept", given) if recomputed is None else recomputed,
        loss="upcast",
        sharding=f"zero{given['deepspeed_stage']}" if deepspeed else "none",
        offload_optimizer=deepspeed,  # zero2.json and zero3.json: offload_optimizer, device cpu
        offload_weights=applies("weights-from-the-host", given),  # zero3.json: offload_param, device cpu
        turing=card.gpu == "T4",
    )


def host_gib(made: Step, gpus_per_node: int) -> float:
    """Returns GiB of the host's memory that offloaded states take on one node: weights and 32-bit optimizer states."""
    parameters = made.shape.parameters
    trained = made.shape.lora_parameters(made.lora_rank, made.lora_targets) if made.lora_rank else parameters
    share = gpus_per_node / max(made.gpus, gpus_per_node)
    held = OFFLOADED_BYTES * trained * share if made.offload_optimizer else 0.0
    held += 2.0 * parameters * share if made.offload_weights else 0.0
    return held / GIB
