"""MLflow's REST API of registered models, answered from the workspace's own models: one registry for both clients.

A registered model is a model without its version, a model version one of its versions. As Microsoft's documentation of
the registry says (How to manage models with MLflow): no renaming, no deletion of a whole model. That Azure ML has no
aliases is unverified.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from scripts.errors import UserError
from scripts.local.core.store import Document
from scripts.local.core.web import WORKSPACE, AzureError, Call, Routes, bad_request, not_found, reply
from scripts.local.resources.assets import counted
from scripts.local.resources.mlflow_filter import ordered, wanted
from scripts.local.resources.models import MODELS
from scripts.local.storage import uris

data = Routes()
control = Routes()
CONTAINERS = "container-models"
RUN_ARTIFACT = re.compile(r"azureml://.*/runs/(?P<job>[^/]+)/artifacts/?(?P<path>.*)")
ON_THIS_MACHINE = re.compile(r"mlflow-artifacts:/+(?P<job>[^/]+)/?(?P<path>.*)")  # what a command's MLflow says
LOCAL_UPLOAD = re.compile(r"azureml://artifacts/(?P<path>.+)")
IN_RUN = re.compile(r"ExperimentRun/dcid\.(?P<job>[^/]+)/(?P<path>.*)")
STAGES = ("None", "Staging", "Production", "Archived")
CODES = {400: "INVALID_PARAMETER_VALUE", 404: "RESOURCE_DOES_NOT_EXIST", 409: "RESOURCE_ALREADY_EXISTS"}
Body = dict[str, Any]


def route(methods: str, path: str) -> Callable[[Callable[[Call, Body], Awaitable[Any]]], Any]:
    """Registers a handler of MLflow's API, which gets what the request says and refuses in MLflow's own envelope."""

    def register(handler: Callable[[Call, Body], Awaitable[Any]]) -> Any:
        async def answer(call: Call) -> Any:
            try:
                body = dict(call.request.query_params) if call.request.method == "GET" else await call.json()
                return await handler(call, body)
            except AzureError as error:
                code = CODES.get(error.status, error.code)
                message = "; ".join([error.message, *(each["message"] for each in error.details)])
                return reply({"error_code": code, "message": message}, error.status)

        answer.__doc__ = handler.__doc__
        for table in (data, control):
            for version in ("v1.0", "v2.0"):
                table(methods, f"/mlflow/{version}{WORKSPACE}/api/2.0/mlflow/{path}")(answer)
        return handler

    return register


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _pairs(tags: dict[str, str] | None) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in (tags or {}).items()]


def _text(body: Body, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise bad_request(f"Missing value for required parameter '{key}': it must be a text.")
    return value


def _tags(body: Body) -> dict[str, str]:
    tags = body.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(each, dict) and "key" in each for each in tags):
        raise bad_request("The parameter 'tags' must be a list of objects with key and value.")
    return {str(each["key"]): str(each.get("value", "")) for each in tags}


def _version(document: Document) -> Body:
    """Returns a model version as MLflow's clients read it."""
    properties = document.body["properties"]
    stage = "Archived" if properties.get("isArchived") else properties.get("stage", "None")
    return {
        "name": document.name,
        "version": document.version,
        "creation_timestamp": _milliseconds(document.created),
        "last_updated_timestamp": _milliseconds(document.modified),
        "current_stage": stage if stage in STAGES else "None",
        "description": properties.get("description") or "",
        "source": properties["modelUri"],
        "run_id": properties.get("jobName") or "",
        "status": "READY",
        "tags": _pairs(properties.get("tags")),
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
        "creation_timestamp": _milliseconds(min(each.created for each in known)),
        "last_updated_timestamp": _milliseconds(max(each.modified for each in known)),
        "description": (own.body.get("description") if own else None) or "",
        "latest_versions": [_version(each) for each in newest.values()],
        "tags": _pairs(own.body.get("tags") if own else None),
    }


def _one(call: Call, body: Body) -> Document:
    name, version = _text(body, "name"), str(body.get("version", ""))
    document = call.state.store.get(call.ws.scope, "models", name, version)
    if document is None:
        raise not_found(f"Model Version (name={name}, version={version}) not found")
    return document


def _keep(call: Call, document: Document, **change: Any) -> Body:
    content = {**document.body["properties"], **change}
    body = {"properties": content}
    return {
        "model_version": _version(call.state.store.put(call.ws.scope, "models", document.name, body, document.version))
    }


def _page(body: Body, items: list[Any], most: int = 1000) -> tuple[list[Any], Body]:
    """Returns a page of what was found, and the token of the next one where there is more."""
    numbers = [str(body.get(key) or default) for key, default in (("page_token", 0), ("max_results", 100))]
    if not all(each.isdecimal() and len(each) < 10 for each in numbers):
        raise bad_request("The parameters max_results and page_token must be whole numbers.")
    start, size = int(numbers[0]), min(int(numbers[1]) or 100, most)
    more = {"next_page_token": str(start + size)} if start + size < len(items) else {}
    return items[start : start + size], more


# --- registered models ------------------------------------------------------------------------------------------------


@route("POST", "registered-models/create")
async def create_model(call: Call, body: Body) -> Any:
    """Makes a model without versions."""
    name = _text(body, "name")
    if call.state.store.list("models", call.ws.scope, name) or call.state.store.get(call.ws.scope, CONTAINERS, name):
        raise AzureError(409, "RESOURCE_ALREADY_EXISTS", f"Registered Model (name={name}) already exists.")
    content = {"tags": _tags(body), "description": body.get("description") or None}
    MODELS.put_container(call.state, call.ws, name, content)
    return {"registered_model": _model(call, name)}


@route("GET", "registered-models/get")
async def get_model(call: Call, body: Body) -> Any:
    """Returns a model with its latest versions."""
    return {"registered_model": _model(call, _text(body, "name"))}


@route("GET POST", "registered-models/search")
async def search_models(call: Call, body: Body) -> Any:
    """Finds models by their name or tags."""
    found = [_model(call, name) for name in MODELS.names(call)]
    found = ordered(wanted(found, str(body.get("filter") or "")), _order(call, body), "name ASC")
    shown, more = _page(body, found)
    return {"registered_models": shown, **more}


def _order(call: Call, body: Body) -> list[str]:
    given = call.request.query_params.getlist("order_by") or body.get("order_by") or []
    return [str(each) for each in given] if isinstance(given, list) else [str(given)]


@route("GET POST", "registered-models/get-latest-versions")
async def latest_versions(call: Call, body: Body) -> Any:
    """Returns the latest version of a model in each stage, or in those that are asked for."""
    stages = call.request.query_params.getlist("stages") or body.get("stages") or list(STAGES)
    stages = [str(stage).lower() for stage in (stages if isinstance(stages, list) else [stages])]
    model = _model(call, _text(body, "name"))
    return {"model_versions": [each for each in model["latest_versions"] if each["current_stage"].lower() in stages]}


@route("PATCH POST", "registered-models/update")
async def update_model(call: Call, body: Body) -> Any:
    """Changes the description of a model."""
    name = _model(call, _text(body, "name"))["name"]
    MODELS.put_container(call.state, call.ws, name, {"description": body.get("description") or None})
    return {"registered_model": _model(call, name)}


@route("POST DELETE", "registered-models/{verb}-tag")
async def tag_model(call: Call, body: Body) -> Any:
    """Sets or removes a tag of a model."""
    name = _model(call, _text(body, "name"))["name"]
    own = call.state.store.get(call.ws.scope, CONTAINERS, name)
    tags = _tagged(call, (own.body.get("tags") if own else None) or {}, body)
    MODELS.put_container(call.state, call.ws, name, {"tags": tags})
    return {}


def _tagged(call: Call, tags: dict[str, str], body: Body) -> dict[str, str]:
    key, verb = _text(body, "key"), call.words["verb"].lower()
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
    name = _model(call, _text(body, "name"))["name"]
    message = f"Azure Machine Learning doesn't support deleting the entire model container: archive model {name}"
    raise bad_request(f"{message} (az ml model archive), or delete its versions.")


@route("GET POST DELETE", "registered-models/alias")
async def alias(call: Call, body: Body) -> Any:
    """Refuses aliases. That Azure ML has none is unverified."""
    raise not_found("Aliases of models are not emulated by the local Azure ML: name the version, or tag it.")


# --- model versions ---------------------------------------------------------------------------------------------------


@route("POST", "model-versions/create")
async def create_version(call: Call, body: Body) -> Any:
    """Registers the artifacts of a run, or another place, as the next version of a model."""
    name, source, run = _text(body, "name"), _text(body, "source"), str(body.get("run_id") or "")
    content = {
        "modelType": "mlflow_model",
        "modelUri": _place(source),
        "tags": _tags(body),
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
    shown, more = _page(body, ordered(found, _order(call, body), "version_number DESC"), 200000)
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
    stage = stages.get(_text(body, "stage").lower())
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


async def no_logged_models(call: Call) -> Response:
    """Answers MLflow 3's logged models with 404, as Azure ML does, unless settings.yaml has them served."""
    if call.state.settings.logged_models:
        path = "/api/" + call.request.url.path.partition("/api/")[2]
        return await call.parts.tracking.request(call.ws, call.request, path)
    if call.request.url.path.rstrip("/").endswith("/search"):  # asked before an artifact is listed; unverified
        return reply({"models": []})
    message = (
        "Azure Machine Learning does not serve MLflow 3's logged models, so that log_model fails: pin mlflow below 3, "
        f"or set tracking.logged_models in {call.state.home.settings} for the local Azure ML."
    )
    return reply({"error_code": "ENDPOINT_NOT_FOUND", "message": message}, 404)


for table in (data, control):
    for version in ("v1.0", "v2.0"):
        base = f"/mlflow/{version}{WORKSPACE}/api/2.0/mlflow/logged-models"
        table("GET POST PATCH DELETE", base)(no_logged_models)
        table("GET POST PATCH DELETE", base + "/{rest:path}")(no_logged_models)
