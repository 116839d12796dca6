"""Access tokens: JWTs signed with the home's secret, as the emulator gives them and takes them back."""

from __future__ import annotations

import base64
import contextlib
import time
from typing import Any

import jwt

from scripts.local.core import faults
from scripts.local.core.state import State
from scripts.local.core.web import AzureError, Call

LIFETIME = 86399  # seconds, as Microsoft Entra ID gives a service principal
ALGORITHM = "HS256"


def tracking(scope: str) -> str:
    """Returns the audience of what a job gets: it may reach MLflow in its workspace, and nothing else."""
    return f"mlflow/{scope}"


def make_token(state: State, audience: str, lifetime: int = LIFETIME, **more: str) -> str:
    """Returns a token for an audience; clients read `aud`, `tid` and `exp` in it. `more` claims are our own."""
    now = int(time.time())
    principal = state.credentials
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{principal.tenant_id}/",
        "tid": principal.tenant_id,
        "oid": principal.object_id,
        "appid": principal.client_id,
        "idtyp": "app",
        "iat": now,
        "nbf": now,
        "exp": now + lifetime,
        **more,
    }
    return jwt.encode(claims, principal.client_secret, ALGORITHM)


def expired() -> AzureError:
    """Returns the refusal of a token that is no longer valid."""
    fault = faults.FAULTS["expired-token"]
    return AzureError(fault.status, fault.code, fault.message)


def read_token(call: Call) -> dict[str, Any]:
    """Returns the claims of the request's bearer token; raises 401 where there is none that is still valid."""
    scheme, _, token = call.request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":  # MLflow's clients prefer it where they know a name and a password
        with contextlib.suppress(ValueError):
            scheme, token = "bearer", base64.b64decode(token).decode().partition(":")[2]
    if scheme.lower() != "bearer" or not token:
        raise AzureError(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    try:  # another user of this machine reaches the loopback too, and could write a token, but not sign it
        return jwt.decode(
            token,
            call.state.credentials.client_secret,
            algorithms=[ALGORITHM],
            options={"verify_aud": False, "require": ["aud", "exp"]},
        )
    except jwt.ExpiredSignatureError:
        raise expired() from None
    except jwt.InvalidTokenError:
        raise AzureError(401, "InvalidAuthenticationToken", "The access token is invalid.") from None
