"""Managed identities of clusters and endpoints: what the service adds to what a request says of them."""

from __future__ import annotations

import uuid
from typing import Any

from scripts.local.core.state import State


def shown(state: State, owner: str, given: dict[str, Any] | None) -> dict[str, Any] | None:
    """Returns an identity with the ids that the service gives it; `owner` is the ARM id of what has it.

    The ids are drawn from names, so that they are the same after a restart.
    """
    if not given:
        return None
    identity: dict[str, Any] = {"type": given.get("type", "SystemAssigned"), "tenantId": state.credentials.tenant_id}
    users = given.get("userAssignedIdentities") or {}
    if "systemassigned" in str(identity["type"]).lower():
        identity["principalId"] = _identifier(owner)
    if users:
        identity["userAssignedIdentities"] = {
            each: {"principalId": _identifier(each), "clientId": _identifier(f"{each}/client")} for each in users
        }
    return identity


def _identifier(of: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, of.lower()))
