"""The conda.yaml of the trained model, by which Azure builds the image that serves it.

The component copies that of the base model (azureml-assets, finetune.py, 2026-07-23). A base model here may have none:
a stand-in, or one of the Hugging Face hub. Then it lists what the finetune config says, else what wrote the model,
MLflow aside: the MLflow that ran here is not what Azure would install.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from scripts.azure.serving_rules import MLFLOW_BELOW, MONITORING
from scripts.local.engine.job_folder import Job

NAME = "conda.yaml"
MLFLOW = f"mlflow<{MLFLOW_BELOW}"


def write(job: Job, model: Path, configured: bool) -> None:
    """Puts its environment in place of the one that MLflow wrote beside a trained model; the log says which.

    `configured`: the finetune config names the packages, which MLflow has written already.
    """
    if configured:
        job.log(f"{NAME}: as mlflow_ft_conf of the finetune config says")
        return
    base = job.base_model.get("path")
    if base and (Path(base) / NAME).is_file():
        shutil.copyfile(Path(base) / NAME, model / NAME)
        job.log(f"{NAME}: the base model's, as the component copies it")
        return
    content = yaml.safe_load((model / NAME).read_text())
    for each in content["dependencies"]:
        if isinstance(each, dict):
            each["pip"] = [MLFLOW, *(text for text in each["pip"] if not text.startswith("mlflow"))]
            if not any(text.startswith(MONITORING) for text in each["pip"]):
                each["pip"].append(MONITORING)
    (model / NAME).write_text(yaml.safe_dump(content, sort_keys=False))
    job.log(
        f"{NAME}: the base model has none here, so it takes {MLFLOW} and {MONITORING}, with which Azure's server "
        "starts; whether the component writes both for such a model is unverified: look at it after a run on Azure"
    )
