"""az ml compute."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from scripts.az_ml import entities, session
from scripts.errors import FAILED, UserError

_SCALE = ("min_instances", "max_instances", "idle_time_before_scale_down")


def create(arguments: Namespace) -> Any:
    """Creates or changes a compute target: the service takes the same request for both."""
    client = session.client(arguments)
    changes = session.overrides(arguments, "name", "size", *_SCALE, "description", "tier", "location")
    if arguments.type:
        changes.append({"type": arguments.type.lower()})
    compute = session.load(arguments, changes)
    return entities.printed(session.wait(client.compute.begin_create_or_update(compute), arguments))


def update(arguments: Namespace) -> Any:
    """Changes a cluster: --set on what the service has, then the named flags."""
    client = session.client(arguments)
    held = entities.printed(client.compute.get(name=arguments.name))
    if held["type"] != "amlcompute":
        raise UserError(
            f"compute {arguments.name} is of type {held['type']}, and only clusters are changed here", FAILED
        )
    kept = [{key: value} for key, value in held.items() if key != "ssh_settings"]
    compute = session.load(arguments, kept + session.overrides(arguments, *_SCALE))
    return entities.printed(session.wait(client.compute.begin_update(compute), arguments))


def show(arguments: Namespace) -> Any:
    """Prints a compute target."""
    return entities.printed(session.client(arguments).compute.get(name=arguments.name))


def list_(arguments: Namespace) -> Any:
    """Prints the compute targets of the workspace."""
    return entities.first(session.client(arguments).compute.list(compute_type=arguments.type), arguments.max_results)


def list_sizes(arguments: Namespace) -> Any:
    """Prints the VM sizes of the region; the SDK keeps name, family and gpus only."""
    sizes = session.client(arguments).compute.list_sizes(location=arguments.location, compute_type=arguments.type)
    return entities.first(sizes)


def list_usage(arguments: Namespace) -> Any:
    """Prints the quota of the region, by family of sizes."""
    return entities.first(session.client(arguments).compute.list_usage(location=arguments.location))


def delete(arguments: Namespace) -> None:
    """Deletes a compute target."""
    session.confirm(arguments)
    session.wait(session.client(arguments).compute.begin_delete(name=arguments.name), arguments)
