"""Step 1, ft_nlp_common_validation: parameters and files, and the rules between them that the component enforces.

The rules are those of azureml-assets (finetune.py, ft_nlp_common_validation); where one exists only for GPUs, a line in
the log says what it would do there, and that nothing of it applies here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.errors import UserError
from scripts.local.engine.interface import parse
from scripts.local.engine.job_folder import Job
from scripts.local.engine.rows import FORMATS

FILES = ("train_file_path", "validation_file_path", "test_file_path")
TABLES = ("train_mltable_path", "validation_mltable_path", "test_mltable_path")
PATHS = (*FILES, *TABLES, "pytorch_model_path", "mlflow_model_path", "finetune_config_path", "deepspeed")


def run(job: Job) -> dict[str, Any]:
    """Returns the checked inputs; a `UserError` for what the component would refuse."""
    values = parse(job.inputs)
    _check_paths(job.inputs, values)
    _check_model_source(job, values)
    _check_training(values)
    for line in notices(values):
        job.log(line)
    given = {name: values[name] for name in job.inputs if name not in PATHS}
    job.log("parameters: " + " ".join(f"{name}={value}" for name, value in sorted(given.items())))
    return values


def _check_paths(inputs: dict[str, str], values: dict[str, Any]) -> None:
    for name in (*PATHS, "compute_model_import", "compute_preprocess", "compute_finetune", "compute_model_evaluation"):
        found = next((sign for sign in ("\\", "'") if sign in str(inputs.get(name, ""))), None)
        if found:
            raise UserError(
                f"inputs.{name}: the component allows no {found} in a path or compute; found '{inputs[name]}'."
            )
    if not values["train_file_path"] and not values["train_mltable_path"]:
        raise UserError(
            "inputs.train_file_path: missing; give the training conversations, here or as train_mltable_path."
        )
    for name in PATHS:
        if not values[name]:
            continue
        path = Path(values[name])
        if not path.exists():
            raise UserError(f"inputs.{name}: {path} does not exist.")
        if name in FILES and path.suffix not in FORMATS:
            allowed = ", ".join(FORMATS)
            raise UserError(f"inputs.{name}: {path.name} ends in '{path.suffix}'; the component reads {allowed}.")
        if path.is_file() and path.stat().st_size == 0:
            raise UserError(f"inputs.{name}: {path} is empty.")


def _check_model_source(job: Job, values: dict[str, Any]) -> None:
    given = [name for name in ("pytorch_model_path", "mlflow_model_path", "huggingface_id") if values[name]]
    if not given and not job.base_model.get("reference"):
        raise UserError(
            "inputs: give the base model as one of mlflow_model_path, pytorch_model_path or huggingface_id."
        )
    if len(given) > 1:
        job.log(f"{' and '.join(given)} are given; the component takes {given[0]}")


def _check_training(values: dict[str, Any]) -> None:
    if values["learning_rate"] <= 0:
        raise UserError(f"inputs.learning_rate: found {values['learning_rate']:g}; allowed is more than 0.")
    if values["apply_early_stopping"] and values["evaluation_strategy"] == "disable":
        raise UserError(
            "inputs.apply_early_stopping: early stopping needs evaluations; set evaluation_strategy to 'epoch' or 'steps'."
        )
    if not 0 <= values["evaluation_steps_interval"] <= 1:
        found = values["evaluation_steps_interval"]
        raise UserError(f"inputs.evaluation_steps_interval: found {found:g}; allowed is 0 to 1, a share of an epoch.")
    for name, least in (
        ("lora_r", 1),
        ("lora_alpha", 1),
        ("gradient_accumulation_steps", 1),
        ("eval_steps", 1),
        ("logging_steps", 1),
        ("early_stopping_patience", 1),
        ("warmup_steps", 0),
        ("weight_decay", 0),
    ):
        if values[name] < least:
            raise UserError(f"inputs.{name}: found {values[name]:g}; allowed is {least} or more.")
    for name in ("lora_dropout", "adam_beta1", "adam_beta2"):
        if not 0 <= values[name] < 1:
            raise UserError(f"inputs.{name}: found {values[name]:g}; allowed is 0 to below 1.")
    if values["apply_deepspeed"] and values["auto_find_batch_size"]:
        raise UserError(
            "inputs.auto_find_batch_size: DeepSpeed cannot search the batch size; set auto_find_batch_size or "
            "apply_deepspeed to 'false'."
        )
    if values["apply_deepspeed"] and values["deepspeed_stage"] == "3":
        _check_stage_3(values)


def _check_stage_3(values: dict[str, Any]) -> None:
    if values["apply_ort"]:
        raise UserError(
            "inputs.apply_ort: ONNX Runtime does not work with DeepSpeed stage 3; set apply_ort to 'false'."
        )
    if not values["deepspeed"]:
        return
    path = Path(values["deepspeed"])
    try:
        stage = json.loads(path.read_text(encoding="utf-8")).get("zero_optimization", {})
    except (ValueError, AttributeError) as error:
        raise UserError(f"inputs.deepspeed: {path} is not a JSON object ({error}).") from None
    if not stage.get("stage3_gather_16bit_weights_on_model_save"):
        raise UserError(
            f"inputs.deepspeed: {path}: zero_optimization.stage3_gather_16bit_weights_on_model_save must be true with "
            "deepspeed_stage 3, or the saved model would hold only a share of the weights."
        )


def notices(values: dict[str, Any]) -> list[str]:
    """Returns a line for every input that has a value here and no effect, and why."""
    nodes, gpus = values["num_nodes_finetune"], values["number_of_gpu_to_use_finetuning"]
    rules = (
        (values["apply_deepspeed"], f"DeepSpeed stage {values['deepspeed_stage']}: shares a model among GPUs"),
        (values["apply_ort"], "ONNX Runtime: the component itself turns apply_ort off for every task"),
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
