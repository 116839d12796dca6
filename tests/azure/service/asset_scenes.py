"""What is asked about blobs and versioned assets: data, models, environments, code, components."""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from pathlib import Path
from typing import Any

from tests.azure.service.play import REFUSED, Player

NEWEST = "?$orderBy=createdtime%20desc&$top=1"
ACTIVE = "?listViewType=ActiveOnly"
MLMODEL = "flavors:\n  python_function:\n    env: conda.yaml\n    loader_module: mlflow.transformers\n"
CONDA = "dependencies:\n- python=3.10\n- pip:\n  - mlflow==2.22.1\n  - azureml-ai-monitoring==1.0.0\n"


def versions(latest: str, following: str) -> Any:
    """Returns the rule for what a container says about its versions."""

    def rule(body: Any) -> bool:
        said = body["properties"]
        return (said["latestVersion"], said["nextVersion"]) == (latest, following)

    rule.__doc__ = f"should be latestVersion {latest}, nextVersion {following}"
    return rule


def without(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Returns a body with other properties."""
    return {**body, "properties": {**body["properties"], **changes}}


def blobs(player: Player) -> dict[str, str]:
    """What an upload asks of the storage; returns where a file, a folder and a model that can be served lie."""
    store = player.send("GET", f"{player.ws}/datastores/workspaceblobstore").json()["properties"]
    secret = player.send("POST", f"{player.ws}/datastores/workspaceblobstore/listSecrets", {}).json()
    sas = secret["sasToken"].lstrip("?")
    container = f"https://{store['accountName']}.blob.core.windows.net/{store['containerName']}"
    version = {"x-ms-version": "2021-08-06"}
    folder = f"LocalUpload/{uuid.uuid4().hex}"
    url = f"{container}/{folder}/model.pkl?{sas}"
    new = version | {"x-ms-blob-type": "BlockBlob", "If-None-Match": "*", "Content-Type": "application/octet-stream"}

    def put(name: str, content: bytes) -> None:
        player.send("PUT", f"{container}/{folder}/{name}?{sas}", content=content, headers=new)

    player.ask("is it there?", "HEAD", url, status=404, headers=version)
    player.ask("upload", "PUT", url, status=201, headers=new, content=b"content")
    marks = version | {"x-ms-meta-upload_status": "completed", "x-ms-meta-name": "n", "x-ms-meta-version": "1"}
    marked = f"{container}/{folder}/model.pkl?comp=metadata&{sas}"
    player.ask("mark it as uploaded", "PUT", marked, case=["comp=metadata"], headers=marks)
    player.ask("it is there", "HEAD", url, case=["uploaded"], headers=version)
    ranged = version | {"x-ms-range": "bytes=0-33554431"}
    player.ask("read a part", "GET", url, status=206, case=["uploaded"], headers=ranged)
    put("empty", b"")
    player.ask("a part of nothing", "GET", f"{container}/{folder}/empty?{sas}", status=416, headers=ranged)
    listing = f"{container}?restype=container&comp=list&prefix={folder}&include=metadata&{sas}"
    player.ask("list a folder", "GET", listing, case=["comp=list"], headers=version)
    player.ask("the container again", "PUT", f"{container}?restype=container&{sas}", status=409, headers=version)
    put("mlflow/MLmodel", MLMODEL.encode())
    put("mlflow/conda.yaml", CONDA.encode())
    with tempfile.TemporaryDirectory() as place:
        for path in sorted(served_model(Path(place)).rglob("*")):
            if path.is_file():
                put(f"served/{path.relative_to(place)}", path.read_bytes())
    start = f"azureml://datastores/workspaceblobstore/paths/{folder}"
    return {"file": f"{start}/model.pkl", "folder": f"{start}/mlflow", "served": f"{start}/served"}


def served_model(folder: Path) -> Path:
    """Writes a small chat model as MLflow keeps it and returns its folder."""
    from transformers.utils import logging

    from tests.tiny_models import make_model

    logging.disable_progress_bar()
    make_model(folder / "model", initializer_range=0.3)
    (folder / "MLmodel").write_text(MLMODEL)
    (folder / "conda.yaml").write_text(CONDA)
    return folder


def data(player: Player, uploads: dict[str, str]) -> None:
    """Data assets: versions are words, the container follows what was made last."""
    base = f"{player.ws}/data/played"
    body = {"properties": {"properties": {}, "tags": {}, "isAnonymous": False, "isArchived": False}}
    body = without(body, dataType="uri_file", dataUri=uploads["file"])
    file = "dataType=uri_file"
    player.ask("no such data", "GET", base, status=404)
    player.ask("version foo", "PUT", f"{base}/versions/foo", body, status=201, case=[file])
    player.ask("read it", "GET", f"{base}/versions/foo", case=[file])
    player.ask("latest and next", "GET", base, rule=versions("foo", "1"))
    player.ask("version 1", "PUT", f"{base}/versions/1", body, status=201, case=[file])
    player.ask("latest and next", "GET", base, rule=versions("1", "2"))
    player.ask("version 1 again", "PUT", f"{base}/versions/1", body, case=[file])
    player.ask("versions", "GET", f"{base}/versions{ACTIVE}", case=["page"])
    player.ask(
        "archive it", "PUT", f"{base}/versions/1", without(body, isArchived=True), case=[file, "isArchived=true"]
    )
    player.ask("restore it", "PUT", f"{base}/versions/1", body)
    player.ask("archive all", "PUT", base, {"properties": {"isArchived": True, "dataType": "uri_file"}})
    player.ask("data", "GET", f"{player.ws}/data{ACTIVE}", case=["page"])


def models(player: Player, uploads: dict[str, str]) -> None:
    """Models: versions are positive integers."""
    base = f"{player.ws}/models/played"
    body = {"properties": {"properties": {}, "tags": {}, "isAnonymous": False, "isArchived": False}}
    body = without(body, modelType="custom_model", modelUri=uploads["file"])
    custom = "modelType=custom_model"
    player.ask("no such model", "GET", base, status=404)
    player.ask("versions of no model", "GET", f"{base}/versions{NEWEST}", status=404)
    for word in ("a-job-name-1", "1.0.0", "0", "-1"):
        player.ask(f"version {word}", "PUT", f"{base}/versions/{word}", body, status=REFUSED)
    player.ask("version 1", "PUT", f"{base}/versions/1", body, status=201, case=[custom])
    player.ask("latest and next", "GET", base, rule=versions("1", "2"))
    player.ask("version 2", "PUT", f"{base}/versions/2", body, status=201, case=[custom])
    player.ask("the newest", "GET", f"{base}/versions{NEWEST}", case=["page", "nextLink"], rule=newest_is_2)
    player.ask("read it", "GET", f"{base}/versions/2", case=[custom])
    player.ask("other tags", "PUT", f"{base}/versions/2", without(body, tags={"a": "b"}), case=[custom])
    archived = without(body, isArchived=True)
    player.ask("archive it", "PUT", f"{base}/versions/2", archived, case=[custom, "isArchived=true"])
    player.ask("restore it", "PUT", f"{base}/versions/2", body, case=[custom])
    player.ask("versions", "GET", f"{base}/versions{ACTIVE}", case=["page"])
    mlflow = without(
        body, modelType="mlflow_model", modelUri=uploads["folder"], flavors={"python_function": {"data": {}}}
    )
    case = ["modelType=mlflow_model"]
    player.ask("an MLflow model", "PUT", f"{player.ws}/models/flavoured/versions/1", mlflow, status=201, case=case)
    player.ask("read it", "GET", f"{player.ws}/models/flavoured/versions/1", case=case)
    player.ask("archive all", "PUT", base, {"properties": {"isArchived": True}})
    player.ask("models", "GET", f"{player.ws}/models{ACTIVE}", case=["page"])


def newest_is_2(body: Any) -> bool:
    """should be one version, 2, and a nextLink to the others"""
    return [each["name"] for each in body["value"]] == ["2"] and bool(body["nextLink"])


def environments(player: Player) -> str:
    """Environments: each PUT is a 201; returns the id of one."""
    base = f"{player.ws}/environments/played"
    image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04"
    conda = "name: x\ndependencies:\n- python=3.10\n"
    body = {"properties": {"isAnonymous": False, "isArchived": False, "image": image, "condaFile": conda}}
    player.ask("no such environment", "GET", base, status=404)
    player.ask("version 1", "PUT", f"{base}/versions/1", body, status=201)
    player.ask("version 1 again", "PUT", f"{base}/versions/1", body, status=201, case=["there before"])
    player.ask("read it", "GET", f"{base}/versions/1")
    player.ask("the newest", "GET", f"{base}/versions{NEWEST}")
    player.ask("latest and next", "GET", base)
    player.ask("environments", "GET", f"{player.ws}/environments{ACTIVE}")
    player.ask("archive all", "PUT", base, {"properties": {"isArchived": True}}, status=201)
    player.ask("restore all", "PUT", base, {"properties": {"isArchived": False}}, status=201)
    return f"{base}/versions/1"


def code(player: Player) -> str:
    """Code: found by its hash, else uploaded; returns the id of one."""
    name = str(uuid.uuid4())
    digest = hashlib.sha256(name.encode()).hexdigest()
    base, by_hash = f"{player.ws}/codes/{name}/versions", f"?hash={digest}&hashVersion=202208"
    player.ask("by its hash, none", "GET", base + by_hash, case=["empty page"])
    wish = {"pendingUploadType": "TemporaryBlobReference"}
    place = player.ask("where to upload it", "POST", f"{base}/1/startPendingUpload", wish)
    uri = f"{place.json()['blobReferenceForConsumption']['blobUri']}/src"
    properties = {"hash_sha256": digest, "hash_version": "202208"}
    body = {"properties": {"properties": properties, "isAnonymous": True, "isArchived": False, "codeUri": uri}}
    player.ask("version 1", "PUT", f"{base}/1", body, status=201)
    player.ask("version 1 again", "PUT", f"{base}/1", body)
    player.ask("read it", "GET", f"{base}/1")
    player.ask("by its hash, one", "GET", base + by_hash, case=["page"])
    return f"{base}/1"


def components(player: Player, environment: str, code: str) -> str:
    """Components: their code cannot change, words about them can; returns the id of one."""
    base = f"{player.ws}/components/played"
    spec: dict[str, Any] = {
        "name": "played",
        "version": "0.0.1",
        "display_name": "x",
        "is_deterministic": True,
        "inputs": {"text": {"type": "string", "default": "hello", "optional": True}},
        "outputs": {"out": {"type": "uri_folder"}},
        "type": "command",
        "command": "echo $[[${{inputs.text}}]] > ${{outputs.out}}/x.txt",
        "environment": f"azureml:{environment}",
    }
    body = {
        "properties": {"properties": {}, "tags": {}, "isAnonymous": False, "isArchived": False, "componentSpec": spec}
    }
    player.ask("no such component", "GET", base, status=404)
    player.ask("no such version", "GET", f"{base}/versions/0.0.1", status=404)
    player.ask("version 0.0.1", "PUT", f"{base}/versions/0.0.1", body, status=201)
    player.ask("the same again", "PUT", f"{base}/versions/0.0.1", body)
    other = without(body, componentSpec={**spec, "code": f"azureml:{code}"})
    player.ask("other code", "PUT", f"{base}/versions/0.0.1", other, status=400)
    described = without(body, description="new", componentSpec={**spec, "display_name": "y", "description": "new"})
    player.ask("other words", "PUT", f"{base}/versions/0.0.1", described)
    player.ask("read it", "GET", f"{base}/versions/0.0.1", rule=words_for_booleans)
    player.ask("the newest", "GET", f"{base}/versions{NEWEST}", case=["page"])
    player.ask("latest and next", "GET", base)
    player.ask("components", "GET", f"{player.ws}/components{ACTIVE}", case=["page"])
    player.ask("archive all", "PUT", base, {"properties": {"isArchived": True}})
    return f"{base}/versions/0.0.1"


def words_for_booleans(body: Any) -> bool:
    """should have words where the component has booleans: is_deterministic 'True', optional 'True'"""
    spec = body["properties"]["componentSpec"]
    return (spec["is_deterministic"], spec["inputs"]["text"]["optional"]) == ("True", "True")
