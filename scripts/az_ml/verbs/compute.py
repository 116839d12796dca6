"""az ml compute."""

from __future__ import annotations

from typing import Any

from scripts.az_ml import entities, generic_update
from scripts.az_ml.session import Session
from scripts.errors import FAILED, UserError

_SCALE = ("min_instances", "max_instances", "idle_time_before_scale_down")
_UPDATABLE = ("amlcompute", "kubernetes", "computeinstance", "synapsespark")


def create(session: Session, arguments: Any) -> Any:
    """Creates or changes a compute target: the service takes the same request for both."""
    from azure.ai.ml import load_compute

    client = session.client()
    changes = entities.overrides(
        arguments,
        *("name", "size", *_SCALE, "description", "enable_node_public_ip", "tier", "ssh_public_access_enabled"),
        *("tags", "location"),
        vnet_name="network_settings.vnet_name",
        subnet="network_settings.subnet",
        admin_username="ssh_settings.admin_username",
        admin_password="ssh_settings.admin_password",
        ssh_key_value="ssh_settings.ssh_key_value",
        user_tenant_id="create_on_behalf_of.user_tenant_id",
        user_object_id="create_on_behalf_of.user_object_id",
        identity_type="identity.type",
    )
    if arguments.type:
        changes.append({"type": arguments.type.lower()})
    changes += _identities(arguments)
    compute = load_compute(source=arguments.file, params_override=changes)
    return entities.printed(entities.wait(client.compute.begin_create_or_update(compute), arguments.no_wait))


def update(session: Session, arguments: Any) -> Any:
    """Changes a compute target: --set and its like on what the service has, then the named flags."""
    from azure.ai.ml import load_compute

    client = session.client()
    held = entities.printed(client.compute.get(name=arguments.name))
    if held["type"] not in _UPDATABLE:
        raise UserError(f"compute {arguments.name} is of type {held['type']}, which cannot be updated", FAILED)
    held = generic_update.apply(held, arguments.changes, arguments.force_string)
    changes = [{key: value} for key, value in held.items() if key != "ssh_settings"]
    changes += entities.overrides(arguments, "name", *_SCALE, "tags", identity_type="identity.type")
    if arguments.identity_type in ("SystemAssigned", "system_assigned"):
        changes.append({"identity": {"type": "system_assigned"}})  # the service takes one kind of identity, not both
    changes += _identities(arguments)
    compute = load_compute(source=None, params_override=changes)
    return entities.printed(entities.wait(client.compute.begin_update(compute), arguments.no_wait))


def show(session: Session, arguments: Any) -> Any:
    """Prints a compute target."""
    return entities.printed(session.client().compute.get(name=arguments.name))


def list_(session: Session, arguments: Any) -> Any:
    """Prints the compute targets of the workspace."""
    return entities.first(session.client().compute.list(compute_type=arguments.type), arguments.max_results)


def list_sizes(session: Session, arguments: Any) -> Any:
    """Prints the VM sizes of the region; the SDK keeps name, family and gpus only."""
    found = session.client().compute.list_sizes(location=arguments.location, compute_type=arguments.type)
    return entities.first(found, None)


def list_usage(session: Session, arguments: Any) -> Any:
    """Prints quota limits of the region."""
    return entities.first(session.client().compute.list_usage(location=arguments.location), None)


def delete(session: Session, arguments: Any) -> None:
    """Deletes a compute target."""
    entities.confirm(arguments)
    entities.wait(session.client().compute.begin_delete(name=arguments.name), arguments.no_wait)


def _identities(arguments: Any) -> list[dict[str, Any]]:
    if not arguments.user_assigned_identities:
        return []
    named = [{"resource_id": each} for each in arguments.user_assigned_identities.split(",")]
    return [{"identity.user_assigned_identities": named}]
