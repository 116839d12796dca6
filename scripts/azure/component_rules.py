"""What the component demands of its parameters together, and what it does with them that its interface does not say.

From azureml-assets at 2026-07-23 (version 0.0.82): ft_nlp_common_validation, finetune.py, preprocess.py. Trainer and
preflight both ask these rules and say the rest in their own words, each at its own place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scripts.azure.component import SPLITS
from scripts.azure.limits import component_limits

Parameters = Mapping[str, Any]  # as `Component.native` makes them: switches are bools, numbers are numbers

FEWEST_ROWS = int(component_limits()["training_rows"].least or 0)
FORMATS = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".txt")  # of the data files, by their ending
FORBIDDEN = ("\\", "'")  # signs that paths and computes may not have
MODEL_SOURCES = ("pytorch_model_path", "mlflow_model_path", "huggingface_id")  # the first that is given counts
TRAINING_SOURCES = ("train_mltable_path", "train_file_path")  # likewise
COMPUTES = tuple(f"compute_{part}" for part in ("model_import", "preprocess", "finetune", "model_evaluation"))
FILES = tuple(f"{split}_file_path" for split in SPLITS)
TABLES = tuple(f"{split}_mltable_path" for split in SPLITS)
PATHS = (*FILES, *TABLES, "pytorch_model_path", "mlflow_model_path", "finetune_config_path", "deepspeed")
GATHER_WEIGHTS = "stage3_gather_16bit_weights_on_model_save"  # a DeepSpeed config's key that stage 3 wants to be true


def _stage_3(given: Parameters) -> bool:
    return bool(given["apply_deepspeed"]) and given["deepspeed_stage"] == "3"


RULES: dict[str, Callable[[Parameters], Any]] = {
    # what is refused
    "early-stopping-without-evaluation": lambda given: (
        given["apply_early_stopping"] and given["evaluation_strategy"] == "disable"
    ),
    "deepspeed-with-batch-search": lambda given: given["apply_deepspeed"] and given["auto_find_batch_size"],
    "stage-3-with-onnx-runtime": lambda given: _stage_3(given) and given["apply_ort"],
    # what has another effect than it seems to
    "onnx-runtime": lambda given: given["apply_ort"],  # the component itself turns it off for every task
    "activations-kept": lambda given: given["apply_lora"] and not given["apply_deepspeed"],  # no checkpointing then
    "adapter-left-beside": lambda given: given["apply_lora"] and not given["merge_lora_weights"],  # beside the model
    "all-checkpoints-kept": lambda given: given["save_total_limit"] <= 0,
    "weights-from-the-host": _stage_3,  # which keeps them there
    "32-bit": lambda given: given["precision"] == "32",
}


def applies(rule: str, given: Parameters) -> bool:
    """Tells whether the parameters are what a rule is about."""
    return bool(RULES[rule](given))
