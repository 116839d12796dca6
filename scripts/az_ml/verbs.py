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
from scripts.azure import sdk_private
from scripts.azure.client import ARM
from scripts.errors import FAILED, UserError

_MANAGEMENT = "https://management.azure.com"
_PACKAGES = ("azure-ai-ml", "azure-core", "azure-identity")
_SCALE = ("min_instances", "max_instances", "idle_time_before_scale_down")


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
    return entities.printed_compute(session.wait(client.compute.begin_create_or_update(compute), arguments))


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
    return entities.printed_compute(session.wait(client.compute.begin_update(compute), arguments))


def compute_show(arguments: Namespace) -> Any:
    """Prints a compute target."""
    return entities.printed_compute(session.client(arguments).compute.get(name=arguments.name))


def compute_list(arguments: Namespace) -> Any:
    """Prints the compute targets of the workspace."""
    found = session.client(arguments).compute.list(compute_type=arguments.type)
    return [entities.printed_compute(each) for each in islice(found, arguments.max_results or None)]


def compute_list_sizes(arguments: Namespace) -> Any:
    """Prints the VM sizes of the region."""
    sizes = session.client(arguments).compute.list_sizes(location=arguments.location, compute_type=arguments.type)
    return [entities.printed_size(size) for size in sizes]


def compute_list_usage(arguments: Namespace) -> Any:
    """Prints the quota of the region, by family of sizes."""
    usage = session.client(arguments).compute.list_usage(location=arguments.location)
    return [entities.printed_usage(each) for each in usage]


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
    client = session.client(arguments)
    sdk_private.poll_as_told()
    try:
        client.jobs.stream(name=arguments.name)
    except Exception as error:  # what the SDK makes of Ctrl-C: three lines of its own, with a link
        interrupt = error.__cause__ or error.__context__
        if not isinstance(interrupt, KeyboardInterrupt):
            raise
        raise interrupt from None


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
