"""A workspace and its datastores as the live service has them, as plain data: how they are reached, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OPEN = "Disabled"  # isolation of a managed network that isolates nothing


@dataclass(frozen=True)
class Workspace:
    """What a workspace says of itself; an empty text is what it does not say, or has none of."""

    location: str
    storage_account: str = ""  # resource ids
    container_registry: str = ""
    image_build_compute: str = ""
    public_network_access: str = ""  # Enabled or Disabled
    isolation: str = ""  # of its managed network: Disabled, AllowInternetOutbound, AllowOnlyApprovedOutbound
    datastores_auth_mode: str = ""  # of the datastores that it makes for itself: accesskey or identity

    @property
    def is_private(self) -> bool:
        """Whether it is closed to the internet from without, or its managed network from within."""
        return self.public_network_access.lower() == "disabled" or self.isolation not in ("", OPEN)

    @property
    def is_isolated(self) -> bool:
        """Whether what runs in it reaches only approved addresses."""
        return self.isolation == "AllowOnlyApprovedOutbound"


@dataclass(frozen=True)
class Datastore:
    """A datastore, the storage account behind it, and with what it opens it."""

    name: str
    account: str
    credentials: str  # account_key, sas, service_principal, certificate; none is the identity of who asks

    @property
    def by_key(self) -> bool:
        """Whether it needs the account's keys: itself, or in a signature that was made with one."""
        return self.credentials in ("account_key", "sas")

    @property
    def by_identity(self) -> bool:
        """Whether whoever reads or writes does so as himself: a job as its cluster."""
        return self.credentials == "none"


def read_workspace(entity: Any) -> Workspace:
    """Returns an SDK workspace as plain data."""
    network = getattr(entity, "managed_network", None)
    return Workspace(
        location=str(entity.location),
        storage_account=word(getattr(entity, "storage_account", None)),
        container_registry=word(getattr(entity, "container_registry", None)),
        image_build_compute=word(getattr(entity, "image_build_compute", None)),
        public_network_access=word(getattr(entity, "public_network_access", None)),
        isolation=_pascal(word(getattr(network, "isolation_mode", None))),
        datastores_auth_mode=word(getattr(entity, "system_datastores_auth_mode", None)).lower(),
    )


def read_datastore(entity: Any) -> Datastore:
    """Returns an SDK datastore as plain data; its secrets are not asked for."""
    kind = word(getattr(getattr(entity, "credentials", None), "type", None))
    return Datastore(str(entity.name), word(getattr(entity, "account_name", None)), kind.lower() or "none")


def word(value: Any) -> str:
    """Returns text as the wire has it: the SDK gives some words as members of an enumeration."""
    return str(getattr(value, "value", value) or "")


def _pascal(text: str) -> str:
    """Returns `allow_only_approved_outbound`, as the SDK writes some words, as the wire does."""
    return "".join(part[:1].upper() + part[1:] for part in text.split("_"))
