"""Training parameters: which value each input of the component gets, and who decided.

Precedence, as in the design of this project: component default < project default < the model's own defaults (its tag
`model_specific_defaults`) < values.yaml < environments/<env>.yaml < --set. The reference notebook lets the model's
defaults win over what the user wrote; here the user wins, and a warning says where the two disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.azure import component
from scripts.azure.component import Input, Wire
from scripts.errors import UserError
from scripts.targets import command
from scripts.values.facts import Facts
from scripts.values.read import Values

# Better than the component's default for every model: its default precision "32" takes twice the memory and turns flash
# attention off, and its default of keeping all checkpoints fills the disk.
PROJECT_DEFAULTS: dict[str, Any] = {"precision": "16", "save_total_limit": 1}

# Inputs that other keys of the values decide, or that this project does not use.
NOT_PARAMETERS = frozenset(
    "task_name huggingface_id pytorch_model_path mlflow_model_path finetune_config_path "
    "train_file_path validation_file_path test_file_path train_mltable_path validation_mltable_path test_mltable_path "
    "compute_model_import compute_preprocess compute_finetune compute_model_evaluation "
    "instance_type_model_import instance_type_preprocess instance_type_finetune instance_type_model_evaluation "
    "deepspeed evaluation_config evaluation_config_params".split()
)


@dataclass(frozen=True)
class Parameter:
    """A value in the component's own type, and who decided: component, project, model, size, values or --set."""

    value: Wire
    source: str


def resolve(values: Values, facts: Facts) -> dict[str, Parameter]:
    """Returns every training parameter in the component's order; strings where the component wants strings."""
    interface = facts.component.inputs
    chosen: dict[str, Parameter] = {
        name: Parameter(each.default, "component")
        for name, each in interface.items()
        if name not in NOT_PARAMETERS and each.default is not None
    }
    size = facts.size(values.data["compute"]["size"])
    layers: list[tuple[str, Mapping[str, Any]]] = [
        ("project", PROJECT_DEFAULTS),
        ("model", facts.model.model_specific_defaults),
    ]
    if size and size.gpus_per_node:
        layers.append(("size", {"number_of_gpu_to_use_finetuning": size.gpus_per_node}))
    for source, layer in layers:
        for name, value in layer.items():
            # Models also carry hints that are no inputs, such as learning_rate_min; what the user wrote counts anyway.
            if name in chosen and name not in values.data["finetune"]:
                chosen[name] = Parameter(_default(facts, interface[name], value), source)
    _refuse_lacking(values, facts, chosen)
    for name, value in values.data["finetune"].items():
        chosen[name] = Parameter(interface[name].typed(value), values.source(f"finetune.{name}"))
    return chosen


def _refuse_lacking(values: Values, facts: Facts, chosen: Mapping[str, Parameter]) -> None:
    """Refuses a lock without a parameter that the shipped component has, or without a value for it."""
    given, known = values.data["finetune"], component.catalog().inputs
    needed = [name for name, each in known.items() if name not in NOT_PARAMETERS and each.default is not None]
    lacking = [name for name in given if name not in facts.component.inputs]
    lacking += [name for name in needed if name not in chosen and name not in given]
    if lacking:
        line = facts.lock.lines.get("component.inputs") if facts.lock else None
        raise UserError(
            f"environments/{values.environment}.lock.yaml{f':{line}' if line else ''}: component.inputs: "
            f"{', '.join(lacking)}: missing, or without a default, which this project counts on; "
            f"{command('lock', values.environment)} asks the registry anew"
        )


def _default(facts: Facts, of: Input, value: Any) -> Wire:
    """Returns a default that the model brings, typed; a `UserError` for one that the component would not take."""
    try:
        typed = of.typed(value)
        expected = of.fault(typed)
    except ValueError:
        expected = of.type
    if expected:
        raise UserError(
            f"{facts.origin}: the default {of.name} that {facts.model.name} brings: found {value!r:.60}, expected "
            f"{expected}; set finetune.{of.name} and correct it there"
        )
    return typed


def disagreements(values: Values, facts: Facts) -> list[str]:
    """Returns a sentence for each parameter whose value in the values replaces another one of the model's own."""
    defaults = facts.model.model_specific_defaults
    resolved = resolve(values, facts)
    sentences = []
    for name in values.data["finetune"]:
        if name in defaults and _other(facts.component.inputs[name], defaults[name], resolved[name].value):
            sentences.append(
                f"{values.where(f'finetune.{name}')}: finetune.{name}: {resolved[name].value} replaces "
                f"{defaults[name]}, the default that {facts.model.name} brings"
            )
    return sentences


def _other(of: Input, default: Any, chosen: Wire) -> bool:
    try:
        return of.typed(default) != chosen
    except ValueError:  # no value that the component would take
        return True
