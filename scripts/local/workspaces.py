"""Workspaces: those that were registered with the emulator, their resource groups, regions and storage accounts."""

from __future__ import annotations

import dataclasses
import hashlib
import uuid
from typing import TYPE_CHECKING, Any

from scripts.azure import name_rules
from scripts.azure.regions import REGIONS
from scripts.errors import suggest
from scripts.local.web import (
    GROUP,
    PROVIDER,
    SUBSCRIPTION,
    WORKSPACE,
    AzureError,
    Call,
    Routes,
    bad_request,
    not_found,
    page,
)

if TYPE_CHECKING:
    from scripts.local.emulator import Emulator

arm = Routes()
data = Routes()
control = Routes()
SCOPE = "workspaces"


@dataclasses.dataclass(frozen=True)
class Workspace:
    """A registered workspace. `scope` is its key in the store, `path` its ARM id."""

    subscription: str
    group: str
    name: str
    region: str
    account: str
    identifier: str

    @property
    def path(self) -> str:
        """The ARM id."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}{PROVIDER}/workspaces/{self.name}"

    @property
    def scope(self) -> str:
        """The key under which the store keeps this workspace's resources."""
        return f"{self.subscription}/{self.group}/{self.name}".lower()

    @property
    def container(self) -> str:
        """The blob container of the default datastore."""
        return f"azureml-blobstore-{self.identifier}"


def register(emulator: Emulator, subscription: str, group: str, name: str, region: str) -> Workspace:
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
    stored = emulator.store.get(SCOPE, "workspaces", scope)
    if stored is None:
        body = {
            "subscription": subscription.lower(),
            "group": group,
            "name": name,
            "region": region,
            "account": "st" + hashlib.sha256(scope.encode()).hexdigest()[:20],
            "identifier": str(uuid.uuid4()),
        }
        stored = emulator.store.put(SCOPE, "workspaces", scope, body)
    workspace = Workspace(**stored.body)
    if workspace.region != region:
        message = f"Workspace {name} lies in {workspace.region} here, and a workspace cannot move to {region}."
        raise AzureError(409, "Conflict", message + " Give it another name, or delete the home of the local Azure ML.")
    return workspace


def every(emulator: Emulator) -> list[Workspace]:
    """Returns the registered workspaces, oldest first."""
    return [Workspace(**document.body) for document in emulator.store.list("workspaces")]


def by_account(emulator: Emulator, account: str) -> Workspace | None:
    """Returns the workspace that a storage account belongs to."""
    return next((workspace for workspace in every(emulator) if workspace.account == account), None)


def by_scope(emulator: Emulator, scope: str) -> Workspace:
    """Returns the workspace of a scope that the store holds."""
    document = emulator.store.get(SCOPE, "workspaces", scope)
    assert document is not None
    return Workspace(**document.body)


def subscriptions(emulator: Emulator) -> list[str]:
    """Returns the ids of the subscriptions that have a workspace here."""
    return list(dict.fromkeys(workspace.subscription for workspace in every(emulator)))


def find(call: Call) -> Workspace:
    """Returns the workspace that a request's path names; raises Azure's 404."""
    words = call.words
    document = call.emulator.store.get(
        SCOPE, "workspaces", f"{words['subscription']}/{words['group']}/{words['workspace']}"
    )
    if document is None:
        raise not_found(
            f"The Resource 'Microsoft.MachineLearningServices/workspaces/{words['workspace']}' under resource group "
            f"'{words['group']}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
            "ResourceNotFound",
        )
    return Workspace(**document.body)


@control("POST", "/control/workspaces")
async def register_route(call: Call) -> Any:
    """Registers a workspace; `python -m scripts.local run` does so for the one that the values name."""
    body = await call.json()
    words = [str(body.get(key, "")) for key in ("subscription_id", "resource_group", "workspace", "region")]
    workspace = register(call.emulator, *words)
    call.emulator.start(call.emulator.tracking.open(workspace))
    return dataclasses.asdict(workspace)


def _resource(call: Call, workspace: Workspace) -> dict[str, Any]:
    host = f"{workspace.region}.api.azureml.ms"
    account = f"/subscriptions/{workspace.subscription}/resourceGroups/{workspace.group}/providers/Microsoft.Storage"
    return {
        "id": workspace.path,
        "name": workspace.name,
        "type": "Microsoft.MachineLearningServices/workspaces",
        "location": workspace.region,
        "kind": "Default",
        "sku": {"name": "Basic", "tier": "Basic"},
        "tags": {},
        "identity": {
            "type": "SystemAssigned",
            "principalId": call.emulator.credentials["object_id"],
            "tenantId": call.emulator.credentials["tenant_id"],
        },
        "properties": {
            "friendlyName": workspace.name,
            "description": "Azure ML on localhost",
            "discoveryUrl": f"https://{host}/discovery",
            "mlFlowTrackingUri": f"azureml://{host}/mlflow/v1.0{workspace.path}",
            "workspaceId": workspace.identifier,
            "storageAccount": f"{account}/storageAccounts/{workspace.account}",
            "provisioningState": "Succeeded",
            "publicNetworkAccess": "Enabled",
        },
    }


@arm("GET", WORKSPACE)
async def get(call: Call) -> Any:
    """Returns a workspace."""
    return _resource(call, call.ws)


@arm("GET", GROUP + PROVIDER + "/workspaces")
async def list_of_group(call: Call) -> Any:
    """Lists the workspaces of a resource group."""
    wanted = (call.words["subscription"].lower(), call.words["group"].lower())
    found = [each for each in every(call.emulator) if (each.subscription, each.group.lower()) == wanted]
    return page(call, [_resource(call, each) for each in found])


@arm("GET", SUBSCRIPTION + PROVIDER + "/workspaces")
async def list_of_subscription(call: Call) -> Any:
    """Lists the workspaces of a subscription."""
    wanted = call.words["subscription"].lower()
    return page(call, [_resource(call, each) for each in every(call.emulator) if each.subscription == wanted])


@arm("GET", GROUP)
async def group(call: Call) -> Any:
    """Returns a resource group: one exists where a workspace of it does."""
    wanted = (call.words["subscription"].lower(), call.words["group"].lower())
    for each in every(call.emulator):
        if (each.subscription, each.group.lower()) == wanted:
            identifier = f"/subscriptions/{each.subscription}/resourceGroups/{each.group}"
            properties = {"provisioningState": "Succeeded"}
            return {"id": identifier, "name": each.group, "location": each.region, "tags": {}, "properties": properties}
    raise not_found(f"Resource group '{call.words['group']}' could not be found.", "ResourceGroupNotFound")


@arm("GET", SUBSCRIPTION + "/locations")
async def locations(call: Call) -> Any:
    """Lists the regions."""
    base = f"/subscriptions/{call.words['subscription']}/locations/"
    return {"value": [{"id": base + region, "name": region, "displayName": region} for region in REGIONS]}


@data("GET", "/discovery")
async def discovery(call: Call) -> Any:
    """Says where the data plane is."""
    return {"api": f"https://{call.host}"}
