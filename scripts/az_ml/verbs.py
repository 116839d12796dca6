"""The verbs, a function each: `az ml compute list-sizes` is `compute_list_sizes`.

Each takes the parsed arguments and returns plain data to print, or None for nothing.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

from scripts.az_ml import entities, session
from scripts.azure import answers
from scripts.azure.client import ARM
from scripts.errors import FAILED, UserError

_MANAGEMENT = "https://management.azure.com"
_PACKAGES = ("azure-ai-ml", "azure-core", "azure-identity")
_SCALE = ("min_instances", "max_instances", "idle_time_before_scale_down")
_CREDENTIALS = {
    "primary_key": "primaryKey",
    "secondary_key": "secondaryKey",
    "access_token": "accessToken",
    "expiry_time_utc": "expiryTimeUtc",
    "refresh_after_time_utc": "refreshAfterTimeUtc",
    "token_type": "tokenType",
}


def version(arguments: Namespace) -> dict[str, str]:
    """Prints the versions of the packages that do the work."""
    return {name: metadata.version(name) for name in _PACKAGES}


def account_show(arguments: Namespace) -> dict[str, Any]:
    """Prints the subscription in use; it is asked for, so success also says that the login works."""
    from azure.core import PipelineClient
    from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy
    from azure.core.rest import HttpRequest

    from scripts.azure.login import Login

    policies = [RetryPolicy(), BearerTokenCredentialPolicy(Login(), ARM)]
    client: Any = PipelineClient(_MANAGEMENT, policies=policies)
    with client:
        answer = client.send_request(HttpRequest("GET", f"{_MANAGEMENT}/subscriptions?api-version=2022-12-01"))
        answer.raise_for_status()
        known = answer.json()["value"]
    wanted = arguments.name or arguments.subscription
    found = [one for one in known if wanted in (None, one["subscriptionId"], one.get("displayName"))]
    if not found:
        raise UserError(f"Subscription '{wanted}' not found. Check the spelling and casing and try again.", FAILED)
    return {
        "environmentName": "AzureCloud",
        "id": found[0]["subscriptionId"],
        "isDefault": True,
        "name": found[0].get("displayName"),
        "state": found[0].get("state"),
        "tenantId": found[0].get("tenantId"),
    }


def workspace_show(arguments: Namespace) -> Any:
    """Prints the workspace."""
    return entities.printed(session.client(arguments).workspaces.get(arguments.name))


def workspace_list(arguments: Namespace) -> Any:
    """Prints the workspaces of the resource group, or of the subscription."""
    scope = "resource_group" if arguments.resource_group else "subscription"
    return entities.first(session.client(arguments).workspaces.list(scope=scope))


def compute_create(arguments: Namespace) -> Any:
    """Creates or changes a compute target: the service takes the same request for both."""
    client = session.client(arguments)
    changes = session.overrides(arguments, "name", "size", *_SCALE, "description", "tier", "location")
    if arguments.type:
        changes.append({"type": arguments.type.lower()})
    compute = session.load(arguments, changes)
    return entities.printed(session.wait(client.compute.begin_create_or_update(compute), arguments))


def compute_update(arguments: Namespace) -> Any:
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


def compute_show(arguments: Namespace) -> Any:
    """Prints a compute target."""
    return entities.printed(session.client(arguments).compute.get(name=arguments.name))


def compute_list(arguments: Namespace) -> Any:
    """Prints the compute targets of the workspace."""
    return entities.first(session.client(arguments).compute.list(compute_type=arguments.type), arguments.max_results)


def compute_list_sizes(arguments: Namespace) -> Any:
    """Prints the VM sizes of the region; the SDK keeps name, family and gpus only."""
    sizes = session.client(arguments).compute.list_sizes(location=arguments.location, compute_type=arguments.type)
    return entities.first(sizes)


def compute_list_usage(arguments: Namespace) -> Any:
    """Prints the quota of the region, by family of sizes."""
    return entities.first(session.client(arguments).compute.list_usage(location=arguments.location))


def compute_delete(arguments: Namespace) -> None:
    """Deletes a compute target."""
    session.confirm(arguments)
    session.wait(session.client(arguments).compute.begin_delete(name=arguments.name), arguments)


def data_create(arguments: Namespace) -> Any:
    """Registers a data asset from a YAML file, from flags, or from both; local files are uploaded first."""
    client = session.client(arguments)
    changes = session.overrides(arguments, "name", "description", "version", "type", "path")
    return entities.printed(client.data.create_or_update(session.load(arguments, changes)))


def data_show(arguments: Namespace) -> Any:
    """Prints one version of a data asset."""
    return _version(session.client(arguments).data, arguments)


def data_list(arguments: Namespace) -> Any:
    """Prints the data assets, or the versions of one."""
    return entities.first(session.client(arguments).data.list(name=arguments.name), arguments.max_results)


def model_create(arguments: Namespace) -> Any:
    """Registers a model from a YAML file, or from --name and --path alone."""
    if not arguments.file and not (arguments.path and arguments.name):
        raise UserError("Please provide either --file/-f  or --name/-n and --path/-p.", FAILED)
    client = session.client(arguments)
    changes = session.overrides(arguments, "name", "version", "path", "type", "description", "tags")
    return entities.printed(client.models.create_or_update(session.load(arguments, changes)))


def model_show(arguments: Namespace) -> Any:
    """Prints one version of a model."""
    return _version(session.client(arguments).models, arguments)


def model_list(arguments: Namespace) -> Any:
    """Prints the models, or the versions of one."""
    return entities.first(session.client(arguments).models.list(name=arguments.name), arguments.max_results)


def _version(assets: Any, arguments: Namespace) -> Any:
    return entities.printed(assets.get(name=arguments.name, version=arguments.version, label=arguments.label))


def job_create(arguments: Namespace) -> Any:
    """Submits a job."""
    client = session.client(arguments)
    job = session.load(arguments, session.overrides(arguments, "name"))
    return entities.printed_job(client.jobs.create_or_update(entities.without_system_tags(job)))


def job_show(arguments: Namespace) -> Any:
    """Prints a job."""
    return entities.printed_job(session.client(arguments).jobs.get(arguments.name))


def job_stream(arguments: Namespace) -> None:
    """Follows the log until the job ends. A failed job is exit 1; a cancelled one is exit 0, as in the official CLI."""
    session.client(arguments).jobs.stream(name=arguments.name)


def job_cancel(arguments: Namespace) -> None:
    """Cancels a job and waits until the service has taken it."""
    session.wait(session.client(arguments).jobs.begin_cancel(arguments.name), arguments)


def job_list(arguments: Namespace) -> Any:
    """Prints jobs in the service's order, 50 of them unless more are asked for."""
    client = session.client(arguments)
    most = None if arguments.all_results else arguments.max_results
    if most is not None:
        print(f"Displaying top {most} results from the list command.", file=sys.stderr)
    limit = {"max_results": most} if most else {}
    found = client.jobs.list(parent_job_name=arguments.parent_job_name, **limit)
    return [entities.printed_job(job) for job in islice(found, most or None)]


def job_download(arguments: Namespace) -> None:
    """Downloads artifacts, one named output, or with --all everything, of a job that has ended."""
    session.client(arguments).jobs.download(
        name=arguments.name,
        download_path=arguments.download_path or Path.cwd(),
        output_name=arguments.output_name,
        all=arguments.all,
    )


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
        held = entities.printed(_held(client, arguments.name, arguments.endpoint_name))
        changes = [{key: value} for key, value in held.items()] + changes
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
