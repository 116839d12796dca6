"""Checks of the model: pinned, there, not retired, and of a type that the component's LoRA takes."""

from __future__ import annotations

import datetime

from scripts.azure import chat_models, component_rules, lora, registries
from scripts.azure.component import COMPONENT
from scripts.preflight.context import Context
from scripts.preflight.finding import FAIL, WARN, Finding, failed, passed, skipped, warned

SOON = datetime.timedelta(days=90)  # a retirement nearer than this is worth a plan
LOCK_DAYS = 90  # a lock older than this is worth asking again
FINETUNE_CONFIG = "model.finetune_config"


def lifecycle(context: Context) -> Finding:
    """Fails for a model that is archived or past its fine-tuning or inference retirement."""
    model = context.model
    if context.value("model.huggingface_id"):
        return passed(f"{model.name} comes from the Hugging Face hub, which retires nothing")
    dates = [(role, day) for role in ("finetune", "inference") if (day := model.retires(role))]
    over = [f"{role} retired {day}" for role, day in dates if day <= context.today]
    if model.archived:
        over.append("archived in the registry")
    name = f"{context.at('model.name')}: {model.name} version {model.version}"
    if over:
        wanted, sentence = context.value("preflight.retired_model", FAIL), f"{name}: {', '.join(over)}"
        if wanted == "accept":
            return passed(f"{sentence}; {context.at('preflight.retired_model')} accepts that")
        todo = f"take {_alternative(context)}"
        if wanted == FAIL:
            todo += "; or accept a model that is no longer maintained: preflight.retired_model: accept"
        return (failed if wanted == FAIL else warned)(sentence, todo)
    soon = [f"{role} retires {day}" for role, day in dates if day <= context.today + SOON]
    if soon:
        return warned(f"{name}: {', '.join(soon)}", f"plan the move to {_alternative(context)}")
    return passed(f"{model.name} version {model.version} is maintained ({context.facts.origin})")


def _alternative(context: Context) -> str:
    for model in (context.model, chat_models.catalog().get(context.model.name)):
        if model and model.maintained_alternative:
            other = model.maintained_alternative
            return f'{other["name"]} (model.name: {other["name"]}, model.version: "{other["version"]}")'
    return "a maintained model of the registry"


def lock(context: Context) -> Finding:
    """Warns where facts are not pinned, or were pinned long ago."""
    path = f"environments/{context.environment}.lock.yaml"
    lock = context.make("lock")
    if context.facts.lock is None:
        return passed(f"no lock: facts are the shipped catalog's ({lock} pins the live ones)")
    if not context.value("model.huggingface_id") and context.facts.origin == "catalog":
        model = context.facts.lock.model
        pinned = f"{model.name} version {model.version}" if model else "no model"
        wanted = f"{context.value('model.name')} version {context.value('model.version')}"
        return failed(f"{path}: pins {pinned}, the values want {wanted}", lock)
    seen = context.facts.lock.seen
    if seen is None:
        return warned(f"{path}: does not say when it was made", f"{context.make('lock-check')}, then {lock}")
    days = (context.today - seen).days
    if days > LOCK_DAYS:
        return warned(f"{path}: seen {seen}, {days} days ago", f"{context.make('lock-check')}, then {lock}")
    return passed(f"{path}: seen {seen}")


def exists(context: Context) -> Finding:
    """Fails when the registry does not have the model's version."""
    model = context.value("model")
    if model.get("huggingface_id"):
        return skipped(f"{model['huggingface_id']} is not in the registry; the job fetches it from the hub")
    version = context.model.version
    found = context.asked.model(model["name"], version)
    name = f"{context.at('model.version')}: {model['registry']} "
    if found is None:
        newest = context.asked.model(model["name"])
        others = ", ".join(each for each in registries.REGISTRIES if each.lower() != model["registry"].lower())
        todo = (
            f'take version "{newest.version}"'
            if newest
            else f"mind its spelling (az ml model list --registry-name {model['registry']}), or set model.registry: "
            f"models of the studio's catalog lie in {others} too"
        )
        return failed(f"{name}has no {model['name']} version {version}", todo)
    if found.archived and not context.model.archived:
        return Finding(WARN, f"{name}has archived {model['name']} since", f"{context.make('lock')}")
    return passed(f"{model['registry']} has {model['name']} version {version}")


def version(context: Context) -> Finding:
    """Fails for a version or name that was written for another model, and offline for a version nobody here knows."""
    model, known = context.value("model"), context.facts.known_versions
    name, wanted = context.model.name, context.model.version
    if hub := model.get("huggingface_id"):
        if context.values.strange_name:
            return failed(
                f"{context.at('model.name')}: {name} was written for another model than {hub}, which "
                f"{context.values.where('model.huggingface_id')} names: the trained model would have its name",
                f"give model.name beside model.huggingface_id: {str(hub).rpartition('/')[2]}",
            )
        return skipped(f"{hub} is not in the registry, which numbers its models")
    if wanted in known:
        return passed(f"{name} version {wanted} is known")
    take = " or ".join(f'"{each}"' for each in known)
    if context.values.inherits("model.version", "model.name"):
        return failed(
            f"{context.at('model.version')}: {wanted} was written for another model than {name}, which "
            f"{context.values.where('model.name')} names",
            f"give model.version beside model.name{f': {take}' if take else ''}",
        )
    what = f"neither the catalog nor the lock knows version {wanted} of {name}"
    if context.live:
        return skipped(f"{what}; model-exists asks the registry")
    return failed(
        f"{context.at('model.version')}: {what}",
        f"{context.make('lock')} asks the registry" + (f"; or take {take}" if take else ""),
    )


def registry(context: Context) -> Finding:
    """Fails for a registry that is nearly a public one's name; of an organisation's own only Azure knows."""
    name, where = str(context.value("model.registry")), context.at("model.registry")
    if registries.is_public(name):
        return passed(f"{name} is a public registry")
    if hint := registries.misspelt(name):
        return failed(f"{where}: {name} is no public registry{hint}", f"take one of {', '.join(registries.REGISTRIES)}")
    return warned(
        f"{where}: {name} is none of the public registries that are known; whether it is there is not known offline",
        f"mind its spelling; public ones are {', '.join(registries.REGISTRIES)}",
    )


def drift(context: Context) -> Finding:
    """Warns when the registry has something newer than what is pinned."""
    model, newer = context.value("model"), []
    if not model.get("huggingface_id"):
        newest = context.asked.model(model["name"])
        if newest and newest.version != context.model.version:
            newer.append(f"{model['name']} {newest.version} (pinned {context.model.version})")
    component, pinned = context.asked.component(COMPONENT), context.facts.component
    if component and component.version != pinned.version:
        newer.append(f"{COMPONENT} {component.version} (pinned {pinned.version})")
    if newer:
        return warned(
            f"the registry has {' and '.join(newer)}",
            f"{context.make('lock')}, and review what changes",
        )
    return passed("nothing in the registry is newer than what is pinned")


def chat_tokens(context: Context) -> Finding:
    """Fails for a hub model without the chat tokens that the component insists on."""
    if not context.value("model.huggingface_id"):
        return skipped("a model of the registry brings its chat tokens")
    found = context.value("model.finetune_config.chat_special_tokens", {})
    missing = [name for name in ("instruction_template", "response_template") if name not in found]
    if missing:
        return failed(
            f"{context.at('model.finetune_config')}.chat_special_tokens: {' and '.join(missing)} missing; "
            "the job would stop with 'Chat Special tokens are not set in finetune config.'",
            "write how a user's and an assistant's turn begin in the model's chat template",
        )
    return passed("the model's chat tokens are in the values")


def lora_algorithm(context: Context) -> Finding:
    """Fails where the component's LoRA would stop the job or lose what was trained; warns of keys without effect."""
    config = context.value(FINETUNE_CONFIG, {})
    told = [key for key in lora.KEYS if key in config]
    if not context.given["apply_lora"]:
        if told:
            return warned(
                f"{context.at(f'{FINETUNE_CONFIG}.{told[0]}')}: has no effect, as finetune.apply_lora is false",
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
            f"look at model_type in its config.json; for any other type: {FINETUNE_CONFIG}.lora_algo: peft",
        )
    stage_3 = component_rules.applies("weights-from-the-host", context.given)
    plan = lora.plan(kind, config, stage_3)
    if plan.fault:
        return failed(f"{context.at(FINETUNE_CONFIG)}: {plan.fault}", f"write under {FINETUNE_CONFIG}: {plan.todo}")
    if plan.ignored:
        return warned(
            f"{context.at(f'{FINETUNE_CONFIG}.{plan.ignored[0]}')}: has no effect, as lora_algo is {plan.algorithm}",
            f"{FINETUNE_CONFIG}.lora_algo: peft, or take it out",
        )
    shown = plan.modules if isinstance(plan.modules, str) else ", ".join(plan.modules)
    how = "PEFT" if plan.algorithm == lora.PEFT else "the component's own LoRA"
    return passed(f"model type {kind}: adapters by {how} on {shown or 'lora_target_parameters'}")
