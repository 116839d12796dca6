"""Models: versioned assets whose files must be there, and must be an MLflow model where they say so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from scripts.azure import name_rules
from scripts.conversation import model_folder
from scripts.conversation.model_folder import CHAT
from scripts.errors import UserError
from scripts.local.core import lookup
from scripts.local.core.state import State, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import AzureError, Call, bad_request
from scripts.local.resources import registry
from scripts.local.resources.assets import Assets, counted, refuse_name
from scripts.local.resources.data_assets import DATA, asset_path_error
from scripts.local.storage import uris

TYPES = ("mlflow_model", "custom_model", "triton_model")


class Models(Assets):
    """Models: a version is a whole number above zero, alone among the kinds."""

    kind, size, content, kept = "models", 20, ("modelUri", "modelType"), ("jobName", "flavors")

    def refuse_version(self, version: str, name: str) -> None:
        """Refuses a version in words, in the service's own (field notes, 2023 to 2026)."""
        if name_rules.fault("model version", version):
            raise bad_request("Model version must be a positive integer.", inner=("ModelVersionOutOfRange",))

    def check(self, call: Call, name: str, version: str, properties: dict[str, Any]) -> dict[str, Any]:
        """Refuses a model whose files do not exist; adds its flavours and the job that it comes from."""
        properties = {"modelType": "custom_model", **properties}
        if properties.get("stage") == "Archived" and not properties["isArchived"]:  # restored: sent back as it was read
            del properties["stage"]
        uri = properties.get("modelUri", "")
        if not uri:
            raise bad_request(f"Model {name} has no modelUri.")
        found = read_model(call.state, call.ws, name, properties["modelType"], uri)
        return {**properties, **found, "flavors": properties.get("flavors") or found.get("flavors", {})}

    def changed(self, workspace: Workspace, old: dict[str, Any], new: dict[str, Any]) -> str:
        """Compares places in their long form, as an older home may have short ones."""
        return super().changed(workspace, {**old, "modelUri": uris.lengthen(workspace, old["modelUri"])}, new)

    def refuse_change(self, name: str, version: str, key: str) -> None:
        """Refuses another place in the words that the SDK waits for."""
        if key == "modelUri":
            raise asset_path_error()
        super().refuse_change(name, version, key)

    def shown(self, workspace: Workspace, properties: dict[str, Any]) -> dict[str, Any]:
        """Shows the place in its long form, and the stage."""
        stage = "Logged" if properties.get("isAnonymous") else properties.get("stage", "Development")
        stage = "Archived" if properties.get("isArchived") else stage
        return {**properties, "stage": stage, "modelUri": uris.lengthen(workspace, properties["modelUri"])}


MODELS = Models()


def read_model(state: State, workspace: Workspace, name: str, kind: str, uri: str) -> dict[str, Any]:
    """Returns what a URI says of the model there: `modelUri` in its long form, `flavors`, and `jobName` if it has one.

    Refuses what holds no files, which Azure ML does for a job's outputs, or no MLflow model of that type.
    """
    from_registry = uris.REGISTRY.fullmatch(uri)
    if from_registry:
        registry.model_named(from_registry, f"Model {name}")
        return {"modelUri": uri}
    path = files(state, workspace, uri)
    from_job = uris.JOB_OUTPUT.fullmatch(uri)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        raise _nothing_there(uri, from_job)
    flavors = _flavors(name, kind, path, uri)
    if CHAT & flavors.keys():
        _check_template(name, path)
    # Kept as the place that it means, as Azure does: the SDK cannot download a model from a job's URI.
    place = uris.long_form(state, workspace, uri)
    return {"modelUri": place, "flavors": flavors, **({"jobName": from_job["job"]} if from_job else {})}


def _nothing_there(uri: str, from_job: re.Match[str] | None) -> AzureError:
    """Returns the refusal of a model without files (azure-sdk-for-python#33978, azure-docs#103778)."""
    if from_job:
        place = from_job["path"] or from_job["output"]
        return unmatched("NoMatchingArtifactsFoundFromJob", f"No artifacts matching {place} found from Job.")
    message = f"No blobs found in storage at model asset path: {uri}"
    return unmatched("ModelAssetPathNotFoundInStorage", f"{message} (Azure ML takes an empty path of a datastore).")


def unmatched(code: str, message: str) -> AzureError:
    """Returns the 400 whose reason stands in its details."""
    return AzureError(400, "UserError", "The request is invalid.", [{"code": code, "message": message}])


def files(state: State, workspace: Workspace, uri: str) -> Path:
    """Returns where the files of a model are; refuses the output of a job that did not complete."""
    from_job = uris.JOB_OUTPUT.fullmatch(uri)
    if from_job:
        job = lookup.job(state, workspace, from_job["job"], status=400)
        status = job.body["status"]
        if status != "Completed":
            raise bad_request(f"{uri} cannot be registered: job {job.name} is {status}, not Completed.")
        output = from_job["output"]
        if output != "artifacts" and output not in (job.body["properties"].get("outputs") or {}):
            raise unmatched("NoMatchingOutputFoundFromJob", f"Job output {output} not found")
    return uris.resolve(state, workspace, uri, "models")


def _flavors(name: str, kind: str, path: Path, uri: str) -> dict[str, Any]:
    if kind != "mlflow_model":
        return {}
    description = path / "MLmodel"
    if not description.is_file():
        raise bad_request(f"Model {name} is not an MLflow model: {uri} has no file MLmodel.")
    try:
        content = model_folder.parsed(description)
    except UserError:
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


def refuse_outputs(outputs: dict[str, Any]) -> None:
    """Refuses outputs of a job that would be registered under a name or version that a PUT could not have either."""
    for output in outputs.values():
        name, version = output.get("assetName"), output.get("assetVersion")
        if name:
            kind = MODELS if output.get("jobOutputType") in TYPES else DATA
            refuse_name(kind.singular, str(name))
            if version:
                kind.refuse_version(str(version), str(name))


def register_outputs(state: State, workspace: Workspace, job: str, properties: dict[str, Any]) -> None:
    """Registers the outputs of a completed job that have a name: models as models, the rest as data."""
    refuse_outputs(properties["outputs"])
    for name, output in properties["outputs"].items():
        asset = output.get("assetName")
        if not asset:
            continue
        kind, uri = output["jobOutputType"], f"azureml://jobs/{job}/outputs/{name}"
        group = MODELS if kind in TYPES else DATA
        version = str(output.get("assetVersion") or counted(state.store.list(group.kind, workspace.scope, asset)))
        content: dict[str, Any] = {"tags": {}, "properties": {}, "isArchived": False, "isAnonymous": False}
        place = uris.long_form(state, workspace, output["uri"])
        if group is MODELS:
            flavors = _flavors(asset, kind, uris.resolve(state, workspace, output["uri"]), uri)
            content |= {"modelType": kind, "modelUri": place, "jobName": job, "flavors": flavors}
        else:
            content |= {"dataType": kind, "dataUri": place}
        old = state.store.get(workspace.scope, group.kind, asset, version)
        key = group.changed(workspace, old.body["properties"], content) if old else ""
        if key:
            group.refuse_change(asset, version, key)
        state.store.put(workspace.scope, group.kind, asset, {"properties": content}, version)
