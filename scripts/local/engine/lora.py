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

from scripts.azure import component_rules, model_shapes
from scripts.azure import lora as component
from scripts.azure.references import REGISTRY
from scripts.conversation.model_folder import ADAPTER
from scripts.errors import UserError
from scripts.local.engine.model_import import BaseModel

Targets = tuple[str, ...] | str


def targets(model: Any, values: dict[str, Any], base: BaseModel) -> tuple[Targets, list[str]]:
    """Returns the modules on which the component would put adapters, and lines for the log that say why.

    A `UserError` where the component would stop: its own LoRA does not take every type of model. Where a small model
    stands in for another one, the other one's type decides whether the job runs, and the stand-in's which modules.
    """
    stage_3 = component_rules.applies("weights-from-the-host", values)
    model_type = str(model.config.model_type)
    registered = REGISTRY.fullmatch(base.reference)
    shape = model_shapes.find(registered["name"] if registered else base.reference)
    meant = shape.model_type if base.stand_in and shape else model_type
    wanted = component.plan(meant, base.config, stage_3)
    told = any(key in base.config for key in component.KEYS)
    if wanted.fault and (told or not registered):
        raise UserError(f"{wanted.fault}; set in the file of finetune_config_path: {wanted.todo}.")
    lines = [f"no effect here: finetune config {key}, as lora_algo is {wanted.algorithm}" for key in wanted.ignored]
    found = wanted.modules
    if base.stand_in and meant != model_type:
        found = component.plan(model_type, {"lora_algo": wanted.algorithm}, stage_3=False).modules
        lines += [f"{base.reference} itself gets them on {_shown(wanted.modules)}"] if wanted.modules else []
    how = f"the component's own LoRA ({component.CUSTOM})" if wanted.algorithm == component.CUSTOM else "PEFT"
    lines.append(f"adapters by {how} on {_shown(found)}, as for model type {model_type}")
    if registered and not told:
        lines.append(
            f"unverified: {registered['name']} brings a finetune config of its own from the registry, which may name "
            "other modules"
        )
    return found, lines


def add_adapters(model: Any, values: dict[str, Any], targets: Targets) -> Any:
    """Wraps the model with LoRA adapters on `targets`, the names of modules or a pattern."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=values["lora_r"],
        lora_alpha=values["lora_alpha"],
        lora_dropout=values["lora_dropout"],
        target_modules=targets if isinstance(targets, str) else list(targets),
        task_type="CAUSAL_LM",
    )
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        raise UserError(
            f"lora_target_modules: {_shown(targets)} does not fit this model ({str(error).splitlines()[0]})"
        ) from None
    if not values["lora_dropout"]:
        _write_out(adapted)
    return adapted


def _shown(targets: Targets) -> str:
    return targets if isinstance(targets, str) else ", ".join(targets)


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
