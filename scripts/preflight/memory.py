"""Checks of memory: does a training step fit the GPU and the host, and does the model fit the card that serves it."""

from __future__ import annotations

from scripts.estimate import training_step as component
from scripts.estimate.memory import GIB, Memory, Step, estimate
from scripts.preflight.check import Finding, check, failed, passed, skipped, warned
from scripts.preflight.context import Context

WARN_SHARE = 0.9
SERVING_CONTEXT = 2.0  # GiB: CUDA context, kernels and workspaces of a server
HOST_SHARE = 0.85  # of the host's memory that training may take; the rest is the system's and the data loader's


def step_of(context: Context, role: str = "finetune") -> Step | None:
    """Returns the training step of these values on the size that trains, None where shape or card are not known."""
    card = context.card(role)
    if context.shape is None or card is None:
        return None
    return component.step(context.parameters, context.shape, card, longest(context))


def longest(context: Context) -> int | None:
    """Returns the longest conversation that a step may see, None where the data do not say for certain."""
    lengths = [context.data[name].longest for name in ("train", "validation") if name in context.data]
    return max(lengths) if lengths and all(lengths) else None


def table(memory: Memory, usable: float) -> tuple[str, ...]:
    """Returns the estimate as lines: term and GiB, and the card's memory under it."""
    rows = [*memory.rows(), ("card", usable)]
    return tuple(f"{name:<16} {gib:>7.2f} GiB" for name, gib in rows)


def serving_gib(context: Context) -> float | None:
    """Returns GiB that serving takes: 16-bit weights, and keys and values of one full-length conversation a request."""
    shape = context.shape
    if shape is None:
        return None
    tokens = min(shape.context, 4096)
    cache = 2 * 2 * shape.layers * shape.kv_heads * shape.head_dim * tokens
    requests = int(context.value("deployment.max_concurrent_requests_per_instance", 1))
    return (2 * shape.parameters + requests * cache) / GIB * 1.1 + SERVING_CONTEXT


@check("gpu-memory")
def gpu_memory(context: Context) -> Finding:
    """Fails when the estimate is above the card, warns when it is above 90 % of it."""
    card, step = context.card("finetune"), step_of(context)
    if step is None or card is None:
        return skipped(f"the shape of {context.model['name']} or its GPU is not known")
    memory = estimate(step)
    total = memory.total / GIB
    lines = table(memory, card.usable_gib)
    what = f"{total:.1f} of {card.usable_gib:.1f} GiB on each {card.gpu}"
    what += f" (batch {step.batch}, {step.sequence} tokens)"
    if total > card.usable_gib:
        return failed(f"{context.at('compute.size')}: training does not fit: {what}", _ways_out(context, step), *lines)
    if total > WARN_SHARE * card.usable_gib:
        return warned(f"{context.at('compute.size')}: training is tight: {what}", _ways_out(context, step), *lines)
    return passed(f"training fits: {what}", *lines)


def _ways_out(context: Context, step: Step) -> str:
    ways = []
    if step.batch > 1:
        ways.append("lower finetune.per_device_train_batch_size (and raise gradient_accumulation_steps)")
    ways.append(f"lower finetune.max_seq_length (now {step.sequence})")
    if not context.true("apply_deepspeed"):
        ways.append("set finetune.apply_deepspeed to true")
    elif step.sharding == "zero2":
        ways.append("set finetune.deepspeed_stage to 3")
    if not step.lora_rank:
        ways.append("set finetune.apply_lora to true")
    return f"{'; or '.join(ways)}; or take a larger card (make gpu ENV={context.environment})"


@check("host-memory")
def host_memory(context: Context) -> Finding:
    """Fails when what DeepSpeed moves to the host does not fit its memory."""
    size, step = context.size("finetune"), step_of(context)
    if size is None or step is None:
        return skipped(f"the shape of {context.model['name']} or its machine is not known")
    need = component.host_gib(step, size["gpus_per_node"])
    have = size["memory_gb"] * 1e9 / GIB
    if need > HOST_SHARE * have:
        return failed(
            f"{context.at('compute.size')}: DeepSpeed keeps {need:.0f} GiB on the host, {size['name']} has {have:.0f}",
            "take a size with more memory, more nodes, or finetune.apply_lora: true",
        )
    return passed(f"{need:.1f} of {have:.0f} GiB on the host")


@check("deepspeed-stage")
def deepspeed_stage(context: Context) -> Finding:
    """Warns when stage 3 fetches the weights from the host in every pass although stage 2 would fit the card."""
    card, step = context.card("finetune"), step_of(context)
    if step is None or card is None or not step.offload_weights or not step.lora_rank:
        return skipped("only for LoRA with DeepSpeed stage 3")
    two = component.step({**context.parameters, "deepspeed_stage": "2"}, step.shape, card, step.sequence)
    needed = estimate(two).total / GIB
    if needed <= WARN_SHARE * card.usable_gib:
        return warned(
            f"{context.at('finetune.deepspeed_stage')}: 3 keeps the weights on the host and fetches them in every "
            f"pass; stage 2 would fit ({needed:.1f} of {card.usable_gib:.1f} GiB) and be several times faster",
            'set finetune.deepspeed_stage to "2" unless the memory is needed',
        )
    return passed(f"stage 3 is needed: stage 2 would take {needed:.1f} of {card.usable_gib:.1f} GiB")


@check("serving-memory")
def serving_memory(context: Context) -> Finding:
    """Fails when the model does not fit the GPUs that serve it."""
    size, card, need = context.size("inference"), context.card("inference"), serving_gib(context)
    if size is None or card is None or need is None:
        return skipped(f"the shape of {context.model['name']} or its GPU is not known")
    have = card.usable_gib * size["gpus_per_node"]
    what = f"{need:.1f} of {have:.1f} GiB on {size['gpus_per_node']} x {card.gpu}"
    if need > have:
        return failed(
            f"{context.at('deployment.instance_type')}: the model does not fit: {what}",
            f"take a larger size (make gpu ENV={context.environment})",
        )
    if need > WARN_SHARE * have:
        return warned(
            f"{context.at('deployment.instance_type')}: the model fits barely: {what}",
            "take a larger size, or lower deployment.max_concurrent_requests_per_instance",
        )
    return passed(f"the model fits: {what}")
