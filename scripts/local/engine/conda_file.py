"""The conda.yaml of the trained model, by which Azure builds the image that serves it.

By the component's source (azureml-assets, finetune.py and model_converter_adapters.py, 2026-07-23) the packages are
what the finetune config says. Otherwise a model of the registry brings its own file, and one of the Hugging Face hub
gets what MLflow finds in the training image, with which Azure's server was seen to die.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from scripts.azure.serving_rules import MLFLOW_BELOW, MONITORING
from scripts.local.engine.job_folder import Job

NAME = "conda.yaml"
MLFLOW = f"mlflow<{MLFLOW_BELOW}"
WAY_OUT = "model.finetune_config.mlflow_ft_conf.mlflow_save_model_kwargs.pip_requirements"


def write(job: Job, model: Path, *, configured: bool, registered: bool) -> None:
    """Puts its environment in place of the one that MLflow wrote beside a trained model; the log says which.

    `configured`: the finetune config names the packages, which MLflow has written already. `registered`: the base model
    is one of the registry, for which a stand-in may have been trained.
    """
    base = job.base_model.path
    if configured:
        job.log(f"{NAME}: as mlflow_ft_conf of the finetune config says")
    elif base and (Path(base) / NAME).is_file():
        shutil.copyfile(Path(base) / NAME, model / NAME)
        job.log(f"{NAME}: the base model's, as the component copies it")
    elif registered:
        _complete(model / NAME)
        job.log(
            f"{NAME}: the stand-in has none, so it takes {MLFLOW} and {MONITORING}, with which Azure's server starts; "
            "whether the registry model brings both is unverified: look at it after a run on Azure"
        )
    else:
        job.log(f"{NAME}: what MLflow found, without {MONITORING}, which Azure's server wants; {WAY_OUT} names others")


def _complete(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    for entry in content["dependencies"]:
        if isinstance(entry, dict):
            entry["pip"] = [MLFLOW, *(text for text in entry["pip"] if not text.startswith("mlflow"))]
            if not any(text.startswith(MONITORING) for text in entry["pip"]):
                entry["pip"].append(MONITORING)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
