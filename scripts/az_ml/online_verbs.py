"""The verbs of online endpoints and deployments, as verbs.py has the others.

While create and update of a deployment wait, the SDK prints a dot a poll on stdout, as the official CLI does.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from scripts.az_ml import entities, session
from scripts.azure import answers
from scripts.errors import FAILED, UserError

_CREDENTIALS = {
    "primary_key": "primaryKey",
    "secondary_key": "secondaryKey",
    "access_token": "accessToken",
    "expiry_time_utc": "expiryTimeUtc",
    "refresh_after_time_utc": "refreshAfterTimeUtc",
    "token_type": "tokenType",
}


def online_endpoint_create(arguments: Namespace) -> Any:
    """Creates an endpoint; refuses when there is one of this name already."""
    client = session.client(arguments)
    changes = session.overrides(arguments)
    changes += [{flag: value.lower()} for flag in ("name", "auth_mode") if (value := getattr(arguments, flag))]
    endpoint = session.load(arguments, changes)
    if answers.or_none(client.online_endpoints.get, name=endpoint.name) is not None:
        raise _there_already("An", "endpoint")
    return _send(client, endpoint, arguments)


def online_endpoint_update(arguments: Namespace) -> Any:
    """Changes an endpoint: a YAML file, or what the service has, with --set over it; --traffic replaces all shares."""
    if not arguments.name and not arguments.file:
        raise UserError("Please provide either --name/-n or --file/-f.", FAILED)
    client = session.client(arguments)
    name = (arguments.name or session.load(arguments, []).name).lower()
    held = answers.or_none(client.online_endpoints.get, name=name)
    if held is None:
        raise UserError(f"Endpoint does not exist: '{name}'; create it with `az ml online-endpoint create`", FAILED)
    changes = [*session.overrides(arguments), {"name": name}]
    if not arguments.file:
        changes = entities.read_again(held) + changes
    endpoint = session.load(arguments, changes)
    if arguments.traffic:
        endpoint.traffic = shares(arguments.traffic)
    if arguments.mirror_traffic:
        endpoint.mirror_traffic = shares(arguments.mirror_traffic, "--mirror-traffic")
    return _send(client, endpoint, arguments)


def shares(text: str, option: str = "--traffic") -> dict[str, str]:
    """Reads `blue=90 green=10`. The sum is for the service to check, as under the official CLI."""
    found: dict[str, str] = {}
    for pair in text.split():
        name, separator, percent = pair.partition("=")
        if not separator or not percent.isnumeric():
            raise UserError(
                f"{option} '{text}': '{pair}' is not DEPLOYMENT=PERCENT; write pairs with whole percentages and "
                "spaces between them, such as 'blue=90 green=10' (no commas, no colons)",
                FAILED,
            )
        found[name] = percent
    return found


def online_endpoint_show(arguments: Namespace) -> Any:
    """Prints an endpoint; every deployment is in its traffic, with 0 where it has none."""
    return entities.printed(session.client(arguments).online_endpoints.get(name=arguments.name))


def online_endpoint_list(arguments: Namespace) -> Any:
    """Prints the endpoints of the workspace."""
    return entities.first(session.client(arguments).online_endpoints.list())


def online_endpoint_delete(arguments: Namespace) -> None:
    """Deletes an endpoint with all its deployments. Prints polling dots while it waits."""
    session.confirm(arguments)
    client = session.client(arguments)
    name = arguments.name
    if answers.or_none(client.online_endpoints.get, name=name) is None:
        raise UserError(f"Online endpoint {name} does not exist.", FAILED)
    if not arguments.no_wait and not arguments.only_show_errors:
        print(
            "Delete request initiated. If you interrupt this command or it times out while waiting for deletion to "
            f"complete, status can be checked using `az ml online-endpoint show -n {name}`",
            file=sys.stderr,
        )
    session.wait(client.online_endpoints.begin_delete(name=name), arguments)


def online_endpoint_invoke(arguments: Namespace) -> str:
    """Sends the request file and returns the body of the answer as text: a JSON string under -o json, raw under tsv."""
    if not arguments.request_file:
        raise UserError("no request file is given: add --request-file/-r FILE, a file with the JSON to send", FAILED)
    if not Path(arguments.request_file).is_file():
        raise UserError(f"--request-file/-r: No such file or directory: '{arguments.request_file}'", FAILED)
    answer: str = session.client(arguments).online_endpoints.invoke(
        endpoint_name=arguments.name, request_file=arguments.request_file, deployment_name=arguments.deployment_name
    )
    return answer


def online_endpoint_get_credentials(arguments: Namespace) -> dict[str, Any]:
    """Prints keys or a token, in the API's camelCase as az does."""
    found = session.client(arguments).online_endpoints.get_keys(name=arguments.name)
    return {_CREDENTIALS[key]: value for key, value in vars(found).items() if key in _CREDENTIALS and value is not None}


def _send(client: Any, endpoint: Any, arguments: Namespace) -> Any:
    poller = client.begin_create_or_update(endpoint)
    if arguments.no_wait and not arguments.only_show_errors:
        print(
            "Endpoint create request initiated. Status can be checked using "
            f"`az ml online-endpoint show -n {endpoint.name}`",
            file=sys.stderr,
        )
    return entities.printed(session.wait(poller, arguments))


def online_deployment_create(arguments: Namespace) -> Any:
    """Creates a deployment; refuses when there is one of this name already.

    While this and an update wait, the SDK prints a dot a poll on stdout, as the official CLI.
    """
    changes = session.overrides(arguments, "name", "endpoint_name")
    deployment = session.load(arguments, changes)
    client = session.client(arguments)
    if _deployment(client, deployment.name, deployment.endpoint_name) is not None:
        raise _there_already("A", "deployment")
    return entities.printed(session.wait(client.begin_create_or_update(deployment), arguments))


def online_deployment_update(arguments: Namespace) -> Any:
    """Changes a deployment: a YAML file, or what the service has, with --set over it."""
    client = session.client(arguments)
    changes = session.overrides(arguments, "name", "endpoint_name")
    if not arguments.file:
        if not arguments.name or not arguments.endpoint_name:
            raise UserError("Please provide either --file/-f, or --name/-n and --endpoint-name/-e.", FAILED)
        changes = entities.read_again(_held(client, arguments.name, arguments.endpoint_name)) + changes
    deployment = session.load(arguments, changes)
    if arguments.file:
        _held(client, deployment.name, deployment.endpoint_name)
    return entities.printed(session.wait(client.begin_create_or_update(deployment), arguments))


def online_deployment_show(arguments: Namespace) -> Any:
    """Prints a deployment. That there is none is exit 1, not 3, as in the official CLI."""
    return entities.printed(_held(session.client(arguments), arguments.name, arguments.endpoint_name))


def online_deployment_list(arguments: Namespace) -> Any:
    """Prints the deployments of an endpoint."""
    return entities.first(session.client(arguments).online_deployments.list(arguments.endpoint_name))


def online_deployment_delete(arguments: Namespace) -> None:
    """Deletes a deployment."""
    session.confirm(arguments)
    deployments = session.client(arguments).online_deployments
    session.wait(deployments.begin_delete(arguments.name, arguments.endpoint_name), arguments)


def online_deployment_get_logs(arguments: Namespace) -> None:
    """Prints the last lines of a deployment's container log, as text whatever -o says."""
    text = session.client(arguments).online_deployments.get_logs(
        arguments.name, arguments.endpoint_name, arguments.lines, container_type=arguments.container
    )
    print(text.replace("\\n", "\n"))


def _deployment(client: Any, name: str, endpoint_name: str) -> Any:
    """The deployment, or None when there is none (or no such endpoint)."""
    return answers.or_none(client.online_deployments.get, name=name, endpoint_name=endpoint_name)


def _held(client: Any, name: str, endpoint_name: str) -> Any:
    """The deployment; refuses with exit 1 when there is none."""
    found = _deployment(client, name, endpoint_name)
    if found is None:
        raise UserError(f"Deployment does not exist: '{name}' of endpoint '{endpoint_name}'.", FAILED)
    return found


def _there_already(article: str, thing: str) -> UserError:
    return UserError(
        f"(UserError) {article} {thing} with this name already exists. If you are trying to create a new {thing}, use "
        f"a different name. If you are trying to update an existing {thing}, use `az ml online-{thing} update` "
        "instead.",
        FAILED,
    )
