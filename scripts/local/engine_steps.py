"""Starts the fine-tuning component: writes its job.json and spawns scripts.local.engine on the step's folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.local import processes, uris
from scripts.local.interface import LITERALS

if TYPE_CHECKING:
    from scripts.local.bindings import Step
    from scripts.local.emulator import Emulator
    from scripts.local.workspaces import Workspace

ENGINE = "scripts.local.engine"
BUNDLED = "SmolLM2-135M-Instruct"  # the model whose weights come with the Python packages


async def start(
    emulator: Emulator,
    workspace: Workspace,
    job: str,
    properties: dict[str, Any],
    step: Step,
    folder: Path,
    inputs: dict[str, str],
    outputs: dict[str, Path],
) -> processes.Child:
    """Starts the step's process. Tests name another module than ENGINE in AZUREML_LOCAL_ENGINE."""
    defaults = {name: str(spec["default"]) for name, spec in step.spec["inputs"].items() if "default" in spec}
    base = base_model(emulator, step, inputs)
    # A model of the registry has no path: the base model alone says which it is, and what stands for it.
    inputs = {name: value for name, value in inputs.items() if not uris.REGISTRY.fullmatch(value)}
    settings = emulator.settings
    content = {
        "name": job,
        "display_name": properties["displayName"],
        "experiment_name": properties["experimentName"],
        "component": step.spec["name"],
        "inputs": defaults | inputs,
        "base_model": base,
        "outputs": {name: str(path) for name, path in outputs.items()},
        "settings": {
            "max_seconds": settings.max_seconds,
            "max_steps": settings.max_steps,
            "threads": settings.training_threads,
        },
        "mlflow": {
            "tracking_uri": emulator.tracking.address(workspace),
            "run_id": job,
            "experiment_name": properties["experimentName"],
        },
    }
    for path in outputs.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_text(json.dumps(content, indent=2) + "\n")
    module = os.environ.get("AZUREML_LOCAL_ENGINE", ENGINE)
    return await processes.spawn(["-m", module, str(folder)], folder / "output.txt")


def base_model(emulator: Emulator, step: Step, inputs: dict[str, str]) -> dict[str, Any]:
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
            path = emulator.settings.base_model(*names)
            reference = given
        else:
            path = given
            source = step.inputs[name]
            reference = source.uri or f"output {source.output} of step {source.step}"
        stand_in = path is None and not reference.rstrip("/").endswith(BUNDLED)
        return {"reference": reference, "path": path, "stand_in": stand_in}
    return {"reference": None, "path": None, "stand_in": False}
