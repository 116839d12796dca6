"""Azure ML's ways of naming data, and where each lies on this machine: URIs, datastores and their blob"""

from __future__ import annotations

import re
from pathlib import Path

from scripts.azure import references
from scripts.local.core import lookup
from scripts.local.core.state import State, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import AzureError, bad_request, not_found
from scripts.local.storage.blob_files import leads_away

DEFAULT = "workspaceblobstore"
ARTIFACTS = "workspaceartifactstore"  # logs and MLflow artifacts
ARTIFACTS_CONTAINER = "azureml"
OTHER_WORKSPACE = (
    r"(?:/?subscriptions/(?P<subscription>[^/]+)/resource[gG]roups/(?P<group>[^/]+)(?:/providers/[^/]+)?"
    r"/workspaces/(?P<name>[^/]+)/)?"
)
DATASTORE = re.compile(rf"azureml://{OTHER_WORKSPACE}datastores/(?P<datastore>[^/]+)/paths/(?P<path>.*)")
JOB_OUTPUT = re.compile(r"azureml://jobs/(?P<job>[^/]+)/outputs/(?P<output>[^/]+)(?:/paths)?(?:/(?P<path>.*))?")
RUN = re.compile(r"runs:/+(?P<job>[^/]+)/(?P<path>.*)")
BLOB = re.compile(
    r"https://(?P<account>[a-z0-9]+)\.blob\.core\.windows\.net(?::443)?/(?P<container>[a-z0-9-]+)/(?P<path>[^?]*)"
)
REGISTRY = references.REGISTRY
ASSET = re.compile(
    r"(?:azureml:)?/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)/providers/[^/]+"
    r"/workspaces/(?P<workspace>[^/]+)/(?P<kind>\w+)/(?P<name>[^/]+)/versions/(?P<version>[^/]+)",
    re.I,
)
SHORT = re.compile(f"(?:azureml:)?{references.SHORT.pattern}")


def datastore(state: State, workspace: Workspace, name: str) -> tuple[str, str]:
    """Returns the storage account and the container of a datastore; raises Azure's 404.

    Raises the 400 of one that lies outside of the workspace's account: it is kept here, and cannot be read.
    """
    containers = {DEFAULT: workspace.container, ARTIFACTS: ARTIFACTS_CONTAINER}
    if name.lower() in containers:
        return workspace.account, containers[name.lower()]
    document = state.store.get(workspace.scope, "datastores", name)
    if document is None:
        raise no_datastore(name)
    properties = document.body["properties"]
    if properties["datastoreType"] == "AzureBlob" and properties["accountName"] == workspace.account:
        return workspace.account, properties["containerName"]
    place = properties.get("accountName") or properties.get("storeName") or properties["datastoreType"]
    raise bad_request(
        f"Datastore {name} lies in {place}, outside of the local Azure ML, which keeps the datastore and cannot read "
        f"what is in it: put the data into {DEFAULT}, or take its container in account {workspace.account}."
    )


def no_datastore(name: str) -> AzureError:
    """Returns the 404 of a datastore that is not there."""
    return not_found(f"Could not find datastore: {name}.", inner=("NotFoundError",))


def folder(state: State, account: str, container: str) -> Path:
    """Returns the folder of a container."""
    return state.home.blobs / account / container


def artifacts(state: State, workspace: Workspace, job: str) -> Path:
    """Returns the folder of a job's logs and artifacts."""
    return folder(state, workspace.account, ARTIFACTS_CONTAINER) / "ExperimentRun" / f"dcid.{job}"


def artifacts_uri(job: str) -> str:
    """Returns the URI of a job's logs and artifacts, or of a step's."""
    return f"azureml://datastores/{ARTIFACTS}/paths/ExperimentRun/dcid.{job}"


def shared_access(state: State) -> str:
    """Returns the shared access signature of this home, which its blob endpoint accepts."""
    signature = state.credentials.sas_signature
    return f"sv=2021-12-02&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00%3A00%3A00Z&sig={signature}"


def default_output(owner: str, output: str, kind: str) -> str:
    """Returns the URI of an output that names no place of its own: where the SDK looks for it."""
    end = "" if kind == "uri_file" else "/"
    return f"azureml://datastores/{DEFAULT}/paths/azureml/{owner}/{output}{end}"


def asset_reference(text: str) -> re.Match[str] | None:
    """Returns the match of a text that names an asset of a workspace, by its id or in short; None of any other."""
    return ASSET.fullmatch(text) or SHORT.fullmatch(text)


def asset_named(state: State, workspace: Workspace, match: re.Match[str], kind: str) -> Document:
    """Returns the asset version of such a match; refuses one that does not exist. `kind`: what a short name means."""
    words = match.groupdict()
    kind = (words.get("kind") or kind).lower()
    if words.get("by") == "@" or (kind, words["version"]) == ("components", "latest"):
        return lookup.latest_asset(state, workspace, kind, words["name"])
    return lookup.asset(state, workspace, kind, words["name"], words["version"], status=400)


def resolve(state: State, workspace: Workspace, uri: str, kind: str = "data") -> Path:
    """Returns the file or folder that a URI names, whether or not it exists. `kind`: what a short name means."""
    for pattern, place in PLACES:
        match = pattern.fullmatch(uri)
        if match:
            return place(state, workspace, match, kind)
    raise bad_request(
        f"{uri!r} lies outside of this workspace: the local Azure ML reads datastores, jobs, assets and its own blobs."
    )


def lengthen(workspace: Workspace, uri: str) -> str:
    """Returns a datastore's URI as the service sends it back, with the workspace in it; any other as it is."""
    match = DATASTORE.fullmatch(uri)
    if match is None or match["name"]:
        return uri
    place = f"subscriptions/{workspace.subscription}/resourcegroups/{workspace.group}/workspaces/{workspace.name}"
    return f"azureml://{place}/datastores/{match['datastore']}/paths/{match['path']}"


def long_form(state: State, workspace: Workspace, uri: str) -> str:
    """Returns the URI that is kept of an asset's place: of a datastore, a job's output or another asset in long form.

    Raises Azure's refusal of a datastore, job or asset that does not exist.
    """
    match = DATASTORE.fullmatch(uri)
    if match is not None:
        own = not match["name"] and match["datastore"].lower() not in (DEFAULT, ARTIFACTS)
        if own and state.store.get(workspace.scope, "datastores", match["datastore"]) is None:
            raise no_datastore(match["datastore"])
        return lengthen(workspace, uri)
    if not any(pattern.fullmatch(uri) for pattern in (JOB_OUTPUT, RUN, ASSET, SHORT)):
        return uri
    path = resolve(state, workspace, uri)
    for name in (DEFAULT, ARTIFACTS):
        root = folder(state, *datastore(state, workspace, name))
        if path.is_relative_to(root):
            uri = f"azureml://datastores/{name}/paths/{path.relative_to(root).as_posix()}"
            return lengthen(workspace, uri)
    return uri


def _datastore(state: State, workspace: Workspace, match: re.Match[str], kind: str) -> Path:
    if match["name"]:
        scope = f"{match['subscription']}/{match['group']}/{match['name']}"
        if state.store.get(lookup.SCOPE, "workspaces", scope) is None:
            raise bad_request(f"Workspace {match['name']!r} of {match[0]!r} is not registered here.")
        workspace = lookup.workspace_of_scope(state, scope)
    root = folder(state, *datastore(state, workspace, match["datastore"]))
    return _inside(root, match["path"], match[0])


def _inside(root: Path, path: str, uri: str) -> Path:
    parts = [part for part in path.split("/") if part]
    if ".." in parts or "." in parts:
        raise bad_request(f"{uri!r} must not contain '.' or '..' as a part of its path.")
    place = root.joinpath(*parts)
    if leads_away(root, place):
        raise bad_request(f"{uri!r} leads over a symbolic link, which is not followed.")
    return place


def _job_output(state: State, workspace: Workspace, match: re.Match[str], kind: str) -> Path:
    document = lookup.job(state, workspace, match["job"], status=400)
    outputs = document.body["properties"].get("outputs") or {}
    if match["output"] == "artifacts" and "artifacts" not in outputs:
        root = artifacts(state, workspace, document.name)
    elif match["output"] in outputs:
        root = resolve(state, workspace, outputs[match["output"]]["uri"])
    else:
        names = ", ".join(outputs) or "none"
        raise bad_request(f"Job {match['job']} has no output {match['output']!r}; its outputs are: {names}.")
    return _inside(root, match["path"] or "", match[0])


def _run(state: State, workspace: Workspace, match: re.Match[str], kind: str) -> Path:
    return _inside(artifacts(state, workspace, match["job"]), match["path"], match[0])


def _blob(state: State, workspace: Workspace, match: re.Match[str], kind: str) -> Path:
    if lookup.workspace_of_account(state, match["account"]) is None:
        raise bad_request(f"The storage account of {match[0]!r} does not belong to a workspace here.")
    return _inside(folder(state, match["account"], match["container"]), match["path"], match[0])


def _asset(state: State, workspace: Workspace, match: re.Match[str], kind: str) -> Path:
    document = asset_named(state, workspace, match, kind)
    key = {"data": "dataUri", "models": "modelUri", "codes": "codeUri"}.get(document.kind)
    if key is None:
        raise bad_request(f"{match[0]!r} is not data, a model or code.")
    return resolve(state, workspace, document.body["properties"][key], document.kind)


PLACES = (
    (DATASTORE, _datastore),
    (JOB_OUTPUT, _job_output),
    (RUN, _run),
    (BLOB, _blob),
    (ASSET, _asset),
    (SHORT, _asset),
)
