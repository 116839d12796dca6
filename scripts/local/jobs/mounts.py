"""What stands between a job and its data on Azure: whether the cluster may read it, and outputs that stay empty."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from scripts.local.core import faults
from scripts.local.core.state import State, Workspace
from scripts.local.core.web import AzureError
from scripts.local.jobs.steps import Step
from scripts.local.storage import uris

DENIED = "ScriptExecution.StreamAccess.Authentication"


def refuse(state: State, workspace: Workspace, step: Step) -> None:
    """Raises what a step fails with when its node may not read the data: five users' logs, 2025-11 to 2026-09.

    The datastores of a storage account without keys are mounted with the identity of the cluster, which needs one.
    """
    fault = faults.happening(state, "job.data")
    if fault is None and not _lacks_identity(state, workspace, step):
        return
    given = [value.uri for value in step.inputs.values() if value.uri and not uris.REGISTRY.fullmatch(value.uri)]
    uri = next(iter([*given, *step.outputs.values()]), f"azureml://datastores/{uris.DEFAULT}/paths/")
    message = (
        f"Failed to mount URI {uri}. This request is not authorized to perform this operation using this permission. "
        f"Step {step.name} runs on {step.compute or 'serverless compute'}: its identity needs the role Storage Blob "
        "Data Contributor on the workspace's storage account."
    )
    raise AzureError(403, DENIED, message)


def _lacks_identity(state: State, workspace: Workspace, step: Step) -> bool:
    if state.settings.datastore_auth != "identity" or not step.compute:
        return False
    document = state.store.get(workspace.scope, "computes", step.compute)
    kind = ((document.body.get("identity") if document else None) or {}).get("type", "None")
    return str(kind).lower() == "none"


def empty(state: State, workspace: Workspace, job: str, steps: Iterable[Step]) -> None:
    """Removes what a job has written: seen on Azure where the nodes cannot reach the storage (field notes, 2026-08)."""
    for step in steps:
        for uri in step.outputs.values():
            path = uris.resolve(state, workspace, uri)
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)
        for owner in (job, f"{job}.{step.name}"):
            shutil.rmtree(uris.artifacts(state, workspace, owner) / "outputs", ignore_errors=True)
