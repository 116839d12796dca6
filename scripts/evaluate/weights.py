"""Where the files of the two models are: the registered one downloaded through the SDK, and what it was trained from."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.azure import answers
from scripts.azure import client as client_module
from scripts.errors import MISSING, UNREACHABLE, UserError, one_line
from scripts.files import ROOT
from scripts.values.read import Values


@dataclass(frozen=True)
class Weights:
    """A folder with a model's files, and what that model is called."""

    folder: Path
    name: str


def tuned(client: Any, name: str, version: str, into: Path) -> Weights:
    """Returns the registered model's files, downloaded into `into` once."""
    folder = into / "model"
    if not folder.exists():
        part = into / ".model.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        answers.require(
            f"model {name}:{version}",
            "make register registers it",
            client.models.download,
            name,
            version=version,
            download_path=part,
        )
        described = sorted(part.rglob("MLmodel"), key=lambda path: len(path.parts))
        if not described:
            raise UserError(
                f"model {name}:{version} is no MLflow model: there is no file MLmodel among what it downloaded"
            )
        described[0].parent.rename(folder)
        shutil.rmtree(part, ignore_errors=True)
    return Weights(folder, f"{name}:{version}")


def base(values: Values, model_dir: Path, into: Path) -> Weights:
    """Returns the files of the model that `model_dir` was trained from.

    In this order: the folder that `evaluation.base` names; what the training itself recorded in the model (a small model
    may have stood in for the base model); the Hugging Face hub; the registry.
    """
    model = values.data["model"]
    given = values.data["evaluation"].get("base")
    if given:
        folder = (ROOT / given).resolve()
        if not folder.is_dir():
            raise UserError(
                f"{values.where('evaluation.base')}: evaluation.base: no folder {given}; name the base model's"
            )
        return Weights(folder, given)
    recorded = metadata(model_dir)
    if "SmolLM2-135M-Instruct" in (recorded.get("stand_in") or recorded.get("base_model") or ""):
        from scripts.local.engine import model_import

        return Weights(model_import.smollm2(_dtype(model_dir))[0], model_import.SMOLLM2)
    if model.get("huggingface_id"):
        return Weights(_from_hub(model["huggingface_id"], model.get("version")), model["huggingface_id"])
    return _from_registry(values, into)


def metadata(model_dir: Path) -> dict[str, Any]:
    """Returns what the training wrote about itself into the file MLmodel."""
    import yaml

    path = model_dir / "MLmodel"
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("metadata") or {} if path.is_file() else {}


def _dtype(model_dir: Path) -> str:
    import json

    from scripts.local.engine import model_import

    config = json.loads((model_import.weights_in(model_dir) / "config.json").read_text(encoding="utf-8"))
    return str(config.get("dtype") or config.get("torch_dtype") or "float32")


def _from_hub(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        patterns = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
        return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except Exception as error:  # the hub's errors have no common base class
        raise UserError(
            f"the base model {name} cannot be read from the Hugging Face hub: {one_line(error)}; name a "
            "folder that has it in evaluation.base",
            UNREACHABLE,
        ) from None


def _from_registry(values: Values, into: Path) -> Weights:
    from scripts.values import facts

    model = values.data["model"]
    version = facts.load(values).model["version"]
    folder = into.parent / "base" / f"{model['name']}-{version}"
    if not folder.exists():
        client = answers.require(
            f"registry {model['registry']}", "model.registry names it", client_module.registry, values
        )
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        answers.require(
            f"model {model['name']}:{version} in registry {model['registry']}",
            "name a folder that has its weights in evaluation.base",
            client.models.download,
            model["name"],
            version=version,
            download_path=part,
        )
        found = [*sorted(part.rglob("MLmodel")), *sorted(part.rglob("config.json"))]
        if not found:
            raise UserError(f"registry model {model['name']}:{version} has no weights of transformers", MISSING)
        found[0].parent.rename(folder)
        shutil.rmtree(part, ignore_errors=True)
    return Weights(folder, f"{model['name']}:{version}")
