"""az account show and az version: who is logged in, and what runs here."""

from __future__ import annotations

from argparse import Namespace
from importlib import metadata
from typing import Any

from scripts.azure.client import ARM
from scripts.errors import FAILED, UserError

_MANAGEMENT = "https://management.azure.com"
_PACKAGES = ("azure-ai-ml", "azure-core", "azure-identity")


def version(arguments: Namespace) -> dict[str, str]:
    """Prints the versions of the packages that do the work."""
    return {name: metadata.version(name) for name in _PACKAGES}


def show(arguments: Namespace) -> dict[str, Any]:
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
