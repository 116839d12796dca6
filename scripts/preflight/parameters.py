"""Checks of training parameters that fight each other, the machine or the data.

What the component refuses, and what it makes of parameters, stands in scripts/azure/component_rules.py.
"""

from __future__ import annotations

from scripts.azure import job_kinds, model_types
from scripts.azure.component import SPLITS
from scripts.azure.component_rules import FEWEST_ROWS, applies
from scripts.azure.limits import FAR, far_out, usual
from scripts.estimate import training_step
from scripts.estimate.what_if import training_on
from scripts.preflight.context import Context
from scripts.preflight.data import lines
from scripts.preflight.finding import Finding, failed, passed, skipped, warned
from scripts.values import unplaced


def gpus_per_node(context: Context) -> Finding:
    """Fails when the job would not use the GPUs that a node has: more stops it, fewer are paid for and idle."""
    size, asked = context.size("finetune"), context.number("number_of_gpu_to_use_finetuning")
    if size is None:
        return skipped(f"nothing is known about {context.size_name('finetune')}")
    have = size.gpus_per_node
    if asked != have:
        return failed(
            f"{context.at('finetune.number_of_gpu_to_use_finetuning')}: {asked}, but {size.name} has {have} a node",
            f"remove the key, or set it to {have}",
        )
    return passed(f"all {asked} GPUs of a node, as {size.name} has")


def deepspeed(context: Context) -> Finding:
    """Fails for what DeepSpeed refuses: auto_find_batch_size, and ONNX Runtime with stage 3."""
    if not context.given["apply_deepspeed"]:
        return passed("DeepSpeed is off")
    if applies("deepspeed-with-batch-search", context.given):
        return failed(
            f"{context.at('finetune.auto_find_batch_size')}: true together with apply_deepspeed: the job refuses both",
            "set finetune.auto_find_batch_size to false, or finetune.apply_deepspeed to false",
        )
    if applies("stage-3-with-onnx-runtime", context.given):
        return failed(
            f"{context.at('finetune.apply_ort')}: true together with DeepSpeed stage 3: the job refuses both",
            "set finetune.apply_ort to false: it has no effect anyway",
        )
    return passed(f"DeepSpeed stage {context.given['deepspeed_stage']} and the other parameters agree")


def onnx_runtime(context: Context) -> Finding:
    """Warns about apply_ort, which the component has ignored since 2023."""
    if applies("onnx-runtime", context.given):
        return warned(f"{context.at('finetune.apply_ort')}: true has no effect", "remove the key")
    return passed("apply_ort is off")


def checkpointing(context: Context) -> Finding:
    """Warns where the component keeps all activations, or may, and what that takes is not known or too much.

    Where the memory is known gpu-memory counts them, and says what to do about it.
    """
    training = training_on(context, context.size("finetune"))
    counted = "; gpu-memory counts that" if training else ""
    answer = model_types.recomputes(context.given, context.kind, context.finetune_config)
    if answer:
        return passed("activations are computed again, not kept")
    many = "and long conversations take many times the memory"
    if applies("activations-kept", context.given):
        return (passed if training else warned)(
            f"{context.at('finetune.apply_deepspeed')}: LoRA without DeepSpeed keeps all activations: the component "
            f"switches gradient checkpointing off, {many}{counted}",
            *[] if training else ["set finetune.apply_deepspeed to true where the memory is tight"],
        )
    forced = f"the component computes activations again for models of type {', '.join(model_types.RECOMPUTED)} only"
    kind = f"{context.model.name} is of type {context.kind}" if context.kind else f"{context.model.name}'s is not known"
    if answer is None:
        return (passed if training else warned)(
            f"{context.at('model.name')}: {forced}; {kind}, and what its own configuration turns on is not known "
            f"outside Azure: activations may be kept, {many}{counted}",
            *[] if training else ["the job's log says 'enable Gradient checkpointing: …'"],
        )
    return (warned if training is None or training.is_tight else passed)(
        f"{context.at('model.finetune_config')}: {forced}; {kind}, and finetune_config does not turn it on: "
        f"activations are kept, {many}",
        *["set model.finetune_config.hf_trainer_args.gradient_checkpointing to true"]
        * (training is None or training.is_tight),
    )


def precision(context: Context) -> Finding:
    """Fails for precision 32 with a model that wants 16, for flash attention; warns where 16 is risky."""
    card, where = context.card("finetune"), context.at("finetune.precision")
    wanted = str(context.model.model_specific_defaults.get("precision", ""))
    if applies("32-bit", context.given):
        if wanted == "16":
            return failed(
                f"{where}: 32, but {context.model.name} is trained with 16: with flash attention the job stops "
                "('Flash Attention is not supported with 32-bit precision.')",
                'set finetune.precision to "16"',
            )
        return warned(f"{where}: 32 takes twice the memory and more than twice the time", 'set it to "16"')
    if card and not card.bf16:
        return passed(
            f"16 bits, as float16: {card.gpu} has no bfloat16 and no flash attention; a card that has is for a loss "
            "that becomes NaN"
        )
    if model_types.wants_deepspeed(context.given, context.kind):
        return warned(
            f"{where}: 16 without DeepSpeed failed for models of type {context.kind} (azureml-assets PR#1758, 2023); "
            "whether it still does is unverified",
            "set finetune.apply_deepspeed to true",
        )
    flash = model_types.flash_attention(context.given, context.kind, context.finetune_config, bf16=card is not None)
    words = {True: ", with flash attention", False: ", without flash attention", None: "; flash attention is forced "
             f"for other model types only ({', '.join(model_types.FLASH)})"}  # fmt: skip
    return passed(f"16 bits, as bfloat16{words[flash]}" if card else "16 bits")


def job_kind(context: Context) -> Finding:
    """Fails for what the chosen type of job has no place for; warns of one that nobody has seen run."""
    kind = job_kinds.chosen(context.values.data)
    if first := next(unplaced.found(context.values), None):
        sentence, _, todo = first[1].partition("; ")
        return failed(f"{context.at(first[0])}: {sentence}", todo)
    if kind == job_kinds.FINETUNING:
        return warned(
            f"{context.at('job.kind')}: {job_kinds.EXPERIMENTAL}; it takes no test data, without which the component "
            "trains on the first 80 % of the rows in a pipeline",
            "job.kind: pipeline runs the same training, as it was seen to run",
        )
    return passed(f"type: {kind.name}")


def data_files(context: Context) -> Finding:
    """Fails for a split without rows: without a test file the component cuts a fifth off the training data."""
    if not context.data:
        return skipped("no data yet", f"{context.make('data')} prepares them")
    missing = [name for name in SPLITS if name not in context.data or not context.data[name].rows]
    if "train" in missing:
        return failed(
            "dataset: there is no training row",
            f"look at dataset.source and dataset.percent, then {context.make('data')}",
        )
    if missing:
        return failed(
            f"{context.at('dataset')}: no rows for {' and '.join(missing)}: the component would cut off 20 % of the "
            "training data instead, without shuffling",
            f"give dataset.splits a part for each, or raise dataset.percent, then {context.make('data')}",
        )
    rows = ", ".join(f"{context.data[name].rows} {name}" for name in SPLITS)
    return passed(f"{rows} rows{f', {context.data_from}' if context.data_from else ''}")


def training_rows(context: Context) -> Finding:
    """Fails for fewer than ten training conversations, which the component refuses."""
    if "train" not in context.data:
        return skipped("no data yet", f"{context.make('data')} prepares them")
    rows = context.data["train"].rows
    if rows < FEWEST_ROWS:
        return failed(
            f"{context.at('dataset.percent')}: {rows} training rows, the component refuses fewer than {FEWEST_ROWS}",
            "raise dataset.percent, or bring more conversations",
        )
    return passed(f"{rows} training rows")


def sequence_length(context: Context) -> Finding:
    """Compares max_seq_length with what the model takes and with the data's longest conversation."""
    asked, where = context.number("max_seq_length"), context.at("finetune.max_seq_length")
    if context.shape is None:
        return skipped(f"the longest sequence of {context.model.name} is not known")
    most = context.shape.context
    if asked > most:
        return warned(f"{where}: {asked}, but {context.model.name} takes {most}", f"set it to {most} or less")
    cut = training_step.truncation(context.given, context.shape)
    train = context.data.get("train")
    longest = max(train.percentiles, default=0) if train else 0
    cut_off = lines([each for each in context.prepared.kept if each.check in ("too_long", "answers_lost")])
    if train and train.answers_lost:
        return warned(
            f"{where}: {train.answers_lost} of {train.rows} training conversations lose every answer to the cut after "
            f"{cut} tokens and teach nothing",
            "raise it, or shorten what precedes the first answer: the data's report names them",
            *cut_off,
        )
    if longest > cut:
        return warned(
            f"{where}: conversations are cut off after {cut} tokens, the longest training one has {longest}",
            "raise it, or shorten the conversations: the data's report says what is lost",
            *cut_off,
        )
    return passed(f"cut off after {cut} tokens" + (f", the longest has {longest}" if longest else ""))


def evaluation(context: Context) -> Finding:
    """Fails for early stopping without evaluation, which the component refuses."""
    strategy = str(context.given["evaluation_strategy"])
    if applies("early-stopping-without-evaluation", context.given):
        return failed(
            f"{context.at('finetune.apply_early_stopping')}: true needs evaluations, evaluation_strategy is {strategy}",
            "set finetune.evaluation_strategy to epoch",
        )
    return passed(f"evaluated every {strategy.removesuffix('s')}" if strategy != "disable" else "not evaluated")


def learning_rate(context: Context) -> Finding:
    """Fails for a rate that is not positive or far out of range, warns for one outside the model's own bounds."""
    rate, where = context.given["learning_rate"], context.at("finetune.learning_rate")
    if context.facts.component.inputs["learning_rate"].fault(rate):
        return failed(f"{where}: {rate:g}; the component refuses what is not above 0", "set it to 5e-6, for example")
    own, known = context.model.model_specific_defaults, usual()["finetune.learning_rate"]
    low, high = own.get("learning_rate_min"), own.get("learning_rate_max")
    least, most = float(low or known.least or 0), float(high or known.most or 1)
    whose = f"the bounds of {context.model.name}" if low or high else "which is what chat models take"
    if far_out(rate, least, most):
        return failed(
            f"{where}: {rate:g}, {FAR} times or more outside {least:g} to {most:g}, {whose}: the model would "
            f"{'learn nothing' if rate < least else 'forget all that it knows'}",
            f"set it between {least:g} and {most:g}",
        )
    if not least <= rate <= most:
        return warned(
            f"{where}: {rate:g}, outside {least:g} to {most:g}, {whose}", f"set it between {least:g} and {most:g}"
        )
    return passed(f"{rate:g}")


def saved_models(context: Context) -> Finding:
    """Warns when every checkpoint is kept, and when the adapter is not merged into the model that is served."""
    if applies("all-checkpoints-kept", context.given):
        return warned(
            f"{context.at('finetune.save_total_limit')}: every checkpoint is kept: each is a whole model",
            "set finetune.save_total_limit to 1",
        )
    if applies("adapter-left-beside", context.given):
        return warned(
            f"{context.at('finetune.merge_lora_weights')}: false leaves an adapter beside the model; "
            "deploying that is not documented",
            "set finetune.merge_lora_weights to true",
        )
    return passed("one merged model is kept" if context.given["apply_lora"] else "one model is kept")
