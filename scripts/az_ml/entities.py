"""From the SDK's entities to the dicts that az prints, and the lists that az reduces."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from enum import Enum
from itertools import islice
from typing import Any

from scripts.azure import sdk_private

_ENUM = re.compile(r"([A-Z]\w+)\.([A-Z][A-Z0-9_]*)")
_AS_IT_IS = frozenset(("description", "environment_variables", "inputs", "properties", "tags"))  # free text
# The SDK 1.35 leaves what it read of a size and a usage under the wire's names; az prints them under these.
_SIZE = {
    "family": "family", "gpus": "gpus", "lowPriorityCapable": "low_priority_capable",
    "maxResourceVolumeMB": "max_resource_volume_mb", "memoryGB": "memory_gb", "name": "name",
    "osVhdSizeMB": "os_vhd_size_mb", "premiumIO": "premium_io", "vCPUs": "v_cp_us",
}  # fmt: skip
_USAGE = {
    "amlWorkspaceLocation": "aml_workspace_location", "currentValue": "current_value", "id": "id", "limit": "limit",
    "type": "type", "unit": "unit",
}  # fmt: skip
# What `list` prints in place of the whole entities, in every output format; measured, not chosen.
_LISTED = {
    "online-deployment list": ("name", "endpoint_name", "provisioning_state", "instance_type", "model", "type"),
    "online-endpoint list": ("name", "location", "traffic", "mirror_traffic", "provisioning_state", "kind", "tags"),
}
_MODEL = ("name", "tags", "stage", "id", "properties", "creation_context")


def printed(entity: Any) -> Any:
    """Returns an entity as az prints it; None stays None."""
    if entity is None or isinstance(entity, (dict, list, str)):
        return entity
    try:
        return _with_values(sdk_private.to_dict(entity))
    except Exception as error:  # the service accepted what the SDK cannot read back: az warns and exits 0
        print(f"WARNING: Failed to deserialize response: {error}", file=sys.stderr)
        return None


def _with_values(found: Any) -> Any:
    """Replaces `JobStatus.COMPLETED` by `Completed`: which of the two the SDK dumps depends on azure-core's version."""
    if isinstance(found, dict):
        return {key: value if key in _AS_IT_IS else _with_values(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_with_values(each) for each in found]
    named = _ENUM.fullmatch(found) if isinstance(found, str) else None
    if named:
        return sdk_private.wire_word(named[1], named[2]) or found
    return found.value if isinstance(found, Enum) else found


def read_again(entity: Any) -> list[dict[str, Any]]:
    """What the service has, as changes over an empty file: without the nulls that the SDK prints and does not read."""
    return [{key: value} for key, value in _without_nulls(printed(entity)).items()]


def _without_nulls(found: Any) -> Any:
    if isinstance(found, list):
        return [_without_nulls(each) for each in found]
    if not isinstance(found, dict):
        return found
    return {key: _without_nulls(value) for key, value in found.items() if value is not None}


def printed_compute(compute: Any) -> Any:
    """A compute as az prints it: without the time of its creation, which the SDK has known since 1.35."""
    found = printed(compute)
    return {key: value for key, value in found.items() if key != "created_on"} if isinstance(found, dict) else found


def printed_size(size: Any) -> dict[str, Any]:
    """A VM size as az prints it; its list of compute types as a text, in Python's words."""
    types = {"supported_compute_types": str(vars(size).get("supportedComputeTypes") or [])}
    return types | {name: vars(size).get(key) for key, name in _SIZE.items()}


def printed_usage(usage: Any) -> dict[str, Any]:
    """A quota and its use as az prints it."""
    named = vars(usage).get("name") or {}
    name = {"localized_value": named.get("localizedValue"), "value": named.get("value")}
    return {"name": name} | {name: vars(usage).get(key) for key, name in _USAGE.items()}


def printed_job(job: Any) -> Any:
    """A job as az prints it: without the system's own tags, a step of a pipeline as the job that it is."""
    return printed(sdk_private.as_job(without_system_tags(job)))


def without_system_tags(job: Any) -> Any:
    """Takes the tags away that Azure ML itself puts on jobs."""
    job.tags = {key: job.tags[key] for key in job.tags if "_aml_system_" not in key and "platform_config" not in key}
    return job


def first(results: Iterable[Any], most: int | None = None) -> list[Any]:
    """The first `most` entities, printed; all of them when `most` is None or 0."""
    return [printed(each) for each in islice(results, most or None)]


def listed(command: str, result: Any) -> Any:
    """What the list commands print of their entities; the result of another command as it is."""
    if command in _LISTED:
        return [{key: entity.get(key) for key in _LISTED[command]} for entity in result]
    return [_model(entity) for entity in result] if command == "model list" else result


def _model(entity: dict[str, Any]) -> dict[str, Any]:
    """`model list` renames `type` to `model type` and prints null for a missing stage."""
    found = {key: entity.get(key) for key in _MODEL} | {"description": entity.get("description", "")}
    if entity.get("latest_version"):
        found["latest version"] = entity["latest_version"]
    if entity.get("version"):
        found |= {"version": entity["version"], "model type": entity.get("type"), "path": entity.get("path")}
    return found
