"""A chat model's folder, as transformers or MLflow lay it out: weights, tokenizer, and what it says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.errors import one_line
from scripts.files import read_json, read_text, refuse

DESCRIPTION = "MLmodel"
ANEW = "fetch or train the model anew"
CHAT = {"transformers", "hftransformersv2"}  # flavours of models that carry a tokenizer
ADAPTER = "peft"  # where MLflow keeps LoRA adapters that were not merged
_WEIGHTS = (".", "data/model", "model")
_TOKENIZER = (".", "model", "data/model", "data/tokenizer", "components/tokenizer", "data/components/tokenizer")


def weights(folder: Path) -> Path | None:
    """Returns the folder with config.json and weights: the folder itself, or where MLflow puts it; None without one."""
    return next((folder / place for place in _WEIGHTS if (folder / place / "config.json").is_file()), None)


def tokenizers(folder: Path) -> list[Path]:
    """Returns the folders with a tokenizer; MLflow's transformers flavour may keep it apart from the weights."""
    return [folder / place for place in _TOKENIZER if (folder / place / "tokenizer_config.json").is_file()]


def metadata(folder: Path) -> dict[str, Any]:
    """Returns what the training wrote about itself into the file MLmodel; empty where there is none."""
    found = _described(folder).get("metadata")
    return found if isinstance(found, dict) else {}


def flavors(folder: Path) -> set[str]:
    """Returns the flavours that the file MLmodel names: how MLflow can load the model."""
    found = _described(folder).get("flavors")
    return set(found) if isinstance(found, dict) else set()


def parsed(path: Path) -> Any:
    """Returns a file of YAML in a model's folder, None where there is none; a `UserError` where it cannot be read."""
    import yaml

    text = read_text(path, ANEW)
    try:
        return None if text is None else yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        refuse(path, f"is not YAML ({one_line(error)})", ANEW)


def _described(folder: Path) -> dict[str, Any]:
    found = parsed(folder / DESCRIPTION)
    return found if isinstance(found, dict) else {}


def system_role_supported(folder: Path) -> bool:
    """Whether the model's template knows a system role; if not, its message goes in front of the first question."""
    return bool(metadata(folder).get("system_role_supported", True))


def dtype(weights: Path) -> str:
    """Returns the type of the weights by their config.json, which is float32 where it says nothing."""
    config = read_json(weights / "config.json", ANEW, dict[str, Any]) or {}
    return str(config.get("dtype") or config.get("torch_dtype") or "float32")
