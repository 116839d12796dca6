"""Sign-in: Microsoft Entra ID's token endpoint, managed identity, and who may pass with the tokens that come back."""

from __future__ import annotations

import secrets
import time
from typing import Any
from urllib.parse import parse_qsl

from scripts.local.core import faults, tokens
from scripts.local.core.tokens import LIFETIME, make_token, read_token
from scripts.local.core.web import SUBSCRIPTION, AzureError, Call, Routes, reply
from scripts.local.resources import jobs, workspaces

routes = Routes()  # login.microsoftonline.com
arm = Routes()  # management.azure.com
control = Routes()  # the plain listener: managed identity
ARM_AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")


def authorise(call: Call, scope: str | None = None) -> None:
    """Lets a request to the management or the data plane pass only with a token for Azure Resource Manager.

    `scope`: of a workspace whose MLflow is asked, which the token of a job that has not ended reaches too.
    """
    path = call.request.url.path.lower()
    if path in ("/discovery", "/metadata/endpoints") or path.startswith("/registrymanagement/"):
        return  # Azure answers these without a token too
    claims = read_token(call)
    audience = str(claims.get("aud", ""))
    if scope is not None and audience == tokens.tracking(scope):
        if jobs.has_ended(call.state, scope, str(claims.get("job", ""))):
            raise tokens.expired()
    elif audience.rstrip("/") not in (*ARM_AUDIENCES, "https://ml.azure.com"):
        message = f"The access token has been obtained for wrong audience or resource '{audience}'."
        raise AzureError(401, "InvalidAuthenticationTokenAudience", message)
    faults.inject(call.state, "token")


def _aad_error(status: int, error: str, number: int, text: str) -> Any:
    body = {"error": error, "error_description": f"AADSTS{number}: {text}", "error_codes": [number]}
    return reply(body, status)


@routes("GET", "/{tenant}/v2.0/.well-known/openid-configuration")
async def openid_configuration(call: Call) -> Any:
    """Says where the token endpoint is, and what Microsoft Entra ID can do, of which only that endpoint is here."""
    authority = f"https://{call.host}/{call.words['tenant']}"
    return {
        "token_endpoint": f"{authority}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{authority}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{authority}/v2.0",
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{authority}/oauth2/v2.0/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{authority}/oauth2/v2.0/logout",
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "nonce", "tid", "ver", "at_hash"],
        "kerberos_endpoint": f"{authority}/kerberos",
        "tenant_region_scope": "NA",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }


@routes("POST", "/{tenant}/oauth2/v2.0/token")
async def token(call: Call) -> Any:
    """Gives a token to the home's service principal, for any audience."""
    try:
        form = dict(parse_qsl(call.body.decode()))
    except ValueError:
        return _aad_error(400, "invalid_request", 900144, "The request body is no form in UTF-8.")
    principal = call.state.credentials
    if form.get("grant_type") != "client_credentials":
        text = f"The local Azure ML signs in a service principal only, not {form.get('grant_type')!r}."
        return _aad_error(400, "unsupported_grant_type", 70003, text)
    if call.words["tenant"].lower() != principal.tenant_id:
        return _aad_error(400, "invalid_request", 90002, f"Tenant '{call.words['tenant']}' not found.")
    if form.get("client_id") != principal.client_id:
        text = f"Application with identifier '{form.get('client_id')}' was not found in the directory."
        return _aad_error(400, "unauthorized_client", 700016, text)
    if not secrets.compare_digest(form.get("client_secret", "").encode(), principal.client_secret.encode()):
        text = "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value."
        return _aad_error(401, "invalid_client", 7000215, text)
    scopes = [scope for scope in form.get("scope", "").split() if scope.endswith("/.default")]
    if not scopes:
        return _aad_error(
            400, "invalid_scope", 70011, f"The provided value for scope {form.get('scope')!r} is not valid."
        )
    body = {"token_type": "Bearer", "expires_in": LIFETIME, "ext_expires_in": LIFETIME, "refresh_in": LIFETIME // 2}
    return body | {"access_token": make_token(call.state, scopes[0].removesuffix("/.default"))}


@routes("GET", "/common/discovery/instance")
async def instance_discovery(call: Call) -> Any:
    """Answers what MSAL asks after a refused sign-in."""
    tenant = f"https://{call.host}/{call.state.credentials.tenant_id}/v2.0/.well-known/openid-configuration"
    alias = ["login.microsoftonline.com", "login.windows.net"]
    metadata = {"preferred_network": alias[0], "preferred_cache": alias[1], "aliases": alias}
    return {"tenant_discovery_endpoint": tenant, "api-version": "1.1", "metadata": [metadata]}


@control("GET", "/msi/token")
async def managed_identity(call: Call) -> Any:
    """Answers a managed identity (IDENTITY_ENDPOINT, with the client secret as IDENTITY_HEADER)."""
    key = call.request.headers.get("x-identity-header", "")
    if not secrets.compare_digest(key.encode(), call.state.credentials.client_secret.encode()):
        raise AzureError(401, "Unauthorized", "The X-IDENTITY-HEADER is not the one of this local Azure ML.")
    resource = call.query.get("resource", "")
    expires = str(int(time.time()) + LIFETIME)
    given = {"access_token": make_token(call.state, resource.rstrip("/")), "expires_on": expires}
    return given | {"resource": resource, "token_type": "Bearer"}


@arm("GET", "/subscriptions")
async def subscriptions(call: Call) -> Any:
    """Lists the subscriptions of the workspaces that are registered here; `az login` asks."""
    shown = [_subscription(call, each) for each in workspaces.subscriptions(call.state)]
    return {"value": shown, "count": {"type": "Total", "value": len(shown)}}


@arm("GET", SUBSCRIPTION)
async def subscription(call: Call) -> Any:
    """Returns one subscription."""
    wanted = call.words["subscription"].lower()
    if wanted not in workspaces.subscriptions(call.state):
        raise AzureError(404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found.")
    return _subscription(call, wanted)


def _subscription(call: Call, identifier: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{identifier}",
        "subscriptionId": identifier,
        "tenantId": call.state.credentials.tenant_id,
        "displayName": "Azure ML on localhost",
        "state": "Enabled",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


@arm("GET", "/metadata/endpoints")
async def cloud_metadata(call: Call) -> Any:
    """Describes the public cloud; azureml-mlflow asks once a process."""
    return [
        {
            "name": "AzureCloud",
            "portal": "https://portal.azure.com",
            "authentication": {
                "loginEndpoint": "https://login.microsoftonline.com/",
                "audiences": [f"{audience}/" for audience in reversed(ARM_AUDIENCES)],
                "tenant": "common",
                "identityProvider": "AAD",
            },
            "resourceManager": "https://management.azure.com/",
            "suffixes": {"storage": "core.windows.net"},
        }
    ]
