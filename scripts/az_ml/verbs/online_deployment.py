"""az ml online-deployment. While create and update wait, the SDK prints a dot a poll on stdout, as the official CLI."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from scripts.az_ml import entities, session
from scripts.azure import answers
from scripts.errors import FAILED, UserError

_EXISTS = (
    "(UserError) A deployment with this name already exists. If you are trying to create a new deployment, use a "
    "different name. If you are trying to update an existing deployment, use `az ml online-deployment update` instead."
)


def create(arguments: Namespace) -> Any:
    """Creates a deployment; refuses when there is one of this name already."""
    changes = session.overrides(arguments, "name", "endpoint_name")
    deployment = session.load(arguments, changes)
    client = session.client(arguments)
    if _find(client, deployment.name, deployment.endpoint_name) is not None:
        raise UserError(_EXISTS, FAILED)
    return entities.printed(session.wait(client.begin_create_or_update(deployment), arguments))


def update(arguments: Namespace) -> Any:
    """Changes a deployment: a YAML file, or what the service has, with --set over it."""
    client = session.client(arguments)
    changes = session.overrides(arguments, "name", "endpoint_name")
    if not arguments.file:
        if not arguments.name or not arguments.endpoint_name:
            raise UserError("Please provide either --file/-f, or --name/-n and --endpoint-name/-e.", FAILED)
        held = entities.printed(_held(client, arguments.name, arguments.endpoint_name))
        changes = [{key: value} for key, value in held.items()] + changes
    deployment = session.load(arguments, changes)
    if arguments.file:
        _held(client, deployment.name, deployment.endpoint_name)
    return entities.printed(session.wait(client.begin_create_or_update(deployment), arguments))


def show(arguments: Namespace) -> Any:
    """Prints a deployment. That there is none is exit 1, not 3, as in the official CLI."""
    return entities.printed(_held(session.client(arguments), arguments.name, arguments.endpoint_name))


def list_(arguments: Namespace) -> Any:
    """Prints the deployments of an endpoint."""
    return entities.first(session.client(arguments).online_deployments.list(arguments.endpoint_name))


def delete(arguments: Namespace) -> None:
    """Deletes a deployment."""
    session.confirm(arguments)
    deployments = session.client(arguments).online_deployments
    session.wait(deployments.begin_delete(arguments.name, arguments.endpoint_name), arguments)


def get_logs(arguments: Namespace) -> None:
    """Prints the last lines of a deployment's container log, as text whatever -o says."""
    text = session.client(arguments).online_deployments.get_logs(
        arguments.name, arguments.endpoint_name, arguments.lines, container_type=arguments.container
    )
    print(text.replace("\\n", "\n"))


def _find(client: Any, name: str, endpoint_name: str) -> Any:
    """The deployment, or None when there is none (or no such endpoint)."""
    return answers.or_none(client.online_deployments.get, name=name, endpoint_name=endpoint_name)


def _held(client: Any, name: str, endpoint_name: str) -> Any:
    """The deployment; refuses with exit 1 when there is none."""
    found = _find(client, name, endpoint_name)
    if found is None:
        raise UserError(f"Deployment does not exist: '{name}' of endpoint '{endpoint_name}'.", FAILED)
    return found
