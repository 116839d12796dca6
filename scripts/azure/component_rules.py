"""What the component demands of its parameters together, and what it does with them that its interface does not say.

From azureml-assets at 2026-07-23 (version 0.0.82): ft_nlp_common_validation, finetune.py, preprocess.py. Trainer and
preflight both ask these rules and say the rest in their own words, each at its own place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Rule:
    """One rule about several parameters: `applies` tells whether they are what `words` describes."""

    id: str
    words: str
    applies: Callable[[Parameters], bool]


def _stage_3(given: Parameters) -> bool:
    return bool(given["apply_deepspeed"]) and given["deepspeed_stage"] == "3"


REFUSED = {
    rule.id: rule
    for rule in (
        Rule(
            "early-stopping-without-evaluation",
            "early stopping needs evaluations",
            lambda given: given["apply_early_stopping"] and given["evaluation_strategy"] == "disable",
        ),
        Rule(
            "deepspeed-with-batch-search",
            "DeepSpeed cannot search the batch size",
            lambda given: given["apply_deepspeed"] and given["auto_find_batch_size"],
        ),
        Rule(
            "stage-3-with-onnx-runtime",
            "ONNX Runtime does not work with DeepSpeed stage 3",
            lambda given: _stage_3(given) and given["apply_ort"],
        ),
    )
}
KNOWN = {
    rule.id: rule
    for rule in (
        Rule(
            "onnx-runtime", "the component itself turns apply_ort off for every task", lambda given: given["apply_ort"]
        ),
        Rule(
            "activations-kept",
            "LoRA without DeepSpeed switches gradient checkpointing off",
            lambda given: given["apply_lora"] and not given["apply_deepspeed"],
        ),
        Rule(
            "adapter-left-beside",
            "an adapter that is not merged is left beside the model",
            lambda given: given["apply_lora"] and not given["merge_lora_weights"],
        ),
        Rule("all-checkpoints-kept", "every checkpoint is kept", lambda given: given["save_total_limit"] <= 0),
        Rule("weights-from-the-host", "stage 3 keeps the weights on the host", _stage_3),
        Rule("32-bit", "all in 32 bits", lambda given: given["precision"] == "32"),
    )
}


def applies(rule: str, given: Parameters) -> bool:
    """Tells whether the parameters are what a rule is about."""
    return bool((REFUSED.get(rule) or KNOWN[rule]).applies(given))
