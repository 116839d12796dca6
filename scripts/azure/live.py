"""What the live workspace and registry say, as plain data: preflight, lock and gpu ask Azure ML here alone.

Everything goes through azure-ai-ml, on either backend. Some answers take care: the SDK's usage and size entities keep
the wire's names (`currentValue`, `vCPUs`, `memoryGB`) and leave their documented attributes empty, and its model entity
drops `isArchived` and `systemMetadata`.
"""

from __future__ import annotations

import functools
from typing import Any

from scripts.azure import answers, chat_models, client, component, registries, registry_files, sdk_private
from scripts.azure import model_tags as tags
from scripts.azure.chat_models import Model
from scripts.azure.client import Values
from scripts.azure.component import Component
from scripts.azure.live_workspace import Datastore, Workspace, read_datastore, read_workspace, word
from scripts.azure.machine_sizes import Size
from scripts.azure.subscription import Subscription
from scripts.errors import CouldNotAskError

KINDS = ("dedicated", "low priority")  # of a quota: in its type stands dedicatedCores or lowPriorityCores


class Live:
    """Answers about one environment's workspace and registry; everything is asked once."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._azure = values.data["azure"]
        self._registry_name = values.data["model"].get("registry", "azureml")

    @functools.cached_property
    def _workspace(self) -> Any:
        return client.connect(self._values)

    @functools.cached_property
    def _registry(self) -> Any:
        found = answers.ask(f"registry {self._registry_name}", client.registry, self._values)
        if found is None:
            hint = registries.misspelt(self._registry_name)
            raise CouldNotAskError(f"there is no registry {self._registry_name}{hint}", "its models and components")
        return found

    @functools.cached_property
    def subscription(self) -> Subscription:
        """Who answers for the subscription beyond Azure ML."""
        return Subscription(self._azure["subscription_id"])

    @functools.cached_property
    def workspace(self) -> Workspace:
        """The workspace's own facts."""
        name = self._azure["workspace"]
        found = answers.ask(f"workspace {name}", lambda: self._workspace.workspaces.get(name))
        if found is None:
            where = f"resource group {self._azure['resource_group']}"
            raise CouldNotAskError(f"there is no workspace {name} in {where}", "the region")
        return read_workspace(found)

    @property
    def region(self) -> str:
        """The workspace's own region."""
        return self.workspace.location

    @functools.cached_property
    def datastores(self) -> list[Datastore]:
        """The workspace's datastores, without their secrets."""
        found = answers.ask("the datastores", lambda: list(self._workspace.datastores.list()))
        return [read_datastore(each) for each in found or ()]

    @functools.cached_property
    def sizes(self) -> dict[str, Size]:
        """The sizes that the region offers, by lower-case name."""
        found = answers.ask("the region's sizes", lambda: list(self._workspace.compute.list_sizes()))
        return {size.name.lower(): size for size in map(_size, found or ())}

    @functools.cached_property
    def usage(self) -> list[dict[str, Any]]:
        """The region's quotas: {"name", "kind", "used", "limit"}, cores.

        `kind` is dedicated, low priority or an empty text; `used` and `limit` are None where the service does not tell:
        a limit of -1 is no number, and was seen beside a quota of 0.
        """
        found = answers.ask("the quota", lambda: list(self._workspace.compute.list_usage()))
        return [_usage(each) for each in found or ()]

    @functools.cache  # noqa: B019 (lives as long as the command)
    def cluster(self, name: str) -> dict[str, Any] | None:
        """Returns a cluster, None where there is none of that name."""
        found = answers.ask(f"cluster {name}", lambda: self._workspace.compute.get(name))
        if found is None:
            return None
        errors = getattr(found, "provisioning_errors", None)
        return {
            "name": found.name,
            "type": word(found.type),
            "state": word(found.provisioning_state),
            "errors": word(errors),
            "size": word(getattr(found, "size", None)),
            "tier": (word(getattr(found, "tier", None)) or "dedicated").lower(),
            "min": int(getattr(found, "min_instances", 0) or 0),
            "max": int(getattr(found, "max_instances", 0) or 0),
            "identity": word(getattr(getattr(found, "identity", None), "type", None)).lower(),
        }

    @functools.cache  # noqa: B019
    def deployment(self, endpoint: str, name: str) -> dict[str, Any] | None:
        """Returns the size and the number of machines of a deployment, None where there is none."""
        found = answers.ask(f"deployment {name}", lambda: self._workspace.online_deployments.get(name, endpoint))
        if found is None:
            return None
        return {"size": str(found.instance_type), "instances": int(found.instance_count or 1)}

    @functools.cache  # noqa: B019
    def model(self, name: str, version: str | None = None) -> Model | None:
        """Returns a registry model, its newest version if none is named; None if it is not there."""
        which = {"version": version} if version else {"label": "latest"}
        found = answers.ask(f"model {name}", lambda: self._registry.models.get(name, **which))
        if found is None:
            return None
        wire = answers.ask(
            f"model {name}", lambda: sdk_private.model_on_the_wire(self._registry.models, name, str(found.version))
        )
        return chat_models.read(model_facts(found, wire or {}, self._registry_name))

    @functools.cache  # noqa: B019
    def model_file(self, name: str, version: str, file: str) -> str | None:
        """Returns the text of one file of a registry model, None where it has no such file."""
        what = f"{file} of model {name} version {version}"
        found = answers.ask(what, lambda: self._registry.models.get(name, version=version))
        if found is None:
            raise CouldNotAskError("the registry has no such model", what)
        return registry_files.text(self._registry.models, name, version, str(found.path), file)

    @functools.cache  # noqa: B019
    def component(self, name: str, version: str | None = None) -> Component | None:
        """Returns a registry component with its typed interface, the newest if no version is named."""
        which = {"version": version} if version else {"label": "latest"}
        found = answers.ask(f"component {name}", lambda: self._registry.components.get(name, **which))
        return None if found is None else component.read(_component(found))


def model_facts(found: Any, wire: dict[str, Any], registry: str) -> dict[str, Any]:
    """Returns the facts of an SDK model, and of its properties on the wire, in the catalog's words."""
    where = f"registry {registry}, model {found.name}, version {found.version}"
    plain = {
        "tags": dict(found.tags or {}),
        "properties": dict(found.properties or {}),
        "system_metadata": _plain(wire.get("systemMetadata") or sdk_private.system_metadata(found)) or {},
    }
    return {
        "name": found.name,
        "version": str(found.version),
        "id": str(found.id),
        "archived": str(wire.get("isArchived", False)).lower() == "true",
        "finetune_computes": tags.size_list("finetune", plain, where) or [],
        "inference_computes": tags.size_list("inference", plain, where) or [],
        "finetune_min_sku_spec": tags.minimum("finetune", plain, where),
        "inference_min_sku_spec": tags.minimum("inference", plain, where),
        "model_specific_defaults": tags.parameter_defaults(plain, where),
        "deprecation": tags.retirement(plain, where),
        "license": str(plain["tags"].get("license", "")),
    }


def _plain(value: Any) -> Any:
    if hasattr(value, "as_dict"):
        return value.as_dict()
    return dict(value) if hasattr(value, "items") else value


def _size(entity: Any) -> Size:
    def read(*names: str) -> Any:
        return next((getattr(entity, name) for name in names if getattr(entity, name, None) is not None), None)

    disk = read("maxResourceVolumeMB", "max_resource_volume_mb")
    return Size(
        name=str(entity.name),
        family=str(read("family") or ""),
        gpus_per_node=int(read("gpus") or 0),
        vcpus=int(read("vCPUs", "v_cp_us") or 0),
        memory_gb=_whole(read("memoryGB", "memory_gb") or 0),
        disk_gib=None if disk is None else round(float(disk) / 1024),
        low_priority=read("lowPriorityCapable", "low_priority_capable"),
        compute_types=tuple(read("supportedComputeTypes", "supported_compute_types") or ()) or None,
    )


def _whole(number: Any) -> int | float:
    return int(number) if float(number).is_integer() else float(number)


def _usage(entity: Any) -> dict[str, Any]:
    name, kind = entity.name, str(getattr(entity, "type", "")).lower()
    label = name.get("value") or name.get("localizedValue") if isinstance(name, dict) else getattr(name, "value", name)
    used = getattr(entity, "currentValue", None)
    used, limit = getattr(entity, "current_value", None) if used is None else used, entity.limit
    return {
        "name": str(label),
        "kind": next((each for each in KINDS if each.replace(" ", "") in kind), ""),
        "used": None if used is None else int(used),
        "limit": None if limit is None or int(limit) < 0 else int(limit),
    }


def _component(found: Any) -> dict[str, Any]:
    def kept(specs: dict[str, Any], *keys: str) -> dict[str, Any]:
        rows = {name: spec if isinstance(spec, dict) else sdk_private.to_dict(spec) for name, spec in specs.items()}
        return {name: {key: row[key] for key in keys if row.get(key) is not None} for name, row in rows.items()}

    return {
        "component": found.name,
        "version": str(found.version),
        "id": str(found.id),
        "type": str(found.type),
        "inputs": kept(found.inputs, "type", "enum", "default", "min", "max", "optional"),
        "outputs": kept(found.outputs, "type"),
    }
