"""Checks of memory: does a training step fit the GPU and the host, and does the model fit the card that serves it."""

from __future__ import annotations

from scripts.azure.component_rules import applies
from scripts.estimate.memory import Memory, Step
from scripts.estimate.what_if import serving_on, training_on
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, failed, passed, skipped, warned

# A user's measurement on nodes of NC24ads_A100_v4, whatever the size's page says; unverified for other sizes.
NODE_DISK_GB = 64.0
KEPT = (
    "the component computes activations again for some model types only, and what this model's own configuration "
    "says is not known outside Azure"
)


def gpu_memory(context: Context) -> Finding:
    """Fails when the estimate is above the card, warns when it is above 90 % of it.

    Where nobody can know whether activations are kept there are two estimates: the lower one decides whether the run
    fails, the higher one whether it is safe.
    """
    training = training_on(context, context.size("finetune"))
    if training is None:
        return skipped(f"the shape of {context.model.name} or its GPU is not known")
    card, step, lines = training.card, training.step, _table(training.memory, training.card.usable_gib)
    what = f"{training.gib:.1f} of {card.usable_gib:.1f} GiB on each {card.gpu}"
    what += f" (batch {step.batch}, {step.sequence} tokens)"
    where, kept = f"{context.at('compute.size')}: training", training.keeping()
    if training.unsure:
        what += f" if activations are computed again, {kept.gib:.1f} if they are kept"
    if not training.fits:
        return failed(f"{where} does not fit: {what}", _ways_out(context, step), *lines)
    if training.unsure and kept.is_tight:
        word = "is tight" if kept.fits else "may not fit"
        return warned(f"{where} {word}: {what}; {KEPT}", _ways_out(context, step), *lines)
    if training.is_tight:
        return warned(f"{where} is tight: {what}", _ways_out(context, step), *lines)
    return passed(f"training fits: {what}", *lines)


def _table(memory: Memory, usable: float) -> tuple[str, ...]:
    """Returns the estimate as lines: term and GiB, and the card's memory under it."""
    return tuple(f"{name:<16} {gib:>7.2f} GiB" for name, gib in [*memory.rows(), ("card", usable)])


def _ways_out(context: Context, step: Step) -> str:
    ways = []
    if step.batch > 1:
        ways.append("lower finetune.per_device_train_batch_size (and raise gradient_accumulation_steps)")
    ways.append(f"lower finetune.max_seq_length (now {step.sequence})")
    if not context.given["apply_deepspeed"]:
        ways.append("set finetune.apply_deepspeed to true")
    elif not applies("weights-from-the-host", context.given):
        ways.append("set finetune.deepspeed_stage to 3")
    if not step.lora_rank:
        ways.append("set finetune.apply_lora to true")
    return f"{'; or '.join(ways)}; or take a larger card ({context.make('gpu')})"


def host_memory(context: Context) -> Finding:
    """Fails when what DeepSpeed moves to the host does not fit its memory."""
    training = training_on(context, context.size("finetune"))
    if training is None:
        return skipped(f"the shape of {context.model.name} or its machine is not known")
    need, have = training.host_gib, training.host_has_gib
    if not training.host_fits:
        return failed(
            f"{context.at('compute.size')}: DeepSpeed keeps {need:.0f} GiB on the host, {training.size.name} has "
            f"{have:.0f}",
            "take a size with more memory, more nodes, or finetune.apply_lora: true",
        )
    return passed(f"{need:.1f} of {have:.0f} GiB on the host")


def deepspeed_stage(context: Context) -> Finding:
    """Warns when stage 3 fetches the weights from the host in every pass although stage 2 would fit the card."""
    training = training_on(context, context.size("finetune"))
    if training is None or not training.step.offload_weights or not training.step.lora_rank:
        return skipped("only for LoRA with DeepSpeed stage 3")
    two = training.at_stage_2()
    what = f"{two.gib:.1f} of {two.card.usable_gib:.1f} GiB"
    risky = training.unsure and training.keeping().fits and two.keeping().is_tight
    if risky:
        what += f", {two.keeping().gib:.1f} if activations are kept"
    if not two.is_tight and not risky:
        return warned(
            f"{context.at('finetune.deepspeed_stage')}: 3 keeps the weights on the host and fetches them in every "
            f"pass; stage 2 would fit ({what}) and fetch none",
            'set finetune.deepspeed_stage to "2" unless the memory is needed',
        )
    return passed(f"stage 3 is needed: stage 2 would take {what}")


def serving_memory(context: Context) -> Finding:
    """Fails when the model does not fit the GPUs that serve it."""
    serving, where = serving_on(context, context.size("inference")), context.at("deployment.instance_type")
    if serving is None:
        return skipped(f"the shape of {context.model.name} or its GPU is not known")
    gpus = f"{serving.size.gpus_per_node} x {serving.card.gpu}"
    what = f"{serving.gib:.1f} of {serving.has_gib:.1f} GiB on {gpus}"
    larger = f"take a larger size ({context.make('gpu')})"
    if not serving.fits:
        many = context.value("deployment.max_concurrent_requests_per_instance")
        if many > 1:
            what += f", for {many} conversations at a time"
            larger = f"lower deployment.max_concurrent_requests_per_instance (now {many}), or {larger}"
        return failed(f"{where}: the model does not fit: {what}", larger)
    if serving.is_tight:
        todo = "take a larger size, or lower deployment.max_concurrent_requests_per_instance"
        return warned(f"{where}: the model fits barely: {what}", todo)
    return passed(f"the model fits: {what}")


def node_disk(context: Context) -> Finding:
    """Warns when the weights, thrice, do not fit the disk of a training node: the model, a checkpoint, the result."""
    if context.shape is None:
        return skipped(f"the shape of {context.model.name} is not known")
    size, weights = context.size("finetune"), 2 * context.shape.parameters / 1e9
    page = f" ({size.disk_gib:g} GiB for {size.name})" if size and size.disk_gib else ""
    what = f"3 x {weights:.{0 if weights >= 1 else 1}f} GB of weights (the model, a checkpoint, the result)"
    seen = f"one of Standard_NC24ads_A100_v4 was seen to hold {NODE_DISK_GB:.0f} GB whatever its size's page says"
    if NODE_DISK_GB < 3 * weights <= (size.disk_gib or 0 if size else 0):
        return passed(f"{what} on a training node{page}, unverified: {seen}")
    if 3 * weights > NODE_DISK_GB:
        return warned(
            f"{context.at('model.name')}: {what} on a training node; {seen}{page}, "
            "others are unverified: the job may end with 'No space left'",
            "keep finetune.save_total_limit at 1, look at the disk in the job's first minutes, or take a smaller model",
        )
    return passed(f"{what} on a training node, which was seen to hold {NODE_DISK_GB:.0f} GB")
