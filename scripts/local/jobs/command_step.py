"""Runs command components: their code in a folder of its own, their command with paths in the place of expressions."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

from scripts import files
from scripts.local.core import processes
from scripts.local.core.state import State
from scripts.local.core.web import bad_request
from scripts.local.jobs.steps import StepRun
from scripts.local.storage import uris
from scripts.local.storage.blob_files import links

EXPRESSION = re.compile(r"\$\{\{\s*(inputs|outputs)\.(\w+)(?:\.path)?\s*\}\}")
OPTIONAL = re.compile(r"\$\[\[(.*?)\]\]", re.DOTALL)


def fill(command: str, inputs: dict[str, str], outputs: dict[str, str]) -> str:
    """Returns a command with its expressions replaced; a part in `$[[ ]]` goes when an input in it has no value."""
    words = {"inputs": inputs, "outputs": outputs}

    def optional(match: re.Match[str]) -> str:
        known = all(name in words[group] for group, name in EXPRESSION.findall(match[1]))
        return match[1] if known else ""

    def value(match: re.Match[str]) -> str:
        if match[2] not in words[match[1]]:
            raise bad_request(f"The command refers to {match[0]}, which has no value.")
        return shlex.quote(words[match[1]][match[2]])

    return EXPRESSION.sub(value, OPTIONAL.sub(optional, command))


async def start(state: State, run: StepRun) -> processes.Child:
    """Starts the step's process. Its environment (image, conda file) is not built: it runs with this Python."""
    spec, work = run.step.spec, run.folder / "code"
    code = spec.get("code")
    if code:
        shutil.copytree(uris.resolve(state, run.workspace, code, "codes"), work, ignore=links)
    else:
        work.mkdir()
    for name, path in run.outputs.items():
        is_file = spec["outputs"][name]["type"] == "uri_file"
        (path.parent if is_file else path).mkdir(parents=True, exist_ok=True)
    outputs = {name: str(path) for name, path in run.outputs.items()}
    command = fill(spec["command"], run.step.defaults() | run.inputs, outputs)
    record = {"command": command, "inputs": run.inputs, "outputs": outputs}
    files.write(run.folder / "job.json", json.dumps(record, indent=2) + "\n")
    (work / "outputs").mkdir(exist_ok=True)
    given = spec.get("environment_variables") or {}
    variables = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",  # `python` is ours, with its packages
        "MLFLOW_TRACKING_URI": run.tracking_uri,
        "MLFLOW_RUN_ID": run.job,
        "MLFLOW_EXPERIMENT_NAME": run.properties["experimentName"],
        "AZUREML_RUN_ID": run.job,
        "AZUREML_ARM_SUBSCRIPTION": run.workspace.subscription,
        "AZUREML_ARM_RESOURCEGROUP": run.workspace.group,
        "AZUREML_ARM_WORKSPACE_NAME": run.workspace.name,
        **{str(key): str(value) for key, value in given.items()},
    }
    log = (run.folder / "logs" / "executionlogs.txt").resolve()
    own = str((run.folder / "output.txt").resolve())
    return await processes.spawn(["-m", "scripts.local.jobs.guard", command, own], log, variables, work)


def keep_outputs(state: State, run: StepRun) -> None:
    """Keeps what the command wrote to ./outputs among the artifacts of the job, or of a pipeline's step; no links."""
    written = run.folder / "code" / "outputs"
    if written.is_dir() and any(written.iterdir()):
        owner = f"{run.job}.{run.step.name}" if run.properties["jobType"] == "Pipeline" else run.job
        target = uris.artifacts(state, run.workspace, owner) / "outputs"
        shutil.copytree(written, target, dirs_exist_ok=True, ignore=links)
