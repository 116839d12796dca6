"""az ml online-endpoint."""

from __future__ import annotations

import sys
from typing import Any

from scripts.az_ml import entities, generic_update, studio
from scripts.az_ml.session import Session
from scripts.errors import FAILED, UserError

_EXISTS = (
    "(UserError) An endpoint with this name already exists. If you are trying to create a new endpoint, use a "
    "different name. If you are trying to update an existing endpoint, use `az ml online-endpoint update` instead."
)


def create(session: Session, arguments: Any) -> Any:
    """Creates an endpoint; refuses when there is one of this name already."""
    from azure.ai.ml import load_online_endpoint

    entities.exclusive(arguments)
    client = session.client()
    changes = entities.overrides(arguments)
    if arguments.name:
        changes.append({"name": arguments.name.lower()})
    if arguments.auth_mode:
        changes.append({"auth_mode": arguments.auth_mode.lower()})
    endpoint = load_online_endpoint(source=arguments.file, params_override=changes)
    if _get(client, endpoint.name, arguments.local) is not None:
        raise UserError(_EXISTS, FAILED)
    return _send(client, endpoint, arguments)


def update(session: Session, arguments: Any) -> Any:
    """Changes an endpoint: a YAML file or --set on what the service has; --traffic replaces the whole map."""
    from azure.ai.ml import load_online_endpoint

    entities.exclusive(arguments)
    client = session.client()
    name = arguments.name
    if not name and not arguments.file:
        raise UserError("Please provide either --name/-n or --file/-f.", FAILED)
    endpoint = load_online_endpoint(source=arguments.file) if arguments.file else None
    name = (name or endpoint.name).lower()
    held = _get(client, name, arguments.local)
    if held is None:
        raise UserError(f"Endpoint does not exist: '{name}'; create it with `az ml online-endpoint create`", FAILED)
    endpoint = generic_update.apply(endpoint or held, arguments.changes, arguments.force_string)
    endpoint.name = name
    if arguments.traffic:
        endpoint.traffic = shares(arguments.traffic, "--traffic")
    if arguments.mirror_traffic:
        endpoint.mirror_traffic = shares(arguments.mirror_traffic, "--mirror-traffic")
    return _send(client, endpoint, arguments)


def shares(text: str, option: str) -> dict[str, str]:
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


def show(session: Session, arguments: Any) -> Any:
    """Prints an endpoint; every deployment is in its traffic, with 0 where it has none."""
    endpoint = session.client().online_endpoints.get(name=arguments.name, local=arguments.local)
    if arguments.web:
        studio.open_endpoint(endpoint)
    return entities.printed(endpoint)


def list_(session: Session, arguments: Any) -> Any:
    """Prints the endpoints of the workspace."""
    found = session.client().online_endpoints.list(local=arguments.local)
    return [entities.printed(each) for each in found]


def delete(session: Session, arguments: Any) -> None:
    """Deletes an endpoint with all its deployments. Prints polling dots while it waits."""
    entities.exclusive(arguments)
    entities.confirm(arguments)
    client = session.client()
    name = arguments.name
    if _get(client, name, arguments.local) is None:
        raise UserError(f"Online endpoint {name} does not exist.", FAILED)
    if not arguments.no_wait and not arguments.only_show_errors:
        print(
            "Delete request initiated. If you interrupt this command or it times out while waiting for deletion to "
            f"complete, status can be checked using `az ml online-endpoint show -n {name}`",
            file=sys.stderr,
        )
    entities.wait(client.online_endpoints.begin_delete(name=name, local=arguments.local), arguments.no_wait)


def invoke(session: Session, arguments: Any) -> str:
    """Sends the request file and returns the body of the answer as text: a JSON string under -o json, raw under tsv."""
    from pathlib import Path

    client = session.client()
    if not arguments.request_file:
        raise UserError("no request file is given: add --request-file/-r FILE, a file with the JSON to send", FAILED)
    if not Path(arguments.request_file).is_file():
        raise UserError(f"--request-file/-r: No such file or directory: '{arguments.request_file}'", FAILED)
    return client.online_endpoints.invoke(
        endpoint_name=arguments.name,
        request_file=arguments.request_file,
        deployment_name=arguments.deployment_name,
        local=arguments.local,
    )


def get_credentials(session: Session, arguments: Any) -> dict[str, Any]:
    """Prints keys or a token, in the API's camelCase as az does."""
    found = session.client().online_endpoints.get_keys(name=arguments.name)
    return {_CREDENTIALS[key]: value for key, value in vars(found).items() if key in _CREDENTIALS and value is not None}


def regenerate_keys(session: Session, arguments: Any) -> None:
    """Replaces the primary or the secondary key."""
    poller = session.client().online_endpoints.begin_regenerate_keys(name=arguments.name, key_type=arguments.key_type)
    entities.wait(poller, arguments.no_wait)


_CREDENTIALS = {
    "primary_key": "primaryKey",
    "secondary_key": "secondaryKey",
    "access_token": "accessToken",
    "expiry_time_utc": "expiryTimeUtc",
    "refresh_after_time_utc": "refreshAfterTimeUtc",
    "token_type": "tokenType",
}


def _get(client: Any, name: str, local: bool) -> Any:
    """The endpoint, or None when there is none."""
    from azure.ai.ml.exceptions import LocalEndpointNotFoundError
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return client.online_endpoints.get(name=name, local=local)
    except (ResourceNotFoundError, LocalEndpointNotFoundError):
        return None


def _send(client: Any, endpoint: Any, arguments: Any) -> Any:
    poller = client.begin_create_or_update(endpoint, local=arguments.local)
    if arguments.no_wait and not arguments.only_show_errors:
        print(
            "Endpoint create request initiated. Status can be checked using "
            f"`az ml online-endpoint show -n {endpoint.name}`",
            file=sys.stderr,
        )
    done = entities.wait(poller, arguments.no_wait)
    if done is None:
        return None
    if arguments.web:
        studio.open_endpoint(done)
    return entities.printed(done)
