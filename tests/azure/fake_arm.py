"""Azure Resource Manager at the level of HTTP: real requests through the real pipeline, answered from a table."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import BaseAdapter

from scripts.azure.arm import Arm

SUBSCRIPTION = "22222222-3333-4444-5555-666666666666"
TENANT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
ROOT = f"/subscriptions/{SUBSCRIPTION}"
ACCOUNT = f"{ROOT}/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/stfake"
Answer = tuple[int, Any] | Callable[[dict[str, list[str]]], tuple[int, Any]]


def account(**properties: Any) -> dict[str, Any]:
    """Returns what ARM says of a storage account."""
    return {"id": ACCOUNT, "name": "stfake", "properties": properties}


def sku(name: str, *restrictions: dict[str, Any]) -> dict[str, Any]:
    """Returns a size as Microsoft.Compute lists it."""
    return {"resourceType": "virtualMachines", "name": name, "restrictions": list(restrictions)}


BLOCKED = {"type": "Location", "reasonCode": "NotAvailableForSubscription", "values": ["eastus"],
           "restrictionInfo": {"locations": ["eastus"]}}  # fmt: skip
BLOCKED_ZONE = {**BLOCKED, "type": "Zone", "restrictionInfo": {"locations": ["eastus"], "zones": ["2", "3"]}}
SIZES = ("Standard_NC24ads_A100_v4", "Standard_NC40ads_H100_v5", "Standard_NC4as_T4_v3")


def all_is_well() -> dict[str, Answer]:
    """Returns what a subscription answers in which everything is as it should be, by path."""
    from scripts.azure.subscription import needed_providers

    found: dict[str, Answer] = {
        ROOT: (200, {"subscriptionId": SUBSCRIPTION, "tenantId": TENANT, "state": "Enabled"}),
        f"{ROOT}/providers/Microsoft.Compute/skus": (200, {"value": [sku(name) for name in SIZES]}),
        ACCOUNT: (200, account(allowSharedKeyAccess=None, publicNetworkAccess="Enabled")),
    }
    for each in needed_providers():
        state = {"namespace": each.namespace, "registrationState": "Registered"}
        found[f"{ROOT}/providers/{each.namespace}"] = (200, state)
    return found


class Login:
    """A credential whose tokens are of one directory."""

    def __init__(self, tenant: str = TENANT) -> None:
        claims = base64.urlsafe_b64encode(json.dumps({"tid": tenant}).encode()).decode().rstrip("=")
        self.token = f"e30.{claims}.signature"

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(self.token, int(time.time()) + 3600)


class Table(BaseAdapter):
    """Answers by path; what is not there is 404, as ARM says it."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        super().__init__()
        self.answers = {path.lower(): answer for path, answer in answers.items()}
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.ahead = 0.0  # seconds that its clock is ahead of this machine's

    def send(self, request: requests.PreparedRequest, *more: Any, **options: Any) -> requests.Response:
        address = urlsplit(str(request.url))
        assert address.hostname == "management.azure.com"
        assert request.headers["Authorization"].startswith("Bearer ")
        query = parse_qs(address.query)
        self.asked.append((address.path, query))
        missing = (404, {"error": {"code": "ResourceNotFound", "message": "The Resource was not found."}})
        answer = self.answers.get(address.path.lower(), missing)
        status, body = answer(query) if callable(answer) else answer
        response = requests.Response()
        response.status_code, response.url, response.request = status, str(request.url), request
        response.headers["Content-Type"] = "application/json"
        response.headers["Date"] = formatdate(time.time() + self.ahead, usegmt=True)
        response.raw = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        return response

    def close(self) -> None:
        """Nothing is open."""


def arm(answers: dict[str, Answer], tenant: str = TENANT) -> tuple[Arm, Table]:
    """Returns an ARM that answers from a table, and the table, which notes what was asked."""
    table, session = Table(answers), requests.Session()
    session.mount("https://", table)
    return Arm(Login(tenant), RequestsTransport(session=session, session_owner=False)), table
