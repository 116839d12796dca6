"""Checks of LoRA: what the component does with the model's type and the finetune config."""

from __future__ import annotations

from scripts.azure import component_rules, lora
from scripts.preflight.context import Context
from scripts.preflight.finding import Finding, failed, passed, skipped, warned

CONFIG = "model.finetune_config"


def algorithm(context: Context) -> Finding:
    """Fails where the component's LoRA would stop the job or lose what was trained; warns of keys without effect."""
    config = context.value(CONFIG, {})
    told = [key for key in lora.KEYS if key in config]
    if not context.given["apply_lora"]:
        if told:
            return warned(
                f"{context.at(f'{CONFIG}.{told[0]}')}: has no effect, as finetune.apply_lora is false",
                "take it out, or train with LoRA",
            )
        return skipped("all weights are trained, without LoRA")
    hub = context.value("model.huggingface_id")
    if not hub and not told:
        return passed(
            f"{context.model.name} brings its LoRA settings in the registry (which modules get adapters is unverified)"
        )
    kind = context.shape.model_type if context.shape else ""
    if not kind:
        known = ", ".join(lora.own_types())
        return warned(
            f"{context.at('model')}: nothing is known about the type of {hub or context.model.name}; the component's "
            f"own LoRA takes {known} only",
            f"look at model_type in its config.json; for any other type: {CONFIG}.lora_algo: peft",
        )
    stage_3 = component_rules.applies("weights-from-the-host", context.given)
    plan = lora.plan(kind, config, stage_3)
    if plan.fault:
        return failed(f"{context.at(CONFIG)}: {plan.fault}", f"write under {CONFIG}: {plan.todo}")
    if plan.ignored:
        return warned(
            f"{context.at(f'{CONFIG}.{plan.ignored[0]}')}: has no effect, as lora_algo is {plan.algorithm}",
            f"{CONFIG}.lora_algo: peft, or take it out",
        )
    shown = plan.modules if isinstance(plan.modules, str) else ", ".join(plan.modules)
    how = "PEFT" if plan.algorithm == lora.PEFT else "the component's own LoRA"
    return passed(f"model type {kind}: adapters by {how} on {shown or 'lora_target_parameters'}")
