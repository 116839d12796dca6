"""Runs command components: their code in a folder of its own, their command with paths in the place of expressions."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.local import processes, uris
from scripts.local.web import bad_request

if TYPE_CHECKING:
    from scripts.local.bindings import Step
    from scripts.local.emulator import Emulator
    from scripts.local.workspaces import Workspace

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
    """Starts the step's process. Its environment (image, conda file) is not built: it runs with this Python."""
    work = folder / "code"
    code = step.spec.get("code")
    if code:
        shutil.copytree(uris.resolve(emulator, workspace, code, "codes"), work)
    else:
        work.mkdir()
    defaults = {name: str(spec["default"]) for name, spec in step.spec["inputs"].items() if "default" in spec}
    for name, path in outputs.items():
        is_file = step.spec["outputs"][name]["type"] == "uri_file"
        (path.parent if is_file else path).mkdir(parents=True, exist_ok=True)
    command = fill(step.spec["command"], defaults | inputs, {name: str(path) for name, path in outputs.items()})
    record = {"command": command, "inputs": inputs, "outputs": {name: str(path) for name, path in outputs.items()}}
    (folder / "job.json").write_text(json.dumps(record, indent=2) + "\n")
    given = properties.get("environmentVariables") or step.spec.get("environment_variables") or {}
    variables = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",  # `python` is ours, with its packages
        "MLFLOW_TRACKING_URI": emulator.tracking.address(workspace),
        "MLFLOW_RUN_ID": job,
        "MLFLOW_EXPERIMENT_NAME": properties["experimentName"],
        "AZUREML_RUN_ID": job,
        **{str(key): str(value) for key, value in given.items()},
    }
    log = (folder / "logs" / "executionlogs.txt").resolve()
    return await processes.spawn(["-m", "scripts.local.guard", command], log, variables, work)
