"""az ml online-endpoint."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from scripts.az_ml import entities, session
from scripts.azure import answers
from scripts.errors import FAILED, UserError

_EXISTS = (
    "(UserError) An endpoint with this name already exists. If you are trying to create a new endpoint, use a "
    "different name. If you are trying to update an existing endpoint, use `az ml online-endpoint update` instead."
)
_CREDENTIALS = {
    "primary_key": "primaryKey",
    "secondary_key": "secondaryKey",
    "access_token": "accessToken",
    "expiry_time_utc": "expiryTimeUtc",
    "refresh_after_time_utc": "refreshAfterTimeUtc",
    "token_type": "tokenType",
}


def create(arguments: Namespace) -> Any:
    """Creates an endpoint; refuses when there is one of this name already."""
    client = session.client(arguments)
    changes = session.overrides(arguments)
    changes += [{flag: value.lower()} for flag in ("name", "auth_mode") if (value := getattr(arguments, flag))]
    endpoint = session.load(arguments, changes)
    if answers.or_none(client.online_endpoints.get, name=endpoint.name) is not None:
        raise UserError(_EXISTS, FAILED)
    return _send(client, endpoint, arguments)


def update(arguments: Namespace) -> Any:
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
        changes = [{key: value} for key, value in entities.printed(held).items()] + changes
    endpoint = session.load(arguments, changes)
    if arguments.traffic:
        endpoint.traffic = shares(arguments.traffic)
    return _send(client, endpoint, arguments)


def shares(text: str) -> dict[str, str]:
    """Reads `blue=90 green=10`. The sum is for the service to check, as under the official CLI."""
    found: dict[str, str] = {}
    for pair in text.split():
        name, separator, percent = pair.partition("=")
        if not separator or not percent.isnumeric():
            raise UserError(
                f"--traffic '{text}': '{pair}' is not DEPLOYMENT=PERCENT; write pairs with whole percentages and "
                "spaces between them, such as 'blue=90 green=10' (no commas, no colons)",
                FAILED,
            )
        found[name] = percent
    return found


def show(arguments: Namespace) -> Any:
    """Prints an endpoint; every deployment is in its traffic, with 0 where it has none."""
    return entities.printed(session.client(arguments).online_endpoints.get(name=arguments.name))


def list_(arguments: Namespace) -> Any:
    """Prints the endpoints of the workspace."""
    return entities.first(session.client(arguments).online_endpoints.list())


def delete(arguments: Namespace) -> None:
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


def invoke(arguments: Namespace) -> str:
    """Sends the request file and returns the body of the answer as text: a JSON string under -o json, raw under tsv."""
    if not arguments.request_file:
        raise UserError("no request file is given: add --request-file/-r FILE, a file with the JSON to send", FAILED)
    if not Path(arguments.request_file).is_file():
        raise UserError(f"--request-file/-r: No such file or directory: '{arguments.request_file}'", FAILED)
    answer: str = session.client(arguments).online_endpoints.invoke(
        endpoint_name=arguments.name, request_file=arguments.request_file, deployment_name=arguments.deployment_name
    )
    return answer


def get_credentials(arguments: Namespace) -> dict[str, Any]:
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
