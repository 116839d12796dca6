"""MLflow's artifacts for programs on this machine, such as the command of a job.

On Azure the plugin azureml-mlflow stores them, which reads URIs that begin with `azureml:`. A command here runs with
MLflow alone: on the plain listener a run's artifacts lie under `mlflow-artifacts:`, which every client of MLflow can
write and read through its own tracking server. The files are the same as those that the plugin and the SDK see.
"""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import FileResponse, Response

from scripts.local.core.web import WORKSPACE, Call, Routes, bad_request, not_found
from scripts.local.resources import mlflow_server
from scripts.local.storage import blob_files
from scripts.local.storage.uris import artifacts

control = Routes()
API = f"/mlflow/{{version}}{WORKSPACE}/api/"
FILES = API + "2.0/mlflow-artifacts/artifacts"
PLUGIN = re.compile(rb"azureml://[^\"\s]*?/runs/([^/\"]+)/artifacts")


@control("PUT", FILES + "/{run}/{path:path}", streams=True)
async def write(call: Call) -> Any:
    """Stores an artifact of a run."""
    path = blob_files.safe(artifacts(call.state, call.ws, call.words["run"]), call.words["path"])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            async for part in call.request.stream():
                file.write(part)
    except OSError as error:
        raise bad_request(f"The artifact {call.words['path']!r} cannot be kept: {error.strerror}.") from None
    return {}


@control("GET", FILES + "/{run}/{path:path}")
async def read(call: Call) -> Any:
    """Returns an artifact of a run."""
    path = blob_files.safe(artifacts(call.state, call.ws, call.words["run"]), call.words["path"])
    if not path.is_file():
        raise not_found(f"Run {call.words['run']} has no artifact {call.words['path']!r}.")
    return FileResponse(path)


@control("GET", FILES)
async def list_folder(call: Call) -> Any:
    """Lists a folder of a run's artifacts."""
    run, _, inner = call.query.get("path", "").partition("/")
    if not run:
        raise bad_request("The query parameter path is missing: it begins with the name of a run.")
    root = artifacts(call.state, call.ws, run)
    folder = blob_files.safe(root, inner) if inner else root
    entries = [each for each in sorted(folder.iterdir()) if not each.is_symlink()] if folder.is_dir() else []
    shown = [{"path": each.name, "is_dir": each.is_dir(), "file_size": each.stat().st_size} for each in entries]
    return {"files": shown}


@control("GET POST PUT PATCH DELETE", API + "{rest:path}")
async def forward(call: Call) -> Any:
    """Answers MLflow's REST API, with each run's artifacts where a program on this machine can reach them."""
    answer = await mlflow_server.forward(call)
    if isinstance(answer, Response):
        answer.body = PLUGIN.sub(rb"mlflow-artifacts:/\1", bytes(answer.body))
        answer.headers["content-length"] = str(len(answer.body))
    return answer
