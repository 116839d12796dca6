"""Step 5, ft_nlp_model_converter: the trained model as an MLflow model, and as a plain folder of transformers.

The MLflow model is that of mlflow.transformers (task llm/v1/chat), so mlflow.pyfunc.load_model reads it too; beside the
weights, in model/, lies the tokenizer with its chat template, so that serving writes conversations as training did.
Everything is written under another name first: an output is either complete or not there.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from scripts.azure.component_rules import applies
from scripts.azure.references import REGISTRY
from scripts.conversation import answer
from scripts.conversation.model_folder import ADAPTER
from scripts.files import write
from scripts.local.engine import conda_file
from scripts.local.engine.checkpoints import all_in
from scripts.local.engine.job_folder import Job
from scripts.local.engine.model_import import FINETUNE_CONFIG, BaseModel
from scripts.local.engine.preprocess import Data
from scripts.uncollected import uncollected

PACKAGES = ("mlflow-skinny", "torch", "transformers", "accelerate", "safetensors", "pandas")


def run(
    job: Job, values: dict[str, Any], base: BaseModel, data: Data, tokenizer: Any, model: Any, summary: dict[str, Any]
) -> None:
    """Writes both outputs of the component."""
    with uncollected():
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
        pip_requirements=requirements(base.config, adapter_beside=applies("adapter-left-beside", values)),
        metadata=metadata(job, values, base, data, summary),
    )
    registered = REGISTRY.fullmatch(base.reference) is not None
    conda_file.write(job, partial, configured=bool(saving(base.config)), registered=registered)
    if (partial / ADAPTER).exists():
        # mlflow wrote PEFT's wrapped layers under names that no model has: the base model is what belongs here.
        model.unload().save_pretrained(partial / "model")
    tokenizer.save_pretrained(partial / "model")
    if base.config:  # beside the model, as the component leaves it, for who trains on with it
        write(partial / FINETUNE_CONFIG, json.dumps(base.config, indent=2) + "\n")
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
        "component": job.described.component,
        "finetuning_task": "chat-completion",
        "system_role_supported": base.system_role_supported,
        "serving": dict(zip(("answers", "because"), served(base), strict=True)),
        "parameters": {
            name: value for name, value in sorted(values.items()) if value is not None and name in job.inputs
        },
        "data_sha256": data.files,
        "counts": data.counts,
        "result": summary,
    }


def served(base: BaseModel) -> tuple[str, str]:
    """Returns how Azure's server of the trained model answers, and why; from azureml-assets at 2026-07-23.

    The converter writes flavour hftransformersv2 and, unless the finetune config enables vLLM (finetune.py,
    setup_vllm), drops the base model's image: Azure's no-code MLflow scorer serves it then. A model of the hub never
    had an image.
    """
    registered = REGISTRY.fullmatch(base.reference)
    vllm = (base.config.get("inferencing_config") or {}).get("enable_vllm")
    if not registered:
        return answer.SCORER, "a model that does not come from the registry is served by Azure's no-code MLflow scorer"
    if vllm is None:
        return answer.OUTPUT, "as its model card says; what its own finetune config enables is unverified"
    if vllm:
        return answer.OUTPUT, "inferencing_config.enable_vllm keeps the base model's vLLM image"
    return answer.SCORER, "inferencing_config.enable_vllm is false: Azure's no-code MLflow scorer"


def requirements(config: dict[str, Any], adapter_beside: bool) -> list[str]:
    """Returns the packages of the model's conda.yaml: what wrote it, pinned, and what the finetune config says."""
    from importlib.metadata import version

    wanted = saving(config)
    names = (*PACKAGES, "peft") if adapter_beside else PACKAGES
    found = [f"{name}=={version(name).partition('+')[0]}" for name in names]
    return [*(wanted.get("pip_requirements") or found), *wanted.get("extra_pip_requirements", ())]


def saving(config: dict[str, Any]) -> dict[str, Any]:
    """Returns what a finetune config says about the packages of the model's environment."""
    words = config.get("mlflow_ft_conf", {}).get("mlflow_save_model_kwargs", {})
    return {key: words[key] for key in ("pip_requirements", "extra_pip_requirements") if words.get(key)}


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
