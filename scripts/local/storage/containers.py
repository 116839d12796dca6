"""The blob containers of a workspace: those of its two datastores, where they lie, and the shared access to them."""

from __future__ import annotations

from pathlib import Path

from scripts.local.core.state import State
from scripts.local.core.web import not_found
from scripts.local.core.workspace_record import Workspace

DEFAULT = "workspaceblobstore"
ARTIFACTS = "workspaceartifactstore"  # logs and MLflow artifacts
ARTIFACTS_CONTAINER = "azureml"


def container(workspace: Workspace, datastore: str) -> str:
    """Returns the blob container of a datastore; raises Azure's 404."""
    containers = {DEFAULT: workspace.container, ARTIFACTS: ARTIFACTS_CONTAINER}
    if datastore.lower() not in containers:
        raise not_found(f"Could not find datastore: {datastore}. The local workspace has {' and '.join(containers)}.")
    return containers[datastore.lower()]


def folder(state: State, account: str, container: str) -> Path:
    """Returns the folder of a container."""
    return state.home.blobs / account / container


def artifacts(state: State, workspace: Workspace, job: str) -> Path:
    """Returns the folder of a job's logs and artifacts."""
    return folder(state, workspace.account, ARTIFACTS_CONTAINER) / "ExperimentRun" / f"dcid.{job}"


def shared_access(state: State) -> str:
    """Returns the shared access signature of this home, which its blob endpoint accepts."""
    signature = state.credentials.sas_signature
    return f"sv=2021-12-02&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00%3A00%3A00Z&sig={signature}"
