"""What a subscription says of itself beside Azure ML: resource providers, machine sizes, the storage accounts.

Shapes of ARM, as published in its REST reference; preflight asks most of it. None was recorded.
"""

from __future__ import annotations

import re
from typing import Any

from scripts.azure.machine_sizes import AVAILABLE, catalog
from scripts.azure.subscription import needed_providers
from scripts.local.core import faults, lookup
from scripts.local.core.state import PROVIDER, State, Workspace
from scripts.local.core.web import GROUP, SUBSCRIPTION, AzureError, Call, Layer, Routes, bad_request
from scripts.local.storage.shared_key import account_key

arm = Routes()
# Without these no managed online endpoint can be made: catalog/providers.json, with its sources.
FOR_ENDPOINTS = tuple(each.namespace for each in needed_providers() if each.needed == "managed online endpoints")
NAMESPACES = (
    *FOR_ENDPOINTS,
    "Microsoft.Authorization",
    "Microsoft.Compute",
    "Microsoft.ContainerRegistry",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.MachineLearningServices",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.Resources",
    "Microsoft.Storage",
)
RESOURCES = (
    "workspaces",
    "workspaces/computes",
    "workspaces/datastores",
    "workspaces/data/versions",
    "workspaces/models/versions",
    "workspaces/codes/versions",
    "workspaces/environments/versions",
    "workspaces/components/versions",
    "workspaces/jobs",
    "workspaces/onlineEndpoints",
    "workspaces/onlineEndpoints/deployments",
)
NOT_AVAILABLE = "NotAvailableForSubscription"


@arm("GET", PROVIDER + "/operations")
async def operations(call: Call) -> Any:
    """Lists what a role can be allowed to do with Azure ML, of what is emulated here."""

    def operation(resource: str, verb: str) -> dict[str, Any]:
        provider = {"provider": "Microsoft Machine Learning Services", "resource": resource}
        words = f"{verb.capitalize()}s {resource} in Machine Learning Services Workspace(s)"
        display = {**provider, "operation": f"{verb} {resource}", "description": words}
        name = f"Microsoft.MachineLearningServices/{resource}/{verb}"
        return {"name": name, "isDataAction": False, "display": display}

    return {"value": [operation(each, verb) for each in RESOURCES for verb in ("read", "write", "delete")]}


def _provider(call: Call, namespace: str) -> dict[str, Any]:
    missing = namespace in FOR_ENDPOINTS and faults.is_set(call.state, "provider-not-registered")
    return {
        "id": f"/subscriptions/{call.words['subscription']}/providers/{namespace}",
        "namespace": namespace,
        "resourceTypes": [],
        "registrationState": "NotRegistered" if missing else "Registered",
        "registrationPolicy": "RegistrationRequired",
    }


@arm("GET", SUBSCRIPTION + "/providers")
async def providers(call: Call) -> Any:
    """Lists the resource providers that Azure ML needs, and whether they are registered."""
    return {"value": [_provider(call, namespace) for namespace in NAMESPACES]}


@arm("GET", SUBSCRIPTION + "/providers/{namespace}")
async def provider(call: Call) -> Any:
    """Says whether a resource provider is registered; with the fault provider-not-registered two are not."""
    asked = call.words["namespace"]
    for namespace in NAMESPACES:
        if namespace.lower() == asked.lower():
            return _provider(call, namespace)
    message = f"The resource namespace '{asked}' is invalid."
    raise AzureError(404, "InvalidResourceNamespace", message, layer=Layer.GATEWAY)


@arm("GET", SUBSCRIPTION + "/providers/Microsoft.Compute/skus")
async def skus(call: Call) -> Any:
    """Lists the machine sizes of a region; with the fault size-not-available those with a GPU are restricted."""
    given = call.query.get("$filter", "")
    match = re.fullmatch(r"location eq '([^']+)'", given.strip(), re.IGNORECASE)
    if match is None:
        message = f"The query parameter $filter is {given!r}; allowed is one region, such as location eq 'eastus'."
        raise bad_request(message, "InvalidParameter")
    region, missing = match[1].lower(), faults.is_set(call.state, "size-not-available")
    where = {"locations": [region], "zones": []}
    blocked = {"type": "Location", "values": [region], "restrictionInfo": where, "reasonCode": NOT_AVAILABLE}
    return {
        "value": [
            {
                "resourceType": "virtualMachines",
                "name": size.name,
                "tier": "Standard",
                "size": size.name.partition("_")[2],
                "family": size.family,
                "locations": [region],
                "capabilities": [
                    {"name": name, "value": str(value)}
                    for name, value in (
                        ("vCPUs", size.vcpus),
                        ("MemoryGB", size.memory_gb),
                        ("GPUs", size.gpus_per_node),
                    )
                    if value
                ],
                "restrictions": [blocked] if missing and size.gpus_per_node else [],
            }
            for size in catalog().values()
            if size.status == AVAILABLE
        ]
    }


def _workspace_of(state: State, words: dict[str, str]) -> Workspace:
    found = lookup.workspace_of_account(state, words["account"].lower())
    place = (words["subscription"].lower(), words["group"].lower())
    if found is None or (found.subscription, found.group.lower()) != place:
        message = f"The Resource 'Microsoft.Storage/storageAccounts/{words['account']}' under resource group "
        message += f"'{words['group']}' was not found. For more details please go to "
        message += "https://aka.ms/ARMResourceNotFoundFix"
        raise AzureError(404, "ResourceNotFound", message, layer=Layer.GATEWAY)
    return found


@arm("GET", GROUP + "/providers/Microsoft.Storage/storageAccounts/{account}")
async def storage_account(call: Call) -> Any:
    """Says how a workspace's storage account can be reached; with the fault storage-forbidden not by its keys."""
    workspace = _workspace_of(call.state, call.words)
    return {
        "id": workspace.account_path,
        "name": workspace.account,
        "type": "Microsoft.Storage/storageAccounts",
        "location": workspace.region,
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS", "tier": "Standard"},
        "tags": {},
        "properties": {
            "allowSharedKeyAccess": not faults.is_set(call.state, "storage-forbidden"),
            "allowBlobPublicAccess": False,
            "publicNetworkAccess": "Enabled",
            "networkAcls": {
                "bypass": "AzureServices",
                "defaultAction": "Allow",
                "ipRules": [],
                "virtualNetworkRules": [],
            },
            "privateEndpointConnections": [],
            "minimumTlsVersion": "TLS1_2",
            "provisioningState": "Succeeded",
            "primaryLocation": workspace.region,
            "primaryEndpoints": {"blob": f"https://{workspace.account}.blob.core.windows.net/"},
        },
    }


@arm("POST", GROUP + "/providers/Microsoft.Storage/storageAccounts/{account}/listKeys")
async def storage_keys(call: Call) -> Any:
    """Returns the keys of a workspace's storage account."""
    key = account_key(call.state, _workspace_of(call.state, call.words).account)
    return {"keys": [{"keyName": "key1", "value": key, "permissions": "FULL"}]}
