"""Starts the fine-tuning component: writes its job.json and spawns scripts.local.engine on the step's folder."""

from __future__ import annotations

import json
import os
from typing import Any

from scripts import files
from scripts.local.core import processes
from scripts.local.core.state import State
from scripts.local.jobs.references import LITERALS
from scripts.local.jobs.steps import Step, StepRun
from scripts.local.storage import uris

ENGINE = "scripts.local.engine"
BUNDLED = "SmolLM2-135M-Instruct"  # the model whose weights come with the Python packages


async def start(state: State, run: StepRun) -> processes.Child:
    """Starts the step's process. Tests name another module than ENGINE in AZUREML_LOCAL_ENGINE."""
    # A model of the registry has no path: the base model alone says which it is, and what stands for it.
    inputs = {name: value for name, value in run.inputs.items() if not uris.REGISTRY.fullmatch(value)}
    settings = state.settings
    content = {
        "name": run.job,
        "display_name": run.properties["displayName"],
        "experiment_name": run.properties["experimentName"],
        "component": run.step.spec["name"],
        "inputs": run.step.defaults() | inputs,
        "base_model": base_model(state, run.step, run.inputs),
        "outputs": {name: str(path) for name, path in run.outputs.items()},
        "settings": {
            "max_tokens": settings.max_tokens,
            "max_steps": settings.max_steps,
            "threads": settings.training_threads,
        },
        "mlflow": {
            "tracking_uri": run.tracking["MLFLOW_TRACKING_URI"],
            "run_id": run.job,
            "experiment_name": run.properties["experimentName"],
        },
    }
    for path in run.outputs.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    files.write(run.folder / "job.json", json.dumps(content, indent=2) + "\n")
    module = os.environ.get("AZUREML_LOCAL_ENGINE", ENGINE)
    return await processes.spawn(["-m", module, str(run.folder)], run.folder / "output.txt", run.tracking)


def base_model(state: State, step: Step, inputs: dict[str, str]) -> dict[str, Any]:
    """Returns the base model of a step: what the job asked for, and the folder with its weights if there is one here.

    The component prefers a PyTorch model over an MLflow model over a Hugging Face id. A model of the registry, or of
    the hub, has weights here only where settings.yaml names them.
    """
    for name in ("pytorch_model_path", "mlflow_model_path", "huggingface_id"):
        given = inputs.get(name)
        if not given:
            continue
        match = uris.REGISTRY.fullmatch(given)
        if match or step.spec["inputs"][name]["type"] in LITERALS:
            names = (given, match["name"]) if match else (given,)
            path = state.settings.base_model(*names)
            reference = given
        else:
            path = given
            source = step.inputs[name]
            reference = source.uri or f"output {source.output} of step {source.step}"
        stand_in = path is None and not reference.rstrip("/").endswith(BUNDLED)
        return {"reference": reference, "path": path, "stand_in": stand_in}
    return {"reference": None, "path": None, "stand_in": False}
