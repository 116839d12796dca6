"""Lists reduced as the `ml` extension reduces them, and its columns under -o table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_UNLISTED = ("id", "type", "etag")  # az leaves these columns out of every table

_DEPLOYMENTS = ("name", "endpoint_name", "provisioning_state", "instance_type", "model", "type")
_ENDPOINTS = ("name", "location", "traffic", "mirror_traffic", "provisioning_state", "kind", "tags")


def reshape(command: str, result: Any) -> Any:
    """What list commands print in place of the whole entities, in every output format."""
    reduce = _RESHAPED.get(command)
    return [reduce(each) for each in result] if reduce and result else result


def table(result: Any, command: str, queried: bool) -> str:
    """Returns -o table: the extension's columns for a list, else the scalars with capitalised names."""
    from tabulate import tabulate

    columns = None if queried else _COLUMNS.get(command)
    if columns:
        result = [columns(each) for each in result]
    rows = result if isinstance(result, list) else [result]
    ordered = queried or columns is not None
    items = [_item(row, ordered) for row in rows]
    if not any(items):
        return "\n"
    return tabulate(items, headers="keys", tablefmt="simple", disable_numparse=True) + "\n"


def _item(row: Any, ordered: bool) -> dict[str, Any]:
    if isinstance(row, dict):
        keys = row if ordered else sorted(row)
        shown = (key for key in keys if key not in _UNLISTED and not isinstance(row[key], (list, dict, type(None))))
        return {key[:1].upper() + key[1:]: row[key] for key in shown}
    if isinstance(row, list):
        return {f"Column{number}": value for number, value in enumerate(row, start=1)}
    return {"Result": row}


def _model(entity: dict[str, Any]) -> dict[str, Any]:
    """`model list` renames `type` to `model type` and prints null for a missing stage; measured, not chosen."""
    keys = ("name", "tags", "stage", "id", "properties", "creation_context")
    found = {key: entity.get(key) for key in keys} | {"description": entity.get("description", "")}
    if entity.get("latest_version"):
        found["latest version"] = entity["latest_version"]
    if entity.get("version"):
        found |= {"version": entity["version"], "model type": entity.get("type"), "path": entity.get("path")}
    return found | ({"resourceGroup": entity["resourceGroup"]} if entity.get("resourceGroup") else {})


def _picked(*keys: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda entity: {key: entity.get(key) for key in keys}


def _versioned(entity: dict[str, Any], **more: Any) -> dict[str, Any]:
    row = {"name": entity.get("name"), "latest version": entity.get("latest_version")}
    return row | ({"version": entity["version"], **more} if entity.get("version") else {})


def _job(entity: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": entity.get("name"),
        "status": entity.get("status"),
        "experiment": entity.get("experiment_name"),
        "compute target": entity.get("compute", ""),
        "job type": entity.get("type"),
        "created on": (entity.get("creation_context") or {}).get("created_at"),
    }


def _compute(entity: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": entity.get("name"),
        "compute type": entity.get("type"),
        "state": entity.get("state") or entity.get("provisioning_state"),
        "Instance type": entity.get("size"),
    }


def _usage(entity: dict[str, Any]) -> dict[str, Any]:
    keys = ("aml_workspace_location", "type", "unit", "current_value", "limit")
    return {key: entity.get(key) for key in keys} | {"name": (entity.get("name") or {}).get("value")}


_RESHAPED: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "model list": _model,
    "online-endpoint list": _picked(*_ENDPOINTS),
    "online-deployment list": _picked(*_DEPLOYMENTS),
}

_COLUMNS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "model list": dict,  # in the order in which `_model` puts them
    "job list": _job,
    "compute list": _compute,
    "compute list-sizes": _picked("name", "family", "v_cp_us", "gpus", "memory_gb"),
    "compute list-usage": _usage,
    "data list": lambda entity: _versioned(entity, **{"data type": entity.get("type"), "path": entity.get("path")}),
    "component list": lambda entity: _versioned(entity, **{"Component type": entity.get("type")}),
}
