"""Kinds of resources that are never here, and that clients ask for in passing: a list is empty, one is not found.

What would make one is refused. Refusals of one that is not there are as recorded by Microsoft's tests, 2023 to 2025.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from scripts.local.core.web import (
    WORKSPACE,
    AzureError,
    Call,
    Handler,
    Layer,
    Routes,
    bad_request,
    not_found,
    unknown_resource,
)

arm = Routes()


@dataclasses.dataclass(frozen=True)
class Absent:
    """A kind: its words in a path and in a sentence, what to do instead, and the 404 of one that is not there."""

    path: str
    name: str
    instead: str
    missing: Callable[[Call, str], AzureError]


def _connection(call: Call, name: str) -> AzureError:
    message = f"Connection {name} can't be found in this workspace"
    return AzureError(404, "UserError", message, inner=("NotFoundError",), layer=Layer.PROVIDER)


def _schedule(call: Call, name: str) -> AzureError:
    return not_found(f"Resource Trigger {name} not found", inner=("NotFound",))


def _batch_endpoint(call: Call, name: str) -> AzureError:
    message = (
        f"An endpoint with the name '{name}' does not exist in the workspace '{call.ws.name}'. Please check the "
        "endpoint name and also ensure the current user has access to it."
    )
    return not_found(message, inner=("NotFound", "EndpointNotFound"))


def _of_arm(path: str) -> Callable[[Call, str], AzureError]:
    return lambda call, name: unknown_resource(f"workspaces/{call.ws.name}/{path}/{name}", call.ws.group)


KINDS = (
    Absent("connections", "Workspace connections", "give the credentials to the job that needs them", _connection),
    Absent("schedules", "Schedules", "submit the job from a timer of your own", _schedule),
    Absent("batchEndpoints", "Batch endpoints", "use an online endpoint", _batch_endpoint),
    Absent("outboundRules", "Managed networks", "leave out the managed network", _of_arm("outboundRules")),
    Absent(
        "privateEndpointConnections",
        "Private endpoints",
        "leave out the private endpoint",
        _of_arm("privateEndpointConnections"),
    ),
    Absent("featuresets", "Feature sets", "leave them out", _of_arm("featuresets")),
    Absent("featurestoreEntities", "Feature stores", "leave them out", _of_arm("featurestoreEntities")),
    Absent("marketplaceSubscriptions", "Marketplace models", "deploy a model", _of_arm("marketplaceSubscriptions")),
    Absent("serverlessEndpoints", "Serverless endpoints", "use an online endpoint", _of_arm("serverlessEndpoints")),
)


def _routes_of(kind: Absent) -> tuple[Handler, Handler, Handler]:
    async def listed(call: Call) -> Any:
        return {"value": []}

    async def get(call: Call) -> Any:
        raise kind.missing(call, call.words["name"])

    async def refuse(call: Call) -> Any:
        raise bad_request(f"{kind.name} are not emulated by the local Azure ML: {kind.instead}.", "NotEmulated")

    listed.__doc__ = f"Lists nothing: {kind.name} are not emulated."
    get.__doc__ = f"Finds nothing: {kind.name} are not emulated."
    refuse.__doc__ = f"Refuses: {kind.name} are not emulated."
    return listed, get, refuse


for each in KINDS:
    of_list, of_get, of_refuse = _routes_of(each)
    arm("GET", f"{WORKSPACE}/{each.path}")(of_list)
    arm("GET", f"{WORKSPACE}/{each.path}/{{name}}")(of_get)
    arm("PUT PATCH DELETE POST", f"{WORKSPACE}/{each.path}/{{name}}")(of_refuse)
    arm("GET PUT PATCH DELETE POST", f"{WORKSPACE}/{each.path}/{{name}}/{{rest:path}}")(of_refuse)
