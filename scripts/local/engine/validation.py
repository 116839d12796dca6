"""Step 1, ft_nlp_common_validation: parameters and files, and the rules between them that the component enforces.

The rules stand in scripts/azure/component_rules.py; where one exists only for GPUs, a line in the log says what it
would do there, and that nothing of it applies here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts import files
from scripts.azure import component_rules
from scripts.azure.component import Input, catalog
from scripts.azure.component_rules import applies
from scripts.errors import UserError, suggest
from scripts.local.engine.job_folder import Job

REFUSALS = {  # by a rule of the component, its sentence here
    "early-stopping-without-evaluation": (
        "inputs.apply_early_stopping: early stopping needs evaluations; set evaluation_strategy to 'epoch' or 'steps'."
    ),
    "deepspeed-with-batch-search": (
        "inputs.auto_find_batch_size: DeepSpeed cannot search the batch size; set auto_find_batch_size or "
        "apply_deepspeed to 'false'."
    ),
    "stage-3-with-onnx-runtime": (
        "inputs.apply_ort: ONNX Runtime does not work with DeepSpeed stage 3; set apply_ort to 'false'."
    ),
}


def run(job: Job) -> dict[str, Any]:
    """Returns the checked inputs; a `UserError` for what the component would refuse."""
    values = parse(job.inputs)
    _check_paths(job.inputs, values)
    _check_model_source(job, values)
    _check_training(values)
    for line in notices(values):
        job.log(line)
    given = {name: values[name] for name in job.inputs if name not in component_rules.PATHS}
    path = job.logs / "parameters.json"
    files.write(path, json.dumps(given, indent=1, sort_keys=True) + "\n")
    interface = catalog().inputs
    other = [name for name in sorted(given) if str(job.inputs[name]) != str(interface[name].default)]
    told = " ".join(f"{name}={given[name]}" for name in other)
    job.log(f"set otherwise than the component's defaults: {told or 'nothing'}")
    job.log(f"all {len(given)} parameters stand in {path.name} beside this log")
    return values


def parse(inputs: dict[str, str]) -> dict[str, Any]:
    """Returns every input with its value or default, typed: "true"/"false" as bool, None where nothing is given."""
    interface = catalog().inputs
    for name in inputs:
        if name not in interface:
            raise UserError(f"inputs.{name}: chat_completion_pipeline has no such input{suggest(name, interface)}.")
    for name, text in inputs.items():
        if text not in (None, ""):
            _check_value(interface[name], text)
    return catalog().native(inputs)


def _check_value(spec: Input, text: str) -> None:
    try:
        value = spec.typed(text)
    except ValueError:
        what = "a whole number" if spec.type == "integer" else "a number"
        raise UserError(f"inputs.{spec.name}: found '{text}'; allowed is {what}.") from None
    allowed = spec.fault(value)
    if allowed and spec.enum:
        raise UserError(f"inputs.{spec.name}: found '{text}'; allowed are {allowed}{suggest(text, spec.enum)}.")
    if allowed:
        raise UserError(f"inputs.{spec.name}: found {value:g}; allowed is {allowed}.")


def _check_paths(inputs: dict[str, str], values: dict[str, Any]) -> None:
    for name in (*component_rules.PATHS, *component_rules.COMPUTES):
        found = next((sign for sign in component_rules.FORBIDDEN if sign in str(inputs.get(name, ""))), None)
        if found:
            raise UserError(
                f"inputs.{name}: the component allows no {found} in a path or compute; found '{inputs[name]}'."
            )
    if not any(values[name] for name in component_rules.TRAINING_SOURCES):
        raise UserError(
            "inputs.train_file_path: missing; give the training conversations, here or as train_mltable_path."
        )
    for name in component_rules.PATHS:
        if not values[name]:
            continue
        path = Path(values[name])
        if not path.exists():
            raise UserError(f"inputs.{name}: {path} does not exist.")
        if name in component_rules.FILES and path.suffix not in component_rules.FORMATS:
            allowed = ", ".join(component_rules.FORMATS)
            raise UserError(f"inputs.{name}: {path.name} ends in '{path.suffix}'; the component reads {allowed}.")
        if path.is_file() and path.stat().st_size == 0:
            raise UserError(f"inputs.{name}: {path} is empty.")


def _check_model_source(job: Job, values: dict[str, Any]) -> None:
    given = [name for name in component_rules.MODEL_SOURCES if values[name]]
    if not given and not job.base_model.reference:
        raise UserError(
            "inputs: give the base model as one of mlflow_model_path, pytorch_model_path or huggingface_id."
        )
    if len(given) > 1:
        job.log(f"{' and '.join(given)} are given; the component takes {given[0]}")


def _check_training(values: dict[str, Any]) -> None:
    for rule, sentence in REFUSALS.items():
        if applies(rule, values):
            raise UserError(sentence)
    if applies("weights-from-the-host", values) and values["deepspeed"]:
        _check_gathering(Path(values["deepspeed"]))


def _check_gathering(path: Path) -> None:
    try:
        stage = json.loads(path.read_text(encoding="utf-8")).get("zero_optimization", {})
    except (ValueError, AttributeError) as error:
        raise UserError(f"inputs.deepspeed: {path} is not a JSON object ({error}).") from None
    if not stage.get(component_rules.GATHER_WEIGHTS):
        raise UserError(
            f"inputs.deepspeed: {path}: zero_optimization.{component_rules.GATHER_WEIGHTS} must be true with "
            "deepspeed_stage 3, or the saved model would hold only a share of the weights."
        )


def notices(values: dict[str, Any]) -> list[str]:
    """Returns a line for every input that has a value here and no effect, and why."""
    nodes, gpus = values["num_nodes_finetune"], values["number_of_gpu_to_use_finetuning"]
    rules = (
        (values["apply_deepspeed"], f"DeepSpeed stage {values['deepspeed_stage']}: shares a model among GPUs"),
        (applies("onnx-runtime", values), "ONNX Runtime: the component itself turns apply_ort off for every task"),
        (nodes * gpus > 1, f"{nodes} node(s) with {gpus} GPU(s) each: one process trains here, on one device"),
        (values["auto_find_batch_size"], "auto_find_batch_size: batches are cut into passes that fit in memory anyway"),
        (values["pad_to_max_length"], "pad_to_max_length: conversations are packed here, padding is never computed"),
        (values["dataloader_num_workers"], "dataloader_num_workers: the tokens are in memory already"),
        (values["eval_accumulation_steps"] > 0, "eval_accumulation_steps: evaluation keeps no logits"),
        (values["metric_for_best_model"] != "loss", "metric_for_best_model: chat completion evaluates the loss alone"),
        (values["trust_remote_code"], "trust_remote_code: code in a model's folder is never run here"),
        (values["ignore_mismatched_sizes"], "ignore_mismatched_sizes: weights of another shape are refused here"),
        (values["evaluation_config"] or values["evaluation_config_params"], "evaluation_config: the component has no "
         "evaluation step in this version"),
    )  # fmt: skip
    return [f"no effect here: {what}" for applies, what in rules if applies]
