"""Where the files of both models are: the registered one, downloaded by the SDK, and what it was trained from."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.azure import answers
from scripts.azure import client as client_module
from scripts.conversation import model_folder
from scripts.errors import MISSING, UNREACHABLE, UserError, one_line
from scripts.files import ROOT
from scripts.local.engine import model_import, smollm2
from scripts.targets import command
from scripts.values.read import Values


@dataclass(frozen=True)
class Weights:
    """A folder with a model's files, and what that model is called."""

    folder: Path
    name: str


def tuned(client: Any, name: str, version: str, into: Path) -> Weights:
    """Returns the registered model's files, downloaded into `into` once."""
    folder, what = into / "model", f"model {name}:{version}"
    if not _download(client, name, version, folder, what, f"{command('register')} registers it", ("MLmodel",)):
        raise UserError(f"{what} is no MLflow model: there is no file MLmodel among what it downloaded")
    return Weights(folder, f"{name}:{version}")


def base(values: Values, model_dir: Path, into: Path) -> Weights:
    """Returns the files of the model that `model_dir` was trained from.

    In this order: the folder that `evaluation.base` names; what the training itself recorded in the model (a small
    model may have stood in for the base model); the Hugging Face hub; the registry.
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
    recorded = model_folder.metadata(model_dir)
    if smollm2.NAME in (recorded.get("stand_in") or recorded.get("base_model") or ""):
        dtype = model_folder.dtype(model_import.weights_in(model_dir))
        return Weights(smollm2.weights(dtype)[0], smollm2.NAME)
    if model.get("huggingface_id"):
        return Weights(_from_hub(model["huggingface_id"], model.get("version")), model["huggingface_id"])
    return _from_registry(values, into)


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
    name, version = model["name"], facts.load(values).model.version
    folder = into.parent / "base" / f"{name}-{version}"
    what = f"model {name}:{version} in registry {model['registry']}"
    advice = "name a folder that has its weights in evaluation.base"
    registry = answers.require(
        f"registry {model['registry']}", "model.registry names it", client_module.registry, values
    )
    if not _download(registry, name, version, folder, what, advice, ("MLmodel", "config.json")):
        raise UserError(f"registry model {name}:{version} has no weights of transformers", MISSING)
    return Weights(folder, f"{name}:{version}")


def _download(
    client: Any, name: str, version: str, folder: Path, what: str, advice: str, signs: tuple[str, ...]
) -> bool:
    """Downloads a model into `folder` once and never half; returns whether a file that marks a model is there."""
    if folder.exists():
        return True
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    answers.require(what, advice, client.models.download, name, version=version, download_path=part)
    marked = [path for sign in signs for path in sorted(part.rglob(sign), key=lambda path: len(path.parts))]
    if marked:
        marked[0].parent.rename(folder)
        shutil.rmtree(part, ignore_errors=True)
    return bool(marked)
