"""What a job ran on and with, beside its parameters: data, base model, component, commit; read from the job itself."""

from __future__ import annotations

import re
from typing import Any

from scripts.azure import answers

COMMIT, DIRTY = "mlflow.source.git.commit", "azureml.git.dirty"


def facts(client: Any, job: str) -> dict[str, str]:
    """Returns the facts of a job by name, as far as it says them."""
    found = answers.ask(f"job {job}", client.jobs.get, job)
    return of(found) if found else {}


def of(job: Any) -> dict[str, str]:
    """Returns the facts of a job of the SDK."""
    inputs = {name: str(getattr(given, "path", given)) for name, given in _given(job).items()}
    steps = (getattr(job, "jobs", None) or {}).values()
    properties = job.properties or {}
    commit = properties.get(COMMIT, "")[:12] + " with changes" * (properties.get(DIRTY) == "True")
    known = {
        **{name.removesuffix("_file_path"): path for name, path in inputs.items() if name.endswith("_file_path")},
        "base model": inputs.get("mlflow_model_path")
        or inputs.get("huggingface_id")
        or (job.tags or {}).get("base_model", ""),
        "component": ", ".join(str(getattr(step, "component", "")) for step in steps),
        "commit": commit if properties.get(COMMIT) else "",
    }
    return {name: _short(said) for name, said in known.items()}


def _given(job: Any) -> dict[str, Any]:
    """Returns what a job was given, under the component's names; one of type finetuning has no inputs."""
    if str(job.type).lower() != "finetuning":
        return dict(job.inputs or {})
    given = {"mlflow_model_path": job.model, "train_file_path": job.training_data}
    return given | ({"validation_file_path": job.validation_data} if job.validation_data else {})


def _short(reference: str) -> str:
    """Returns `name:version` of a reference to an asset, and all else as it is."""
    asset = re.search(r"/(?:models|components|data)/([^/]+)/versions/([^/]+)$", reference)
    return f"{asset[1]}:{asset[2]}" if asset else reference.removeprefix("azureml:")
