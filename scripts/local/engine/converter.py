"""Step 5, ft_nlp_model_converter: the trained model as an MLflow model, and as a plain folder of transformers.

The MLflow model is that of mlflow.transformers (task llm/v1/chat), so mlflow.pyfunc.load_model reads it too; beside the
weights, in model/, lies the tokenizer with its chat template, so that serving writes conversations as training did.
Everything is written under another name first: an output is either complete or not there.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from scripts.azure.component_rules import applies
from scripts.conversation.model_folder import ADAPTER
from scripts.local.engine import conda_file
from scripts.local.engine.checkpoints import all_in
from scripts.local.engine.job_folder import Job
from scripts.local.engine.model_import import BaseModel
from scripts.local.engine.preprocess import Data

PACKAGES = ("mlflow-skinny", "torch", "transformers", "accelerate", "safetensors", "pandas")


def run(
    job: Job, values: dict[str, Any], base: BaseModel, data: Data, tokenizer: Any, model: Any, summary: dict[str, Any]
) -> None:
    """Writes both outputs of the component."""
    import mlflow.transformers

    target = job.outputs["mlflow_model_folder"]
    partial = fresh(target)
    model.set_attn_implementation("sdpa")  # the packed attention is the trainer's own
    model.config.use_cache = True
    model.eval()
    mlflow.transformers.save_model(
        {"model": model, "tokenizer": tokenizer},
        str(partial),
        task="llm/v1/chat",
        pip_requirements=requirements(adapter_beside=applies("adapter-left-beside", values)),
        metadata=metadata(job, values, base, data, summary),
    )
    conda_file.write(job, partial)
    if (partial / ADAPTER).exists():
        # mlflow wrote PEFT's wrapped layers under names that no model has: the base model is what belongs here.
        model.unload().save_pretrained(partial / "model")
    tokenizer.save_pretrained(partial / "model")
    pytorch = job.outputs.get("pytorch_model_folder")
    if pytorch:
        _write_pytorch(job, partial, fresh(pytorch), pytorch)
    partial.rename(target)  # an empty folder may be in the place
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    job.log(f"MLflow model: {size / 1e6:.0f} MB in {target.name}")


def metadata(job: Job, values: dict[str, Any], base: BaseModel, data: Data, summary: dict[str, Any]) -> dict[str, Any]:
    """Returns what the model says about where it comes from; it ends up in the file MLmodel."""
    return {
        "base_model": base.reference,
        "stand_in": base.folder.name if base.stand_in else None,
        "job": job.name,
        "component": job.described.get("component", "chat_completion_pipeline"),
        "finetuning_task": "chat-completion",
        "system_role_supported": base.system_role_supported,
        "parameters": {
            name: value for name, value in sorted(values.items()) if value is not None and name in job.inputs
        },
        "data_sha256": data.files,
        "counts": data.counts,
        "result": summary,
    }


def requirements(adapter_beside: bool) -> list[str]:
    """Returns the packages that load the model, pinned to what wrote it."""
    from importlib.metadata import version

    names = (*PACKAGES, "peft") if adapter_beside else PACKAGES
    return [f"{name}=={version(name).partition('+')[0]}" for name in names]


def fresh(target: Path) -> Path:
    """Returns an empty path beside `target` to write to; left-overs of a killed job are removed."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    return partial


def _write_pytorch(job: Job, mlflow_model: Path, partial: Path, target: Path) -> None:
    """The best model and the checkpoints; files that the MLflow model has already are linked, not copied."""
    shutil.copytree(mlflow_model / "model", partial, copy_function=_link)
    if (mlflow_model / ADAPTER).exists():
        shutil.copytree(mlflow_model / ADAPTER, partial / ADAPTER, copy_function=_link)
    for checkpoint in all_in(job.scratch / "checkpoints"):
        shutil.move(checkpoint, partial / checkpoint.name)
    partial.rename(target)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
