"""Models: versioned assets whose files must be there, and must be an MLflow model where they say so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from scripts.errors import UserError
from scripts.local.core import lookup
from scripts.local.core.state import State, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import Call, bad_request
from scripts.local.resources import assets, registry
from scripts.local.storage import uris

TYPES = ("mlflow_model", "custom_model", "triton_model")
TRANSFORMERS = {"transformers", "hftransformersv2"}  # flavours of models that carry a tokenizer


def check(call: Call, name: str, version: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Refuses a model whose files do not exist; adds its flavours and the job that it comes from."""
    kind, uri = properties.get("modelType", "custom_model"), properties.get("modelUri", "")
    if kind not in TYPES:
        raise bad_request(f"Model {name} is of type {kind!r}; allowed are {', '.join(TYPES)}.")
    flavors: dict[str, Any] = {}
    from_registry = uris.REGISTRY.fullmatch(uri)
    if from_registry:
        registry.model_named(from_registry, f"Model {name}")
    else:
        if not uri:
            raise bad_request(f"Model {name} has no modelUri.")
        path = files(call.state, call.ws, uri)
        flavors = _flavors(name, kind, path, uri)
        if TRANSFORMERS & flavors.keys():
            _check_template(name, path)
    from_job = uris.JOB_OUTPUT.fullmatch(uri)
    if from_job:  # kept as the place that it means, as Azure does: the SDK cannot download a model from a job's URI
        properties = {**properties, "jobName": from_job["job"], "modelUri": uris.longhand(call.state, call.ws, uri)}
    return {**properties, "modelType": kind, "flavors": properties.get("flavors") or flavors}


def files(state: State, workspace: Workspace, uri: str) -> Path:
    """Returns where the files of a model are; refuses the output of a job that did not complete."""
    from_job = uris.JOB_OUTPUT.fullmatch(uri)
    if from_job:
        job = lookup.job(state, workspace, from_job["job"], status=400)
        status = job.body["status"]
        if status != "Completed":
            raise bad_request(f"{uri} cannot be registered: job {job.name} is {status}, not Completed.")
    return uris.resolve(state, workspace, uri, "models")


def _flavors(name: str, kind: str, path: Path, uri: str) -> dict[str, Any]:
    import yaml

    if not path.exists():
        raise bad_request(f"Model {name} has no files: {uri} does not exist.")
    if kind != "mlflow_model":
        return {}
    description = path / "MLmodel"
    if not description.is_file():
        raise bad_request(f"Model {name} is not an MLflow model: {uri} has no file MLmodel.")
    try:
        content = yaml.safe_load(description.read_text())
    except (yaml.YAMLError, UnicodeDecodeError):
        content = None
    flavors = content.get("flavors") if isinstance(content, dict) else None
    if not isinstance(flavors, dict):
        raise bad_request(f"Model {name} is not an MLflow model: {uri} has a file MLmodel without flavors.")
    return {str(flavor): {"data": {}} for flavor in flavors}


def _check_template(name: str, path: Path) -> None:
    """Refuses a chat model that lost its chat template, which Azure ML takes and then answers badly."""
    from scripts.conversation import template

    try:
        template.check(path)
    except UserError as error:
        raise bad_request(f"Model {name}: {error}") from None


def named(state: State, workspace: Workspace, reference: str) -> Document:
    """Returns the registered model that a reference names; refuses one that does not exist."""
    match = uris.asset_reference(reference)
    if match is None or match.groupdict().get("kind", "models").lower() != "models":
        raise bad_request(f"{reference!r} does not name a registered model.", "BadArgument")
    return uris.asset_named(state, workspace, match, "models")


def folder_of(state: State, workspace: Workspace, reference: str) -> Path:
    """Returns the folder with the MLflow model that a deployment refers to; refuses what cannot be served here."""
    match = uris.REGISTRY.fullmatch(reference)
    if match is None:
        uri = named(state, workspace, reference).body["properties"]["modelUri"]
        match = uris.REGISTRY.fullmatch(uri)
    if match is not None:
        return _registry_folder(state, match)
    path = files(state, workspace, uri)
    if not (path / "MLmodel").is_file():
        raise bad_request(f"{reference} cannot be served here: {uri} has no file MLmodel.")
    return path


def _registry_folder(state: State, match: re.Match[str]) -> Path:
    """Returns the folder with the weights of a registry model, which only settings.yaml can name."""
    name = registry.model_named(match, "The deployment")["name"]
    local = state.settings.base_model(name)
    if local is None or not (Path(local) / "MLmodel").is_file():
        message = f"Registry model {name} has no weights on this machine: name the folder of an MLflow model under "
        raise bad_request(f"{message}base_models in {state.home.settings}, or deploy a model that a job here made.")
    return Path(local)


def register_outputs(state: State, workspace: Workspace, job: str, properties: dict[str, Any]) -> None:
    """Registers the outputs of a completed job that have a name: models as models, the rest as data."""
    for name, output in properties["outputs"].items():
        asset = output.get("assetName")
        if not asset:
            continue
        kind = output["jobOutputType"]
        group = "models" if kind in TYPES else "data"
        version = output.get("assetVersion") or assets.next_version(state.store.list(group, workspace.scope, asset))
        content = {"tags": {}, "properties": {}, "isArchived": False, "isAnonymous": False}
        if group == "models":
            uri = f"azureml://jobs/{job}/outputs/{name}"
            flavors = _flavors(asset, kind, uris.resolve(state, workspace, output["uri"]), uri)
            place = uris.longhand(state, workspace, uri)
            content |= {"modelType": kind, "modelUri": place, "jobName": job, "flavors": flavors}
        else:
            content |= {"dataType": kind, "dataUri": output["uri"]}
        state.store.put(workspace.scope, group, asset, {"properties": content}, version)


arm = assets.routes_of("models", check)
