"""What a subscription allows, asked of Azure Resource Manager over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.azure.subscription import Subscription, needed_providers
from scripts.errors import CouldNotAskError, MayNotAskError
from tests.azure.fake_arm import (
    ACCOUNT,
    BLOCKED,
    BLOCKED_ZONE,
    ROOT,
    SUBSCRIPTION,
    TENANT,
    Answer,
    account,
    all_is_well,
    arm,
    sku,
)

FORBIDDEN = (403, {"error": {"code": "AuthorizationFailed", "message": "The client 'x' does not have authorization."}})


def of(tenant: str = TENANT, **changed: Answer) -> Subscription:
    made, _ = arm({**all_is_well(), **changed}, tenant)
    return Subscription(SUBSCRIPTION, made)


def test_each_question_is_one_request_with_its_version() -> None:
    made, table = arm(all_is_well())
    asked = Subscription(SUBSCRIPTION, made)
    for _ in range(2):
        assert asked.tenant == asked.token_tenant == TENANT
        assert set(asked.providers.values()) == {"Registered"}
        assert asked.restrictions("eastus")["standard_nc4as_t4_v3"] == []
        assert asked.storage_account(ACCOUNT).keys
    versions = {path.rpartition("/")[2]: query["api-version"] for path, query in table.asked}
    assert len(table.asked) == 3 + len(needed_providers())
    assert versions[SUBSCRIPTION] == ["2022-12-01"]
    assert versions["Microsoft.Cdn"] == ["2021-04-01"]
    assert versions["skus"] == ["2021-07-01"]
    assert versions["stfake"] == ["2023-01-01"]
    assert [query["$filter"] for path, query in table.asked if path.endswith("/skus")] == [["location eq 'eastus'"]]


def test_a_token_of_another_directory_names_the_right_one() -> None:
    """As the service answers (InvalidAuthenticationTokenTenant): not what the body has, but what the refusal says."""
    theirs = "11111111-aaaa-bbbb-cccc-222222222222"
    message = (
        f"The access token is from the wrong issuer 'https://sts.windows.net/{TENANT}/'. It must match the tenant "
        f"'https://sts.windows.net/{theirs}/' associated with this subscription."
    )
    refusal = (401, {"error": {"code": "InvalidAuthenticationTokenTenant", "message": message}})
    asked = of(**{ROOT: refusal})
    assert (asked.token_tenant, asked.tenant) == (TENANT, theirs)
    expired = (401, {"error": {"code": "ExpiredAuthenticationToken", "message": "The access token expiry is over."}})
    with pytest.raises(CouldNotAskError, match="expiry is over") as caught:
        _ = of(**{ROOT: expired}).tenant
    assert not isinstance(caught.value, MayNotAskError)


@pytest.mark.parametrize("answer", [FORBIDDEN, (400, {"error": {"code": "BadRequest", "message": "no filter"}})])
def test_what_may_not_be_asked_is_told_from_what_nobody_answers(answer: Answer) -> None:
    asked = of(**{f"{ROOT}/providers/Microsoft.Cdn": answer, f"{ROOT}/providers/Microsoft.Compute/skus": answer,
                  ACCOUNT: answer})  # fmt: skip
    for ask in (lambda: asked.providers, lambda: asked.restrictions("eastus"), lambda: asked.storage_account(ACCOUNT)):
        with pytest.raises(MayNotAskError, match="could not ask for ") as caught:
            ask()
        assert caught.value.todo.startswith("az ")
    missing = of(**{f"{ROOT}/providers/Microsoft.Cdn": (404, {})})
    with pytest.raises(MayNotAskError, match=r"provider Microsoft\.Cdn: there is no answer"):
        _ = missing.providers


def test_restrictions_say_where_and_pages_are_followed() -> None:
    path = f"{ROOT}/providers/Microsoft.Compute/skus"
    other = {"resourceType": "disks", "name": "Standard_LRS", "restrictions": [BLOCKED]}
    quota = {**BLOCKED, "reasonCode": "QuotaId"}

    def pages(query: dict[str, list[str]]) -> tuple[int, Any]:
        if "page" in query:
            return 200, {"value": [sku("Standard_B", BLOCKED_ZONE), sku("Standard_C", quota)]}
        first = [sku("Standard_A", BLOCKED), other]
        return 200, {"value": first, "nextLink": f"https://management.azure.com{path}?page=2"}

    found = of(**{path: pages}).restrictions("eastus")
    assert found == {"standard_a": ["region"], "standard_b": ["zone 2", "zone 3"], "standard_c": []}
    away = (200, {"value": [], "nextLink": "https://elsewhere.example/skus"})
    with pytest.raises(CouldNotAskError, match="on another host"):
        of(**{path: away}).restrictions("eastus")
    with pytest.raises(MayNotAskError, match="no answer"):
        of(**{path: (200, {"value": []})}).restrictions("eastus")


@pytest.mark.parametrize(
    ("properties", "keys", "public", "selected", "private"),
    [
        ({}, True, True, False, False),
        ({"allowSharedKeyAccess": False}, False, True, False, False),
        ({"publicNetworkAccess": "Disabled"}, True, False, False, False),
        ({"publicNetworkAccess": "SecuredByPerimeter"}, True, False, False, False),
        ({"networkAcls": {"defaultAction": "Deny"}}, True, True, True, False),
        ({"privateEndpointConnections": [
            {"properties": {"privateLinkServiceConnectionState": {"status": "Approved"}}}]}, True, True, False, True),
        ({"privateEndpointConnections": [
            {"properties": {"privateLinkServiceConnectionState": {"status": "Pending"}}}]}, True, True, False, False),
    ],
)  # fmt: skip
def test_how_a_storage_account_is_reached(
    properties: dict[str, Any], keys: bool, public: bool, selected: bool, private: bool
) -> None:
    found = of(**{ACCOUNT: (200, account(**properties))}).storage_account(ACCOUNT)
    assert (found.name, found.keys, found.public, found.selected, found.private) == (
        "stfake", keys, public, selected, private
    )  # fmt: skip


def test_a_token_that_is_none_of_entras_says_nothing() -> None:
    made, _ = arm(all_is_well())
    for token in ("opaque", "a.b.c", "a.!!.c", "a.W10.c"):
        made._login.token = token
        assert made.token_tenant() == ""
