"""Azure ML's ways of naming data, and where each lies on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.azure import references
from scripts.local import datastores, storage, workspaces
from scripts.local.web import bad_request

if TYPE_CHECKING:
    from scripts.local.emulator import Emulator
    from scripts.local.workspaces import Workspace

OTHER_WORKSPACE = r"(?:/?subscriptions/(?P<subscription>[^/]+)/resource[gG]roups/(?P<group>[^/]+)(?:/providers/[^/]+)?/workspaces/(?P<name>[^/]+)/)?"
DATASTORE = re.compile(rf"azureml://{OTHER_WORKSPACE}datastores/(?P<datastore>[^/]+)/paths/(?P<path>.*)")
JOB_OUTPUT = re.compile(r"azureml://jobs/(?P<job>[^/]+)/outputs/(?P<output>[^/]+)(?:/paths)?(?:/(?P<path>.*))?")
RUN = re.compile(r"runs:/+(?P<job>[^/]+)/(?P<path>.*)")
BLOB = re.compile(r"https://(?P<account>[a-z0-9]+)\.blob\.core\.windows\.net/(?P<container>[a-z0-9-]+)/(?P<path>[^?]*)")
REGISTRY = references.REGISTRY
ASSET = re.compile(
    r"(?:azureml:)?/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)/providers/[^/]+/workspaces/(?P<workspace>[^/]+)/(?P<kind>\w+)/(?P<name>[^/]+)/versions/(?P<version>[^/]+)",
    re.I,
)
SHORT = re.compile(f"(?:azureml:)?{references.SHORT.pattern}")


def output_path(job: str, output: str) -> str:
    """Returns the blob path under which a job's named output lies, where the SDK looks for it."""
    return f"azureml/{job}/{output}"


def resolve(emulator: Emulator, workspace: Workspace, uri: str, kind: str = "data") -> Path:
    """Returns the file or folder that a URI names, whether or not it exists. `kind`: what a short name means."""
    for pattern, place in PLACES:
        match = pattern.fullmatch(uri)
        if match:
            return place(emulator, workspace, match, kind)
    raise bad_request(
        f"{uri!r} lies outside of this workspace: the local Azure ML reads datastores, jobs, assets and its own blobs."
    )


def longhand(emulator: Emulator, workspace: Workspace, uri: str) -> str:
    """Returns the full datastore URI of what a URI names."""
    path = resolve(emulator, workspace, uri)
    for name in (datastores.DEFAULT, datastores.ARTIFACTS):
        root = storage.folder(emulator, workspace.account, datastores.container(workspace, name))
        if path.is_relative_to(root):
            place = (
                f"subscriptions/{workspace.subscription}/resourcegroups/{workspace.group}/workspaces/{workspace.name}"
            )
            return f"azureml://{place}/datastores/{name}/paths/{path.relative_to(root).as_posix()}"
    raise bad_request(f"{uri!r} lies in no datastore of workspace {workspace.name}.")


def _datastore(emulator: Emulator, workspace: Workspace, match: re.Match[str], kind: str) -> Path:
    if match["name"]:
        scope = f"{match['subscription']}/{match['group']}/{match['name']}"
        if emulator.store.get(workspaces.SCOPE, "workspaces", scope) is None:
            raise bad_request(f"Workspace {match['name']!r} of {match[0]!r} is not registered here.")
        workspace = workspaces.by_scope(emulator, scope)
    root = storage.folder(emulator, workspace.account, datastores.container(workspace, match["datastore"]))
    return _inside(root, match["path"], match[0])


def _inside(root: Path, path: str, uri: str) -> Path:
    parts = [part for part in path.split("/") if part]
    if ".." in parts or "." in parts:
        raise bad_request(f"{uri!r} must not contain '.' or '..' as a part of its path.")
    return root.joinpath(*parts)


def _job_output(emulator: Emulator, workspace: Workspace, match: re.Match[str], kind: str) -> Path:
    from scripts.local import jobs

    document = jobs.find(emulator, workspace, match["job"], status=400)
    outputs = document.body["properties"].get("outputs") or {}
    if match["output"] == "artifacts" and "artifacts" not in outputs:
        root = storage.folder(emulator, workspace.account, "azureml") / "ExperimentRun" / f"dcid.{document.name}"
    elif match["output"] in outputs:
        root = resolve(emulator, workspace, outputs[match["output"]]["uri"])
    else:
        names = ", ".join(outputs) or "none"
        raise bad_request(f"Job {match['job']} has no output {match['output']!r}; its outputs are: {names}.")
    return _inside(root, match["path"] or "", match[0])


def _run(emulator: Emulator, workspace: Workspace, match: re.Match[str], kind: str) -> Path:
    root = storage.folder(emulator, workspace.account, "azureml") / "ExperimentRun" / f"dcid.{match['job']}"
    return _inside(root, match["path"], match[0])


def _blob(emulator: Emulator, workspace: Workspace, match: re.Match[str], kind: str) -> Path:
    if workspaces.by_account(emulator, match["account"]) is None:
        raise bad_request(f"The storage account of {match[0]!r} does not belong to a workspace here.")
    return _inside(storage.folder(emulator, match["account"], match["container"]), match["path"], match[0])


def _asset(emulator: Emulator, workspace: Workspace, match: re.Match[str], kind: str) -> Path:
    from scripts.local import assets

    kind = match.groupdict().get("kind") or kind
    if match.groupdict().get("by") == "@":
        document = assets.latest(emulator, workspace, kind, match["name"])
    else:
        document = assets.find(emulator, workspace, kind, match["name"], match["version"], status=400)
    key = {"data": "dataUri", "models": "modelUri", "codes": "codeUri"}.get(kind)
    if key is None:
        raise bad_request(f"{match[0]!r} is not data, a model or code.")
    return resolve(emulator, workspace, document.body["properties"][key], kind)


PLACES = (
    (DATASTORE, _datastore),
    (JOB_OUTPUT, _job_output),
    (RUN, _run),
    (BLOB, _blob),
    (ASSET, _asset),
    (SHORT, _asset),
)
