"""A workspace, its datastores and its quotas, read from the SDK's own entities."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from azure.ai.ml.entities import (
    AccountKeyConfiguration,
    AzureBlobDatastore,
    AzureDataLakeGen2Datastore,
    ManagedNetwork,
    NoneCredentialConfiguration,
    SasTokenConfiguration,
    Workspace,
)

from scripts.azure import live
from scripts.azure.live_workspace import read_datastore, read_workspace


def test_a_workspace() -> None:
    bare = read_workspace(Workspace(name="w", location="eastus"))
    assert bare.location == "eastus"
    assert not bare.is_private
    assert not bare.is_isolated
    full = Workspace(
        name="w", location="eastus", storage_account="/s/stfake", container_registry="/r/acr",
        image_build_compute="cpu", public_network_access="Disabled", system_datastores_auth_mode="Identity",
    )  # fmt: skip
    found = read_workspace(full)
    assert (found.storage_account, found.container_registry, found.image_build_compute) == (
        "/s/stfake",
        "/r/acr",
        "cpu",
    )
    assert found.datastores_auth_mode == "identity"
    assert found.is_private


@pytest.mark.parametrize(
    ("mode", "private", "isolated"),
    [
        ("disabled", False, False),
        ("allow_internet_outbound", True, False),
        ("allow_only_approved_outbound", True, True),
    ],
)
def test_a_managed_network(mode: str, private: bool, isolated: bool) -> None:
    network = ManagedNetwork(isolation_mode=mode)
    found = read_workspace(Workspace(name="w", location="eastus", managed_network=network))
    assert (found.is_private, found.is_isolated) == (private, isolated)


@pytest.mark.parametrize(
    ("credentials", "by_key", "by_identity"),
    [
        (AccountKeyConfiguration(account_key="k"), True, False), (SasTokenConfiguration(sas_token="s"), True, False),
        (NoneCredentialConfiguration(), False, True), (None, False, True),
    ],
)  # fmt: skip
def test_a_datastore(credentials: Any, by_key: bool, by_identity: bool) -> None:
    found = read_datastore(AzureBlobDatastore(name="d", account_name="a", container_name="c", credentials=credentials))
    assert (found.name, found.account, found.by_key, found.by_identity) == ("d", "a", by_key, by_identity)
    lake = read_datastore(AzureDataLakeGen2Datastore(name="l", account_name="b", filesystem="f"))
    assert (lake.account, lake.by_identity) == ("b", True)


@pytest.mark.parametrize(
    ("kind", "current", "limit", "read"),
    [
        ("Microsoft.MachineLearningServices/dedicatedCores/usages", 4, 24, ("dedicated", 4, 24)),
        ("Microsoft.MachineLearningServices/lowPriorityCores/usages", 24, -1, ("low priority", 24, None)),
        ("Microsoft.MachineLearningServices/usages", None, 20, ("", None, 20)),
        (None, 0, None, ("", 0, None)),
    ],
)
def test_a_quota(kind: str | None, current: int | None, limit: int | None, read: tuple[Any, ...]) -> None:
    entity = SimpleNamespace(name={"value": "f"}, type=kind, limit=limit, current_value=None, currentValue=current)
    found = live._usage(entity)
    assert (found["name"], found["kind"], found["used"], found["limit"]) == ("f", *read)
