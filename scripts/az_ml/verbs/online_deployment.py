"""az ml online-deployment. While create and update wait, the SDK prints a dot a poll on stdout, as the official CLI."""

from __future__ import annotations

import sys
from typing import Any

from scripts.az_ml import entities, generic_update, studio
from scripts.az_ml.session import Session
from scripts.errors import FAILED, UserError

_EXISTS = (
    "(UserError) A deployment with this name already exists. If you are trying to create a new deployment, use a "
    "different name. If you are trying to update an existing deployment, use `az ml online-deployment update` instead."
)
_REGISTRY = "azureml://registries/"


def create(session: Session, arguments: Any) -> Any:
    """Creates a deployment; refuses when there is one of this name already."""
    from azure.ai.ml import load_online_deployment

    entities.exclusive(arguments)
    changes = entities.overrides(arguments, "name", "endpoint_name")
    deployment = load_online_deployment(source=arguments.file, params_override=changes)
    client = session.client(**_registry_of(deployment.model))
    if _get(client, deployment.name, deployment.endpoint_name, arguments.local) is not None:
        raise UserError(_EXISTS, FAILED)
    if arguments.all_traffic and not arguments.only_show_errors:
        _announce(deployment.name, arguments.no_wait)
    done = _send(client, deployment, arguments)
    if done is not None and arguments.all_traffic:
        endpoint = client.online_endpoints.get(deployment.endpoint_name, local=arguments.local)
        endpoint.traffic = {deployment.name: 100}
        entities.wait(client.begin_create_or_update(endpoint, local=arguments.local))
    return entities.printed(done)


def update(session: Session, arguments: Any) -> Any:
    """Changes a deployment: from a YAML file with --set over it, or with --set on what the service has."""
    from azure.ai.ml import load_online_deployment
    from azure.ai.ml.entities import OnlineDeployment

    entities.exclusive(arguments)
    client = session.client()
    if arguments.file:
        named = {"name": arguments.name, "endpoint_name": arguments.endpoint_name}
        held = {key: value for key, value in named.items() if value}
        held = generic_update.apply(held, arguments.changes, arguments.force_string)
        changes = [{key: value} for key, value in held.items()]
        held = load_online_deployment(source=arguments.file, params_override=changes)._to_dict()
        _held(client, held["name"], held["endpoint_name"], arguments.local)
    else:
        if not arguments.name or not arguments.endpoint_name:
            raise UserError("Please provide either --file/-f, or --name/-n and --endpoint-name/-e.", FAILED)
        held = _held(client, arguments.name, arguments.endpoint_name, arguments.local)._to_dict()
        held = generic_update.apply(held, arguments.changes, arguments.force_string)
    OnlineDeployment._set_scale_settings(data=held)
    deployment = OnlineDeployment._load(data=held, yaml_path=arguments.file)
    return entities.printed(_send(client, deployment, arguments))


def show(session: Session, arguments: Any) -> Any:
    """Prints a deployment. That there is none is exit 1, not 3, as in the official CLI."""
    client = session.client()
    deployment = _held(client, arguments.name, arguments.endpoint_name, arguments.local)
    if arguments.web:
        studio.open_endpoint(client.online_endpoints.get(arguments.endpoint_name, local=arguments.local))
    return entities.printed(deployment)


def list_(session: Session, arguments: Any) -> Any:
    """Prints the deployments of an endpoint."""
    found = session.client().online_deployments.list(arguments.endpoint_name, local=arguments.local)
    return entities.first(found, None)


def delete(session: Session, arguments: Any) -> None:
    """Deletes a deployment."""
    entities.exclusive(arguments)
    entities.confirm(arguments)
    deployments = session.client().online_deployments
    poller = deployments.begin_delete(arguments.name, arguments.endpoint_name, local=arguments.local)
    entities.wait(poller, arguments.no_wait)


def get_logs(session: Session, arguments: Any) -> None:
    """Prints the last lines of a deployment's container log, as text whatever -o says."""
    text = session.client().online_deployments.get_logs(
        arguments.name,
        arguments.endpoint_name,
        arguments.lines,
        container_type=arguments.container,
        local=arguments.local,
    )
    print(text.replace("\\n", "\n"))


def _announce(name: str, no_wait: bool) -> None:
    text = (
        f"All traffic won't be set to deployment {name} since no_wait option was provided. "
        "You can try to set all the traffic to this deployment once its has completed."
        if no_wait
        else f"All traffic will be set to deployment {name} once it has been provisioned.\n"
        "If you interrupt this command or it times out while waiting for the provisioning, you can try to set all "
        "the traffic to this deployment later once it has been provisioned."
    )
    print(text, file=sys.stderr)


def _registry_of(model: Any) -> dict[str, str]:
    """A model of a registry needs a client that knows the registry."""
    if isinstance(model, str) and model.startswith(_REGISTRY):
        return {"registry_reference": model.removeprefix(_REGISTRY).split("/")[0]}
    return {}


def _get(client: Any, name: str, endpoint_name: str, local: bool) -> Any:
    """The deployment, or None when there is none (or no such endpoint)."""
    from azure.ai.ml.exceptions import LocalEndpointNotFoundError
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return client.online_deployments.get(name=name, endpoint_name=endpoint_name, local=local)
    except (ResourceNotFoundError, LocalEndpointNotFoundError):
        return None


def _held(client: Any, name: str, endpoint_name: str, local: bool) -> Any:
    """The deployment; refuses with exit 1 when there is none."""
    found = _get(client, name, endpoint_name, local)
    if found is None:
        raise UserError(f"Deployment does not exist: '{name}' of endpoint '{endpoint_name}'.", FAILED)
    return found


def _send(client: Any, deployment: Any, arguments: Any) -> Any:
    if arguments.web:
        studio.open_endpoint(client.online_endpoints.get(deployment.endpoint_name, local=arguments.local))
    poller = client.begin_create_or_update(
        deployment,
        local=arguments.local,
        local_enable_gpu=arguments.local_enable_gpu,
        vscode_debug=arguments.vscode_debug,
        skip_script_validation=arguments.skip_script_validation,
    )
    return entities.wait(poller, arguments.no_wait)
