"""What a subscription allows, as plain data: its directory, registered providers, restricted sizes, a storage account.

Azure Resource Manager is asked: these are not Azure ML's own, and its SDK has no call for them. A login that sees only
its resource group may not ask for most of it: a MayNotAskError says so, with the command for who may.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from scripts.azure.arm import Arm
from scripts.azure.catalog import read_catalog
from scripts.errors import CouldNotAskError, MayNotAskError

BLOCKED = "NotAvailableForSubscription"  # the one reason that no request for quota helps against
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Provider:
    """A resource provider that the chain needs, what for, and whether a missing one stops training, or serving only."""

    namespace: str
    needed: str
    source: str


@dataclass(frozen=True)
class StorageAccount:
    """How a storage account lets itself be reached."""

    name: str
    keys: bool  # shared keys, and signatures made with them
    public: bool  # from public networks, if only some
    selected: bool  # of public networks only those that its rules name
    private: bool  # through an approved private endpoint


@functools.cache
def needed_providers() -> tuple[Provider, ...]:
    """Returns the providers that the chain needs."""
    return tuple(Provider(**row) for row in read_catalog("providers.json")["providers"])


class Subscription:
    """Answers about one subscription; everything is asked once."""

    def __init__(self, identifier: str, arm: Arm | None = None) -> None:
        self._path = f"/subscriptions/{identifier}"
        self._id = identifier
        self._given = arm

    @functools.cached_property
    def _arm(self) -> Arm:
        return self._given or Arm()

    @functools.cached_property
    def tenant(self) -> str:
        """The directory that the subscription trusts."""
        todo = f"az account show --subscription {self._id} --query tenantId"
        what = f"subscription {self._id}"
        try:
            found = self._arm.get(what, self._path, "2022-12-01", todo)
        except CouldNotAskError as error:
            named = _GUID.findall(
                str(error).partition("must match")[2]
            )  # 'wrong issuer', InvalidAuthenticationTokenTenant
            if named:
                return str(named[0])
            raise
        if found is None:
            raise CouldNotAskError("this login sees no such subscription", what)
        return str(found.get("tenantId") or "")

    @functools.cached_property
    def token_tenant(self) -> str:
        """The directory that this login's token is of, an empty text where it does not say."""
        return self._arm.token_tenant()

    @property
    def skew(self) -> float | None:
        """Seconds that this machine's clock is ahead of Azure's, None where no answer told."""
        _ = self.tenant
        return self._arm.skew

    @functools.cache  # noqa: B019
    def permissions(self, resource: str) -> list[dict[str, Any]]:
        """Returns what this login may do with a resource, as its roles say it: actions and notActions."""
        what, path = "what this login may do there", f"{resource}/providers/Microsoft.Authorization/permissions"
        todo = f"az role assignment list --include-inherited --scope {resource} -o table"
        return list(self._arm.pages(what, path, "2022-04-01", todo))

    @functools.cached_property
    def providers(self) -> dict[str, str]:
        """The registration state of each needed provider, by its namespace: `Registered`, `NotRegistered`, …"""
        names = [each.namespace for each in needed_providers()]
        with ThreadPoolExecutor(len(names)) as pool:
            return dict(zip(names, pool.map(self._state, names), strict=True))

    def _state(self, namespace: str) -> str:
        what, todo = f"provider {namespace}", f"az provider show -n {namespace} --query registrationState"
        found = self._arm.get(what, f"{self._path}/providers/{namespace}", "2021-04-01", todo)
        if found is None or not found.get("registrationState"):
            raise MayNotAskError("there is no answer", what, todo)
        return str(found["registrationState"])

    @functools.cache  # noqa: B019 (lives as long as the command)
    def restrictions(self, region: str) -> dict[str, list[str]]:
        """Returns, by lower-case size, where in a region it is blocked for this subscription: `region`, `zone 1`.

        A size without restrictions has an empty list; one that the region does not have is not there.
        """
        what = f"the sizes that this subscription may have in {region}"
        todo = f"az vm list-skus -l {region} --resource-type virtualMachines --all -o table"
        path = f"{self._path}/providers/Microsoft.Compute/skus"
        query = {"$filter": f"location eq '{region}'"}
        found: dict[str, list[str]] = {}
        for sku in self._arm.pages(what, path, "2021-07-01", todo, **query):
            if str(sku.get("resourceType", "")).lower() == "virtualmachines":
                blocked = [place for each in sku.get("restrictions") or () for place in _places(each)]
                found[str(sku.get("name", "")).lower()] = blocked
        if not found:
            raise MayNotAskError("there is no answer", what, todo)
        return found

    @functools.cache  # noqa: B019
    def storage_account(self, identifier: str) -> StorageAccount:
        """Returns how the storage account with this id lets itself be reached."""
        name = identifier.rpartition("/")[2]
        todo = f"az storage account show --ids {identifier} --query '[allowSharedKeyAccess,publicNetworkAccess]'"
        what = f"storage account {name}"
        found = self._arm.get(what, identifier, "2023-01-01", todo)
        if found is None:
            raise MayNotAskError("this login sees no such account", what, todo)
        return _account(name, found.get("properties") or {})


def _places(restriction: Mapping[str, Any]) -> list[str]:
    if restriction.get("reasonCode") != BLOCKED:
        return []
    zones = (restriction.get("restrictionInfo") or {}).get("zones") or ()
    return [f"zone {zone}" for zone in zones] if restriction.get("type") == "Zone" else ["region"]


def _account(name: str, properties: Mapping[str, Any]) -> StorageAccount:
    """Reads what ARM says of an account: what it leaves out, or has as null, is allowed."""
    public = str(properties.get("publicNetworkAccess") or "Enabled").lower()
    default = str((properties.get("networkAcls") or {}).get("defaultAction") or "Allow").lower()
    links = [each.get("properties") or {} for each in properties.get("privateEndpointConnections") or ()]
    states = [str((link.get("privateLinkServiceConnectionState") or {}).get("status", "")).lower() for link in links]
    return StorageAccount(
        name=name,
        keys=properties.get("allowSharedKeyAccess") is not False,
        public=public == "enabled",
        selected=default == "deny",
        private="approved" in states,
    )
