"""LoRA adapters: PEFT's, with their arithmetic written out so that less of it is memory traffic.

PEFT makes, names, merges and saves the adapters. Its forward pass casts, scales and adds in separate operations, and
autograd keeps what each of them needs; here one autograd function a layer does a product for the layer, two narrow ones
for the adapter that accumulate in place, and keeps the input and r numbers a token. The adapters are fp32 (so that
small updates are not lost) and take part in the layer's own precision.
"""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from scripts.conversation.model_folder import ADAPTER
from scripts.errors import UserError


def add_adapters(model: Any, values: dict[str, Any], targets: list[str] | None) -> Any:
    """Wraps the model with LoRA adapters on `targets` (every linear layer but the head, unless given)."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=values["lora_r"],
        lora_alpha=values["lora_alpha"],
        lora_dropout=values["lora_dropout"],
        target_modules=targets or "all-linear",
        task_type="CAUSAL_LM",
    )
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        raise UserError(
            f"lora_target_modules: {targets} does not fit this model ({str(error).splitlines()[0]})"
        ) from None
    if not values["lora_dropout"]:
        _write_out(adapted)
    return adapted


def merged(model: Any, folder: Path) -> Any:
    """Returns the model of an MLflow model's folder with the adapters that were not merged when it was written."""
    if not (folder / ADAPTER).is_dir():
        return model
    from peft import PeftModel

    return PeftModel.from_pretrained(model, folder / ADAPTER).merge_and_unload()


def _write_out(adapted: Any) -> None:
    """Replaces the forward pass of PEFT's linear layers; dropout between the input and the adapter rules it out."""
    from peft.tuners.lora import Linear

    for layer in adapted.modules():
        if isinstance(layer, Linear) and isinstance(layer.base_layer, torch.nn.Linear):
            layer.forward = types.MethodType(_forward, layer)  # type: ignore[method-assign]


def _forward(layer: Any, inputs: torch.Tensor) -> torch.Tensor:
    name = layer.active_adapters[0]
    base, down, up = layer.base_layer, layer.lora_A[name].weight, layer.lora_B[name].weight
    if layer.disable_adapters or layer.merged:
        return base(inputs)
    return _LowRank.apply(inputs, base.weight, base.bias, down, up, layer.scaling[name])


class _LowRank(torch.autograd.Function):
    """x W' + bias + scale (x A') B', with W frozen."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        flat = inputs.reshape(-1, inputs.shape[-1])
        down, up = down.to(flat.dtype), up.to(flat.dtype)
        narrow = flat @ down.T
        output = F.linear(flat, weight, bias).addmm_(narrow, up.T, alpha=scale)
        ctx.save_for_backward(flat, weight, down, up, narrow)
        ctx.scale = scale
        return output.view(*inputs.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        flat, weight, down, up, narrow = ctx.saved_tensors
        over = upstream.reshape(-1, upstream.shape[-1])
        back = (over @ up).mul_(ctx.scale)
        towards = None
        if ctx.needs_input_grad[0]:
            towards = torch.mm(over, weight).addmm_(back, down).view(*upstream.shape[:-1], -1)
        return towards, None, None, (back.T @ flat).float(), (over.T @ narrow).float().mul_(ctx.scale), None
