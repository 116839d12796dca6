"""How the component applies LoRA: with its own wrapper or with PEFT, and on which modules of a model.

Facts from catalog/lora.json, read from the component's published sources. Its own wrapper knows few model types and
always adapts the same modules; PEFT takes any type, on the modules that the finetune config names, else on its own
defaults for the type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.azure.catalog import read_catalog

CUSTOM, PEFT = "custom", "peft"  # values of `lora_algo`; `auto`, its default, is PEFT under DeepSpeed stage 3 only
KEYS = ("lora_algo", "lora_target_modules", "lora_target_parameters")  # of the finetune config


@dataclass(frozen=True)
class Plan:
    """The algorithm, the modules that get adapters (names, or PEFT's pattern), and what would stop the job or mislead.

    `fault` is the reason for which the component would stop or register an untrained model, `ignored` the keys of the
    finetune config without effect, `todo` what to write instead.
    """

    algorithm: str
    modules: tuple[str, ...] | str = ()
    fault: str = ""
    todo: str = ""
    ignored: tuple[str, ...] = ()


def plan(model_type: str, config: Mapping[str, Any], stage_3: bool) -> Plan:
    """Returns what the component does with a model type and a finetune config, under DeepSpeed stage 3 or not."""
    named = config.get("lora_algo")
    algorithm = PEFT if named == PEFT or (named in (None, "auto") and stage_3) else CUSTOM
    if algorithm == CUSTOM:
        return _custom(model_type, config, stage_3)
    given: Any = config.get("lora_target_modules") or _catalog("peft").get(model_type, ())
    modules = given if isinstance(given, str) else tuple(given)
    fault = todo = ""
    if not modules and not config.get("lora_target_parameters"):
        fault = f"PEFT has no default for model type {model_type}: 'Please specify `target_modules` in `peft_config`'"
        all_of_them = ", ".join(_catalog("linear").get(model_type, ("<the names of its linear layers>",)))
        unmerged = "lora_algo: peft and " if stage_3 and named is None else ""
        todo = f"{unmerged}lora_target_modules: [{all_of_them}]"
    elif stage_3 and named is None:
        fault = (
            "under DeepSpeed stage 3 the converter merges the adapters only where lora_algo is named, so the model "
            "that comes out would be the untrained one"
        )
        todo = "lora_algo: peft"
    return Plan(PEFT, modules, fault, todo)


def own_types() -> tuple[str, ...]:
    """Returns the model types (`model_type` in a model's config.json) that the component's own LoRA takes."""
    return tuple(_catalog("custom"))


def _custom(model_type: str, config: Mapping[str, Any], stage_3: bool) -> Plan:
    ignored = tuple(key for key in KEYS[1:] if config.get(key))
    modules = tuple(_catalog("custom").get(model_type, ()))
    fault = ""
    if not modules:
        known = ", ".join(own_types())
        fault = (
            f"the component's own LoRA does not take model type {model_type} ('Lora is not supported'), only {known}"
        )
    elif stage_3:
        fault = "under DeepSpeed stage 3 the converter looks for adapters of PEFT, and lora_algo is custom"
    todo = "lora_algo: peft" if fault else ""
    if fault and model_type not in _catalog("peft") and not ignored:
        todo += f" and {plan(model_type, {'lora_algo': PEFT}, stage_3).todo}"
    return Plan(CUSTOM, modules, fault, todo, ignored)


def _catalog(algorithm: str) -> Mapping[str, list[str]]:
    found: Mapping[str, list[str]] = read_catalog("lora.json")[algorithm]
    return found
