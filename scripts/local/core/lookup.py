"""Finding in the store what a request, a job or a URI refers to: workspaces, jobs and assets, or Azure's refusal."""

from __future__ import annotations

from scripts.local.core.state import State, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import AzureError, bad_request, not_found, unknown_resource

SCOPE = "workspaces"  # under which the store keeps the workspaces themselves
SINGULAR = {
    "data": "data",
    "models": "model",
    "codes": "code",
    "environments": "environment",
    "components": "component",
}


def workspaces(state: State) -> list[Workspace]:
    """Returns the registered workspaces, oldest first."""
    return [Workspace(**document.body) for document in state.store.list("workspaces")]


def workspace_of_account(state: State, account: str) -> Workspace | None:
    """Returns the workspace that a storage account belongs to."""
    return next((workspace for workspace in workspaces(state) if workspace.account == account), None)


def workspace_of_scope(state: State, scope: str) -> Workspace:
    """Returns the workspace of a scope that the store holds."""
    document = state.store.get(SCOPE, "workspaces", scope)
    assert document is not None
    return Workspace(**document.body)


def scope_of_path(words: dict[str, str]) -> str:
    """Returns the scope of the workspace that a request's path names."""
    return f"{words['subscription']}/{words['group']}/{words['workspace']}".lower()


def workspace_of_path(state: State, words: dict[str, str]) -> Workspace:
    """Returns the workspace that a request's path names; raises Azure's 404."""
    document = state.store.get(SCOPE, "workspaces", scope_of_path(words))
    if document is None:
        raise unknown_resource(f"workspaces/{words['workspace']}", words["group"])
    return Workspace(**document.body)


def job(state: State, workspace: Workspace, name: str, status: int = 404) -> Document:
    """Returns a job; raises Azure's refusal (404, or another status where it is only referred to)."""
    document = state.store.get(workspace.scope, "jobs", name)
    if document is None:
        parts = {"MessageFormat": "Job {jobId} not found.", "MessageParameters": {"jobId": name}}
        raise AzureError(status, "UserError", f"Job {name} not found.", inner=("NotFound", "JobNotFound"), parts=parts)
    return document


def asset(state: State, workspace: Workspace, kind: str, name: str, version: str, status: int = 404) -> Document:
    """Returns an asset version; raises Azure's refusal (404, or another status where it is only referred to)."""
    document = state.store.get(workspace.scope, kind, name, version)
    if document is not None:
        return document
    if status == 404:
        raise missing_asset(kind, name, version)
    what = f"{SINGULAR.get(kind, kind)} of workspace {workspace.name}"
    raise AzureError(status, "UserError", f"Could not find asset with ID: azureml:{name}:{version} ({what}).")


def missing_asset(kind: str, name: str, version: str = "") -> AzureError:
    """Returns the 404 of an asset that is not there; without a version of its container, of which all are recorded.

    Words as Microsoft's tests recorded them, 2022 to 2026; those of a version that is not there were recorded for
    components only, and are unverified for the others.
    """
    if kind == "models":
        which = f"Model with name: {name} and version: {version}" if version else f"Model container with name: {name}"
        details = [{"code": "ModelNotFound", "message": f"{which} not found."}]
        return AzureError(404, "UserError", "The specified resource was not found.", details)
    if kind == "components":
        return not_found(f"Not found component {name}.", inner=("NotFound", "ComponentNotFound"))
    if kind == "environments":
        message = f"No environment exists for name: {name}, version: {version}, label: "
    elif version:
        message = f"Could not find asset with ID: azureml:{name}:{version}"
    else:
        message = f"{name} container was not found."
    return not_found(message, inner=("NotFoundError",))


def latest_asset(state: State, workspace: Workspace, kind: str, name: str) -> Document:
    """Returns the version of an asset that was created last, which is what the label `latest` means."""
    versions = active(state.store.list(kind, workspace.scope, name))
    if not versions:
        raise bad_request(f"There is no {SINGULAR.get(kind, kind)} {name!r} in workspace {workspace.name}.")
    return versions[-1]


def active(documents: list[Document]) -> list[Document]:
    """Returns the documents that are not archived."""
    return [document for document in documents if not document.body["properties"].get("isArchived")]
