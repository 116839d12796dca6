"""Workspaces: those that were registered with the emulator, their resource groups, regions and storage accounts."""

from __future__ import annotations

import dataclasses
import hashlib
import uuid
from typing import Any

from scripts.azure import name_rules
from scripts.azure.regions import REGIONS
from scripts.errors import suggest
from scripts.local.core.arm import page
from scripts.local.core.lookup import SCOPE, workspaces
from scripts.local.core.state import PROVIDER, State, Workspace
from scripts.local.core.web import GROUP, SUBSCRIPTION, WORKSPACE, AzureError, Call, Routes, bad_request, not_found
from scripts.local.resources.forms import form
from scripts.local.storage.shared_key import account_key

arm = Routes()
data = Routes()
control = Routes()


def register(state: State, subscription: str, group: str, name: str, region: str) -> Workspace:
    """Makes a workspace known (again), so that it is served; raises AzureError for names that Azure would not take."""
    if name_rules.fault("subscription", subscription):
        raise bad_request(f"azure.subscription_id is {subscription!r}; allowed is a GUID.")
    if name_rules.fault("resource group", group):
        raise bad_request(
            f"azure.resource_group is {group!r}; allowed are {name_rules.rule('resource group').allowed}."
        )
    if name_rules.fault("workspace", name):
        raise bad_request(f"azure.workspace is {name!r}; allowed are {name_rules.rule('workspace').allowed}.")
    region = region.lower().replace(" ", "")
    if region not in REGIONS:
        raise bad_request(
            f"azure.region is {region!r}{suggest(region, REGIONS)}; allowed is a region of Azure, such as eastus."
        )
    scope = f"{subscription}/{group}/{name}".lower()
    stored = state.store.get(SCOPE, "workspaces", scope)
    if stored is None:
        body = {
            "subscription": subscription.lower(),
            "group": group,
            "name": name,
            "region": region,
            "account": "st" + hashlib.sha256(scope.encode()).hexdigest()[:20],
            "identifier": str(uuid.uuid4()),
        }
        stored = state.store.put(SCOPE, "workspaces", scope, body)
    workspace = Workspace(**stored.body)
    if workspace.region != region:
        message = f"Workspace {name} lies in {workspace.region} here, and a workspace cannot move to {region}."
        raise AzureError(409, "Conflict", message + " Give it another name, or delete the home of the local Azure ML.")
    return workspace


def subscriptions(state: State) -> list[str]:
    """Returns the ids of the subscriptions that have a workspace here."""
    return list(dict.fromkeys(workspace.subscription for workspace in workspaces(state)))


@control("POST", "/control/workspaces")
async def register_route(call: Call) -> Any:
    """Registers a workspace; `python -m scripts.local run` does so for the one that the values name."""
    body = form("registered_workspace").read(call.json(), "The workspace")
    words = [body[key] for key in ("subscription_id", "resource_group", "workspace", "region")]
    workspace = register(call.state, *words)
    call.state.start(call.parts.tracking.open(workspace))
    return dataclasses.asdict(workspace)


def _resource(call: Call, workspace: Workspace) -> dict[str, Any]:
    host = f"{workspace.region}.api.azureml.ms"
    group = f"/subscriptions/{workspace.subscription}/resourceGroups/{workspace.group}/providers"
    document = call.state.store.get(SCOPE, "workspaces", workspace.scope)
    assert document is not None
    principal, tenant = call.state.credentials.object_id, call.state.credentials.tenant_id
    properties = {
        "friendlyName": workspace.name,
        "description": "Azure ML on localhost",
        "storageAccount": workspace.account_path,
        "keyVault": f"{group}/Microsoft.KeyVault/vaults/kv{workspace.account[2:20]}",
        "applicationInsights": f"{group}/Microsoft.Insights/components/{workspace.name}",
        "containerRegistry": f"{group}/Microsoft.ContainerRegistry/registries/cr{workspace.account[2:20]}",
        "tenantId": tenant,
        "creationTime": document.system_data()["createdAt"],
        "workspaceId": workspace.identifier,
        "notebookInfo": {
            "resourceId": workspace.identifier.replace("-", ""),
            "fqdn": f"ml-{workspace.name}-{workspace.identifier}.{workspace.region}.notebooks.azure.net",
            "isPrivateLinkEnabled": False,
        },
        "discoveryUrl": f"https://{host}/discovery",
        "mlFlowTrackingUri": f"azureml://{host}/mlflow/v1.0{workspace.path}",
        "systemDatastoresAuthMode": call.state.settings.datastore_auth,
    }
    shown = {
        "id": workspace.path,
        "name": workspace.name,
        "type": "Microsoft.MachineLearningServices/workspaces",
        "location": workspace.region,
        "properties": properties,
        "identity": {"type": "SystemAssigned", "principalId": principal, "tenantId": tenant},
        "systemData": document.system_data(),
    }
    return form("workspace").complete(shown)


@arm("GET", WORKSPACE)
async def get(call: Call) -> Any:
    """Returns a workspace."""
    return _resource(call, call.ws)


def _within(call: Call) -> list[Workspace]:
    """Returns the workspaces of the subscription, and of the resource group where there is one in the path."""
    subscription, group = call.words["subscription"].lower(), call.words.get("group", "").lower()
    found = [each for each in workspaces(call.state) if each.subscription == subscription]
    return [each for each in found if group in ("", each.group.lower())]


@arm("GET", GROUP + PROVIDER + "/workspaces")
@arm("GET", SUBSCRIPTION + PROVIDER + "/workspaces")
async def list_workspaces(call: Call) -> Any:
    """Lists the workspaces of a resource group, or of a subscription."""
    return page(call, [_resource(call, workspace) for workspace in _within(call)])


@arm("GET", GROUP)
async def group(call: Call) -> Any:
    """Returns a resource group: one exists where a workspace of it does."""
    first = next(iter(_within(call)), None)
    if first is None:
        raise not_found(f"Resource group '{call.words['group']}' could not be found.", "ResourceGroupNotFound")
    identifier = f"/subscriptions/{first.subscription}/resourceGroups/{first.group}"
    properties = {"provisioningState": "Succeeded"}
    return {"id": identifier, "name": first.group, "location": first.region, "tags": {}, "properties": properties}


@arm("GET", SUBSCRIPTION + "/locations")
async def locations(call: Call) -> Any:
    """Lists the regions."""
    base = f"/subscriptions/{call.words['subscription']}/locations/"
    return {"value": [{"id": base + region, "name": region, "displayName": region} for region in REGIONS]}


@data("GET", "/discovery")
async def discovery(call: Call) -> Any:
    """Says where the services of the region are: all on this host, but the studio, which is not here."""
    services = ("catalog", "experimentation", "gallery", "history", "hyperdrive", "labeling", "modelmanagement")
    here = f"https://{call.host}"
    return {"api": here, **dict.fromkeys((*services, "pipelines"), here), "studio": "https://ml.azure.com"}


AS_IT_IS = "the local Azure ML has the workspace that the values name, as it is"
# What is asked of a workspace as a POST, and what for.
ACTS = {
    "diagnose": "a diagnosis of its network and resources",
    "resyncKeys": "a fresh copy of its keys",
    "listNotebookKeys": "keys of notebooks",
    "listNotebookAccessToken": "a token for notebooks",
    "prepareNotebook": "notebooks",
    "listStorageAccountKeys": "keys for notebooks",
}


@arm("PUT PATCH DELETE", WORKSPACE)
async def change(call: Call) -> Any:
    """Refuses what would change a workspace."""
    verb = {"PUT": "replaced", "PATCH": "changed", "DELETE": "deleted"}[call.request.method]
    message = f"Workspace {call.ws.name} cannot be {verb} here: {AS_IT_IS}."
    raise bad_request(f"{message} Name another one in the values, or delete {call.state.home.root}.", "NotEmulated")


@arm("POST", WORKSPACE + "/listKeys")
async def list_keys(call: Call) -> Any:
    """Returns the key of the storage account, in the published contract's shape (not recorded); there are no others."""
    keys = ("appInsightsInstrumentationKey", "containerRegistryCredentials", "notebookAccessKeys")
    storage = {"userStorageKey": account_key(call.state), "userStorageResourceId": call.ws.account_path}
    return {**storage, **dict.fromkeys(keys)}


async def act(call: Call) -> Any:
    """Refuses what a workspace is asked for that the local Azure ML does not have."""
    verb = call.request.url.path.rstrip("/").rpartition("/")[2]
    what = next(what for known, what in ACTS.items() if known.lower() == verb.lower())
    raise bad_request(f"{verb} asks for {what}: {AS_IT_IS}, and has none. Leave it out.", "NotEmulated")


for each in ACTS:
    arm("POST", f"{WORKSPACE}/{each}")(act)
