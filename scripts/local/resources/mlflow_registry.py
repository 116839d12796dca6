"""MLflow's REST API of registered models, answered from the workspace's own models: one registry for both clients.

A registered model is a model without its version, a model version one of its versions. As Microsoft's documentation of
the registry says (How to manage models with MLflow): no renaming, no deletion of a whole model. That Azure ML has no
aliases is unverified.
"""

from __future__ import annotations

import re
from typing import Any

from scripts.errors import UserError
from scripts.local.core.state import State, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import AzureError, Call, Routes, bad_request, not_found
from scripts.local.resources.assets import counted
from scripts.local.resources.mlflow_api import Body, milliseconds, pairs, part, router, tags_of, text
from scripts.local.resources.mlflow_filter import ordered, wanted
from scripts.local.resources.models import MODELS
from scripts.local.storage import uris

data = Routes()
control = Routes()
route = router(data, control)
CONTAINERS = "container-models"
RUN_ARTIFACT = re.compile(r"azureml://.*/runs/(?P<job>[^/]+)/artifacts/?(?P<path>.*)")
ON_THIS_MACHINE = re.compile(r"mlflow-artifacts:/+(?P<job>[^/]+)/?(?P<path>.*)")  # what a command's MLflow says
LOCAL_UPLOAD = re.compile(r"azureml://artifacts/(?P<path>.+)")
IN_RUN = re.compile(r"ExperimentRun/dcid\.(?P<job>[^/]+)/(?P<path>.*)")
STAGES = ("None", "Staging", "Production", "Archived")


def _version(document: Document) -> Body:
    """Returns a model version as MLflow's clients read it."""
    properties = document.body["properties"]
    stage = "Archived" if properties.get("isArchived") else properties.get("stage", "None")
    return {
        "name": document.name,
        "version": document.version,
        "creation_timestamp": milliseconds(document.created),
        "last_updated_timestamp": milliseconds(document.modified),
        "current_stage": stage if stage in STAGES else "None",
        "description": properties.get("description") or "",
        "source": properties["modelUri"],
        "run_id": properties.get("jobName") or "",
        "status": "READY",
        "tags": pairs(properties.get("tags")),
    }


def _versions(call: Call, name: str) -> list[Document]:
    """Returns the versions of a model that MLflow can count: an older home may have some that are words."""
    return [each for each in call.state.store.list("models", call.ws.scope, name) if each.version.isdecimal()]


def _model(call: Call, name: str) -> Body:
    """Returns a registered model as MLflow's clients read it; raises 404 where there is none."""
    own = call.state.store.get(call.ws.scope, CONTAINERS, name)
    documents = call.state.store.list("models", call.ws.scope, name)
    known = [*documents, *([own] if own else [])]
    if not known:
        raise not_found(f"Registered Model with name={name} not found")
    newest: dict[str, Document] = {}
    for each in _versions(call, name):
        newest[_version(each)["current_stage"]] = each
    return {
        "name": known[0].name,
        "creation_timestamp": milliseconds(min(each.created for each in known)),
        "last_updated_timestamp": milliseconds(max(each.modified for each in known)),
        "description": (own.body.get("description") if own else None) or "",
        "latest_versions": [_version(each) for each in newest.values()],
        "tags": pairs(own.body.get("tags") if own else None),
    }


def _one(call: Call, body: Body) -> Document:
    name, version = text(body, "name"), str(body.get("version", ""))
    document = call.state.store.get(call.ws.scope, "models", name, version)
    if document is None:
        raise not_found(f"Model Version (name={name}, version={version}) not found")
    return document


def _keep(call: Call, document: Document, **change: Any) -> Body:
    kept = call.state.store.change(document, properties={**document.body["properties"], **change})
    return {"model_version": _version(kept)}


# --- registered models ------------------------------------------------------------------------------------------------


@route("POST", "registered-models/create")
async def create_model(call: Call, body: Body) -> Any:
    """Makes a model without versions."""
    name = text(body, "name")
    if call.state.store.list("models", call.ws.scope, name) or call.state.store.get(call.ws.scope, CONTAINERS, name):
        raise AzureError(409, "RESOURCE_ALREADY_EXISTS", f"Registered Model (name={name}) already exists.")
    content = {"tags": tags_of(body), "description": body.get("description") or None}
    MODELS.put_container(call.state, call.ws, name, content)
    return {"registered_model": _model(call, name)}


@route("GET", "registered-models/get")
async def get_model(call: Call, body: Body) -> Any:
    """Returns a model with its latest versions."""
    return {"registered_model": _model(call, text(body, "name"))}


@route("GET POST", "registered-models/search")
async def search_models(call: Call, body: Body) -> Any:
    """Finds models by their name or tags."""
    found = [_model(call, name) for name in MODELS.names(call)]
    found = ordered(wanted(found, str(body.get("filter") or "")), _order(call, body), "name ASC")
    shown, more = part(body, found)
    return {"registered_models": shown, **more}


def _order(call: Call, body: Body) -> list[str]:
    given = call.request.query_params.getlist("order_by") or body.get("order_by") or []
    return [str(each) for each in given] if isinstance(given, list) else [str(given)]


@route("GET POST", "registered-models/get-latest-versions")
async def latest_versions(call: Call, body: Body) -> Any:
    """Returns the latest version of a model in each stage, or in those that are asked for."""
    stages = call.request.query_params.getlist("stages") or body.get("stages") or list(STAGES)
    stages = [str(stage).lower() for stage in (stages if isinstance(stages, list) else [stages])]
    model = _model(call, text(body, "name"))
    return {"model_versions": [each for each in model["latest_versions"] if each["current_stage"].lower() in stages]}


@route("PATCH POST", "registered-models/update")
async def update_model(call: Call, body: Body) -> Any:
    """Changes the description of a model."""
    name = _model(call, text(body, "name"))["name"]
    MODELS.put_container(call.state, call.ws, name, {"description": body.get("description") or None})
    return {"registered_model": _model(call, name)}


@route("POST DELETE", "registered-models/{verb}-tag")
async def tag_model(call: Call, body: Body) -> Any:
    """Sets or removes a tag of a model."""
    name = _model(call, text(body, "name"))["name"]
    own = call.state.store.get(call.ws.scope, CONTAINERS, name)
    tags = _tagged(call, (own.body.get("tags") if own else None) or {}, body)
    MODELS.put_container(call.state, call.ws, name, {"tags": tags})
    return {}


def _tagged(call: Call, tags: dict[str, str], body: Body) -> dict[str, str]:
    key, verb = text(body, "key"), call.words["verb"].lower()
    if verb not in ("set", "delete"):
        raise not_found(f"There is no {verb}-tag in MLflow's API.", "ENDPOINT_NOT_FOUND")
    kept = {name: value for name, value in tags.items() if name != key}
    return {**kept, key: str(body.get("value", ""))} if verb == "set" else kept


@route("POST", "registered-models/rename")
async def rename_model(call: Call, body: Body) -> Any:
    """Refuses another name for a model."""
    raise bad_request("Azure Machine Learning doesn't support renaming models: register it under the other name.")


@route("DELETE POST", "registered-models/delete")
async def delete_model(call: Call, body: Body) -> Any:
    """Refuses the deletion of a model with all its versions."""
    name = _model(call, text(body, "name"))["name"]
    message = f"Azure Machine Learning doesn't support deleting the entire model container: archive model {name}"
    raise bad_request(f"{message} instead, or delete its versions.")


@route("GET POST DELETE", "registered-models/alias")
async def alias(call: Call, body: Body) -> Any:
    """Refuses aliases. That Azure ML has none is unverified."""
    raise not_found("Aliases of models are not emulated by the local Azure ML: name the version, or tag it.")


# --- model versions ---------------------------------------------------------------------------------------------------


@route("POST", "model-versions/create")
async def create_version(call: Call, body: Body) -> Any:
    """Registers the artifacts of a run, or another place, as the next version of a model."""
    name, source, run = text(body, "name"), text(body, "source"), str(body.get("run_id") or "")
    content = {
        "modelType": "mlflow_model",
        "modelUri": _place(source),
        "tags": tags_of(body),
        "description": body.get("description") or None,
        **({"jobName": run} if run else {}),
    }
    version = counted(call.state.store.list("models", call.ws.scope, name))
    try:
        document, _ = MODELS.put(call, name, version, content)
    except UserError as error:
        raise bad_request(str(error)) from None
    return {"model_version": _version(document)}


def _place(source: str) -> str:
    """Returns where the files of a source of MLflow's are, as a URI that the rest of the emulator reads."""
    match = RUN_ARTIFACT.fullmatch(source) or ON_THIS_MACHINE.fullmatch(source)
    if match:
        return f"runs:/{match['job']}/{match['path']}"
    match = LOCAL_UPLOAD.fullmatch(source)  # what azureml-mlflow makes of a file://
    if match:
        return f"azureml://datastores/{uris.DEFAULT}/paths/{match['path']}"
    return source


@route("GET", "model-versions/get")
async def get_version(call: Call, body: Body) -> Any:
    """Returns a version of a model."""
    return {"model_version": _version(_one(call, body))}


@route("GET POST", "model-versions/search")
async def search_versions(call: Call, body: Body) -> Any:
    """Finds versions by the name of their model, their run, their source or tags."""
    documents = [each for each in call.state.store.list("models", call.ws.scope) if each.version.isdecimal()]
    found = wanted([_version(each) for each in documents], str(body.get("filter") or ""))
    shown, more = part(body, ordered(found, _order(call, body), "version_number DESC"), 200000)
    return {"model_versions": shown, **more}


@route("GET", "model-versions/get-download-uri")
async def download_uri(call: Call, body: Body) -> Any:
    """Says where the files of a version are, in the form that azureml-mlflow reads."""
    uri = uris.lengthen(call.ws, _one(call, body).body["properties"]["modelUri"])
    match = uris.DATASTORE.fullmatch(uri)
    if match is None:
        return {"artifact_uri": uri}
    host, run = f"azureml://{call.ws.region}.api.azureml.ms", IN_RUN.fullmatch(match["path"])
    if run:
        return {
            "artifact_uri": f"{host}/mlflow/v2.0{call.ws.path}/experiments/0/runs/{run['job']}/artifacts/{run['path']}"
        }
    return {"artifact_uri": f"{host}/{match['path'].rstrip('/')}"}


@route("PATCH POST", "model-versions/update")
async def update_version(call: Call, body: Body) -> Any:
    """Changes the description of a version."""
    return _keep(call, _one(call, body), description=body.get("description") or None)


@route("POST DELETE", "model-versions/{verb}-tag")
async def tag_version(call: Call, body: Body) -> Any:
    """Sets or removes a tag of a version."""
    document = _one(call, body)
    _keep(call, document, tags=_tagged(call, document.body["properties"].get("tags") or {}, body))
    return {}


@route("POST", "model-versions/transition-stage")
async def transition(call: Call, body: Body) -> Any:
    """Gives a version another stage, which the SDK shows too."""
    stages = {stage.lower(): stage for stage in STAGES}
    stage = stages.get(text(body, "stage").lower())
    if stage is None:
        raise bad_request(f"Invalid Model Version stage: {body['stage']}. Value must be one of {', '.join(STAGES)}.")
    document = _one(call, body)
    if body.get("archive_existing_versions"):
        for other in _versions(call, document.name):
            if _version(other)["current_stage"] == stage and other.version != document.version:
                _keep(call, other, isArchived=True)
    shown = "Development" if stage == "None" else stage
    return _keep(call, document, stage=shown, isArchived=stage == "Archived")


@route("DELETE POST", "model-versions/delete")
async def delete_version(call: Call, body: Body) -> Any:
    """Forgets a version, which only MLflow's clients can: the SDK has archiving alone."""
    document = _one(call, body)
    call.state.store.delete(call.ws.scope, "models", document.name, document.version)
    if not call.state.store.list("models", call.ws.scope, document.name):
        MODELS.put_container(call.state, call.ws, document.name, {})
    return {}


def adopt(state: State, workspace: Workspace, model: Any) -> None:
    """Makes a model of MLflow's own registry one of the workspace's, where an older version of this program kept it."""
    for each in model.latest_versions:
        if state.store.get(workspace.scope, "models", model.name, str(each.version)) is None:
            uri = _place(each.source)
            try:
                uri = uris.long_form(state, workspace, uri)
            except AzureError:
                state.log.warning("%s:%s lies at %s, which cannot be read", model.name, each.version, uri)
            content = {"modelType": "mlflow_model", "modelUri": uri, "jobName": each.run_id or None, "tags": each.tags}
            content |= {"description": each.description or None, "properties": {}, "flavors": {}}
            state.store.put(workspace.scope, "models", model.name, {"properties": content}, str(each.version))
    if state.store.get(workspace.scope, CONTAINERS, model.name) is None:
        about = {"tags": dict(model.tags), "description": model.description or None}
        state.store.put(workspace.scope, CONTAINERS, model.name, about)
