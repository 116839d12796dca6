"""Artifacts that belong to no run: azureml-mlflow uploads local models with these routes, and downloads models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.local.core.arm import page
from scripts.local.core.web import WORKSPACE, Call, Routes, not_found
from scripts.local.resources.forms import form
from scripts.local.storage import blob_files, uris

data = Routes()
PLACE = "/artifact/v2.0" + WORKSPACE + "/artifacts/{origin}/{container}"


def _root(call: Call) -> tuple[str, Path]:
    """Returns the blob name and the folder of an origin's container, both in the default datastore."""
    name = f"{call.words['origin']}/{call.words['container']}"
    root = uris.folder(call.state, *uris.datastore(call.state, call.ws, uris.DEFAULT))
    return name, blob_files.safe(root, name)


def _content(call: Call, path: str) -> dict[str, str]:
    name, root = _root(call)
    blob_files.safe(root, path)
    host = f"https://{call.ws.account}.blob.core.windows.net"
    uri = f"{host}/{call.ws.container}/{name}/{path}?{uris.shared_access(call.state)}"
    return {"contentUri": uri, "origin": call.words["origin"], "container": call.words["container"], "path": path}


@data("POST", PLACE + "/batch/metadata")
async def create(call: Call) -> Any:
    """Gives the client a place to upload artifacts to."""
    paths = form("artifact_paths").read(call.json(), "The request").get("paths", [])
    content = {each["path"]: _content(call, each["path"]) for each in paths}
    return {"artifacts": {}, "artifactContentInformation": content, "errors": {}}


@data("GET", PLACE + "/contentinfo")
async def content(call: Call) -> Any:
    """Says where an artifact can be downloaded."""
    path = call.query.get("path", "")
    if not blob_files.safe(_root(call)[1], path).is_file():
        raise not_found(f"{'/'.join(_root(call)[:1])} has no artifact {path!r}.")
    return _content(call, path)


@data("GET", PLACE)
async def listed(call: Call) -> Any:
    """Lists the artifacts of a container."""
    found = blob_files.files(_root(call)[1], "")
    return page(call, [{"path": name, "origin": call.words["origin"]} for name, _ in found], size=1000)
