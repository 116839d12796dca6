"""The registry `azureml`: the chat models and the component of the catalog, published as Azure publishes them."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

from scripts.azure import name_rules
from scripts.azure.catalog import read_catalog
from scripts.azure.component import COMPONENT
from scripts.azure.curated_environments import CuratedEnvironment, curated
from scripts.azure.references import registry_asset
from scripts.errors import suggest
from scripts.local.core.arm import page, view
from scripts.local.core.web import REGISTRY, AzureError, Call, Layer, Routes, bad_request, not_found

data = Routes()
NAME = "azureml"
SUBSCRIPTION_ID = "9c1b2d3e-0000-4000-8000-617a7572656d"
GROUP_NAME = "azureml-rg"
REGISTRY_ID = "9c1b2d3e-0000-4000-8000-000000000001"
TENANT_ID = "72f988bf-0000-4000-8000-000000000002"
DAY = "2026-06-30T00:00:00+00:00"
CREATED = {"createdAt": DAY, "createdBy": "Microsoft", "createdByType": "User"}
CREATED |= {"lastModifiedAt": DAY, "lastModifiedBy": "Microsoft", "lastModifiedByType": "User"}


@functools.cache
def models() -> dict[str, dict[str, Any]]:
    """Returns the catalog's models by their name in lower case."""
    return {model["name"].lower(): model for model in read_catalog("chat_models.json")["models"]}


@functools.cache
def component() -> dict[str, Any]:
    """Returns the catalog's fine-tuning component."""
    return read_catalog(f"{COMPONENT}.json")


def model_named(match: re.Match[str], what: str) -> dict[str, Any]:
    """Returns the model that a registry URI names; refuses one that does not exist (`what`: who refers to it)."""
    _check_registry(match["registry"], what)
    found = models().get(match["name"].lower())
    if match["kind"].lower() != "models" or found is None:
        hint = suggest(match["name"], [model["name"] for model in models().values()])
        raise bad_request(f"{what} refers to model {match['name']!r}, which registry {NAME} does not have{hint}.")
    _check_version(match, found["version"], what)
    return found


def component_named(match: re.Match[str], what: str) -> dict[str, Any]:
    """Returns the component that a registry URI names; refuses one that does not exist."""
    _check_registry(match["registry"], what)
    if match["kind"].lower() != "components" or match["name"].lower() != COMPONENT:
        hint = suggest(match["name"], [COMPONENT])
        raise bad_request(
            f"{what} refers to component {match['name']!r}, which the local registry {NAME} does not have{hint}."
        )
    _check_version(match, component()["version"], what)
    return component()


def _check_registry(name: str, what: str) -> None:
    if name.lower() != NAME:
        raise bad_request(f"{what} refers to registry {name!r}; the local Azure ML has the registry {NAME} only.")


def _check_version(match: re.Match[str], version: str, what: str) -> None:
    by, wanted = match["by"], match["version"]
    if by is None:
        raise bad_request(f"{what} refers to {match['name']!r} without a version; add /versions/{version}.")
    if (by == "labels" and wanted != "latest") or (by == "versions" and wanted != version):
        word = "label" if by == "labels" else "version"
        raise bad_request(
            f"{what} refers to {word} {wanted} of {match['name']}, which registry {NAME} does not have; "
            f"it has version {version}."
        )


def published(value: Any) -> str:
    """Returns a tag's value as Azure publishes it: a list as a Python literal, a mapping as JSON, else its text."""
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _model(model: dict[str, Any]) -> dict[str, Any]:
    # `learning_rate_min` and `_max` are hints to the studio's form: no input of the component has these names.
    defaults = {key: value for key, value in model["model_specific_defaults"].items() if key in component()["inputs"]}
    computes = {"finetuneComputes": model["finetune_computes"], "inferenceComputes": model["inference_computes"]}
    tags: dict[str, Any] = {"task": "chat-completion", "license": model["license"], "author": "Microsoft"}
    if model["finetune_computes"]:
        tags |= {"finetune_compute_allow_list": model["finetune_computes"], "finetuning-tasks": "chat-completion"}
        tags |= {"finetune-min-sku-spec": model["finetune_min_sku_spec"]}
    if model["inference_computes"]:
        tags |= {"inference_compute_allow_list": model["inference_computes"]}
        tags |= {"inference-min-sku-spec": model["inference_min_sku_spec"]}
    if defaults:
        tags["model_specific_defaults"] = defaults
    identifier = registry_asset(NAME, "models", model["name"], model["version"])
    return {
        "id": identifier,
        "name": model["name"],
        "type": "models",
        "systemData": CREATED,
        "properties": {
            "modelType": "mlflow_model",
            "modelUri": f"https://registry.invalid/{NAME}/{model['name']}/{model['version']}/mlflow_model_folder",
            "flavors": {"hftransformersv2": {"data": {"model_id": model["name"]}}},
            "description": f"{model['name']}, as the catalog of this project knows it.",
            "tags": {key: published(value) for key, value in tags.items() if value is not None},
            "properties": {
                "finetune-min-sku-spec": published(model["finetune_min_sku_spec"]),
                "finetune-recommended-sku": ", ".join(model["finetune_computes"]),
                "inference-recommended-sku": ", ".join(model["inference_computes"]),
            },
            "systemMetadata": {
                "supportedComputes": computes,
                "SKU": {"finetuneMinSkuSpec": model["finetune_min_sku_spec"]},
                "tasks": {"fineTuningTasks": ["chat-completion"] if model["finetune_computes"] else []},
                "deprecation": model.get("deprecation") or {},
            },
            "isAnonymous": False,
            "isArchived": bool(model["archived"]),
            "originAssetId": None,
            "jobName": None,
            "intellectualProperty": None,
        },
    }


def _component() -> dict[str, Any]:
    facts = component()

    def texts(spec: dict[str, Any]) -> dict[str, Any]:
        # On the wire every value of a component's specification is a string.
        return {
            key: [str(each) for each in value] if isinstance(value, list) else str(value) for key, value in spec.items()
        }

    return {
        "id": registry_asset(NAME, "components", COMPONENT, facts["version"]),
        "name": facts["version"],
        "type": "Microsoft.MachineLearningServices/registries/components/versions",
        "systemData": CREATED,
        "properties": {
            "isAnonymous": False,
            "isArchived": False,
            "tags": {},
            "properties": {},
            "description": None,
            "componentSpec": {
                "$schema": "https://azuremlschemas.azureedge.net/latest/pipelineComponent.schema.json",
                "name": COMPONENT,
                "version": facts["version"],
                "type": "pipeline",
                "display_name": "Chat Completion Pipeline",
                "description": "Fine-tunes a chat completion model.",
                "is_deterministic": "False",
                "inputs": {name: texts(spec) for name, spec in facts["inputs"].items()},
                "outputs": {name: texts({"type": spec["type"]}) for name, spec in facts["outputs"].items()},
                "jobs": {},
            },
        },
    }


def _environment(environment: CuratedEnvironment, version: str) -> dict[str, Any]:
    return {
        "id": registry_asset(NAME, "environments", environment.name, version),
        "name": version,
        "type": "environments",
        "systemData": CREATED,
        "properties": curated_properties(environment, version),
    }


def curated_properties(environment: CuratedEnvironment, version: str) -> dict[str, Any]:
    """Returns what is shown of a curated environment. Which versions there are is not known here: each is shown."""
    return {
        "description": f"See {environment.path} of Azure/azureml-assets.",
        "tags": {},
        "properties": {},
        "isArchived": environment.removed,
        "isAnonymous": False,
        "environmentType": "Curated",
        "image": f"mcr.microsoft.com/azureml/curated/{environment.name}:{version}",
        "condaFile": "",
        "osType": "Linux",
        "stage": None,
        "intellectualProperty": None,
    }


def _assets(call: Call) -> dict[str, dict[str, Any]]:
    """Returns the registry's assets of the kind that a path names, by their name in lower case."""
    kind = call.words["kind"].lower()
    _refuse_unknown(call)
    if kind == "models":
        return {name: _model(model) for name, model in models().items()}
    if kind == "components":
        return {COMPONENT: _component()}
    if kind == "environments":
        version = call.words.get("version", "1")
        if name_rules.fault("model version", version):
            return {}
        return {name: _environment(each, version) for name, each in curated().items()}
    if kind in ("data", "codes"):
        return {}
    raise not_found(f"The local registry {NAME} has models, components and environments, not {kind}.", "NotEmulated")


def _refuse_unknown(call: Call) -> None:
    if call.words["registry"].lower() != NAME:
        message = f"Registry {call.words['registry']} not found; the local Azure ML has the registry {NAME} only."
        raise not_found(message, inner=("NotFoundError",))


@data("GET", "/registrymanagement/v1.0/registries/{registry}/discovery")
async def discovery(call: Call) -> Any:
    """Says where a registry is."""
    _refuse_unknown(call)
    return {
        "registryId": REGISTRY_ID,
        "registryName": NAME,
        "tenantId": TENANT_ID,
        "primaryRegion": "eastus",
        "regions": ["eastus"],
        "subscriptionId": SUBSCRIPTION_ID,
        "resourceGroup": GROUP_NAME,
        "workspaceName": None,
        "primaryRegionResourceProviderUri": "https://eastus.api.azureml.ms/",
        "registryFqdns": {"eastus": {"uri": "https://eastus.api.azureml.ms/"}},
        "intellectualPropertyPublisher": None,
        "isTradeRestricted": False,
    }


def _ends(asset: dict[str, Any]) -> tuple[str, str]:
    """Returns the name and the version of an asset, which its id has both."""
    container, _, version = str(asset["id"]).rpartition("/versions/")
    return container.rpartition("/")[2], version


@data("GET", REGISTRY + "/{kind}")
async def containers(call: Call) -> Any:
    """Lists the assets of a kind, without their versions."""
    return page(call, view(call, [_container(asset) for asset in _assets(call).values()]))


@data("GET", REGISTRY + "/{kind}/{name}")
async def container(call: Call) -> Any:
    """Returns an asset without its version."""
    asset = _assets(call).get(call.words["name"].lower())
    if asset is None:
        raise _missing(call, "")
    return _container(asset)


def _container(asset: dict[str, Any]) -> dict[str, Any]:
    name, version = _ends(asset)
    return {
        "id": str(asset["id"]).rpartition("/versions/")[0],
        "name": name,
        "type": str(asset["type"]).rpartition("registries/")[2].removesuffix("/versions"),
        "systemData": CREATED,
        "properties": {
            "description": "",
            "tags": {},
            "properties": {},
            "isArchived": asset["properties"]["isArchived"],
            "latestVersion": version,
            "nextVersion": str(int(version) + 1) if version.isdecimal() else "1",
        },
    }


def _missing(call: Call, version: str) -> AzureError:
    identifier = registry_asset(NAME, call.words["kind"], call.words["name"], version).removesuffix("/versions/")
    message = f"Could not find asset with ID: {identifier}"
    return AzureError(404, "UserError", message, inner=("NotFoundError",), layer=Layer.REGISTRY)


@data("GET", REGISTRY + "/{kind}/{name}/versions")
async def versions(call: Call) -> Any:
    """Lists the versions of an asset; an archived one is still found by its name, as in Azure."""
    asset = _assets(call).get(call.words["name"].lower())
    return page(call, [asset] if asset else [])


@data("GET", REGISTRY + "/{kind}/{name}/versions/{version}")
async def version(call: Call) -> Any:
    """Returns a version of an asset."""
    asset = _assets(call).get(call.words["name"].lower())
    if asset is None or _ends(asset)[1] != call.words["version"]:
        raise _missing(call, call.words["version"])
    return asset


@data("PUT PATCH DELETE", REGISTRY + "/{kind}/{name}/versions/{version}")
async def refuse(call: Call) -> Any:
    """Refuses what would publish to the registry."""
    message = f"User/tenant/subscription is not allowed to access registry {NAME}"
    chain = ("Auth", "Authorization", "UnAuthorizedRegistryAccess")
    raise AzureError(401, "UserError", message, inner=chain, layer=Layer.REGISTRY)
