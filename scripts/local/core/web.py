"""The small web framework: routes with Azure's path templates, a call, replies and Azure's error envelope."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from scripts.local.core import clock
from scripts.local.core.state import PROVIDER, Parts, State, Workspace

SUBSCRIPTION = "/subscriptions/{subscription}"
GROUP = SUBSCRIPTION + "/resourceGroups/{group}"
WORKSPACE = GROUP + PROVIDER + "/workspaces/{workspace}"
MANAGEMENT = "management.azure.com"  # the host of Azure Resource Manager
INVALID_BODY = "InvalidRequestContent"
DEEPEST = 60  # levels of a request: no resource has as many, and Python would stop at some hundreds
MOST_BYTES = 4 * 2**20  # of a request that is no file; ARM is said to take as many, the words are unverified
REGISTRY = "/mferp/managementfrontend" + GROUP + PROVIDER + "/registries/{registry}"


class Layer(enum.Enum):
    """Which part of Azure refuses: each has an envelope of its own, as Microsoft's recordings of the service show."""

    MANAGEMENT = "the management front end of Azure ML: code, message, details and additionalInfo"
    GATEWAY = "Azure Resource Manager, for what it does not know: code and message"
    PROVIDER = "computes and connections: twelve keys, and what went with the request beside them"
    SILENT = "computes, for one that is not there: no body at all"
    REGISTRY = "a registry's assets: as the management front end, with what the service behind it answered"


class AzureError(Exception):
    """A refusal: becomes Azure's error envelope. `message` is one sentence that names what is wrong.

    `inner` are the codes of the InnerError chain, the outermost first, in which Azure ML says more than in `code`;
    `parts` what else stands in additionalInfo.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: list[dict[str, str]] | None = None,
        inner: Sequence[str] = (),
        layer: Layer = Layer.MANAGEMENT,
        parts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details = status, code, message, details or []
        self.inner, self.layer, self.parts = tuple(inner), layer, dict(parts or {})

    def fault(self) -> dict[str, Any]:
        """Returns `error` as a poll of an operation shows it: what has failed, and nothing of a request."""
        details = [{"details": [], "additionalInfo": [], **detail} for detail in self.details]
        return {"code": self.code, "message": self.message, "details": details, "additionalInfo": []}

    def headers(self) -> dict[str, str]:
        """Returns the header by which Azure says who has refused."""
        if self.layer is Layer.GATEWAY:
            return {"x-ms-failure-cause": "gateway"}
        return {"x-ms-response-type": "standard" if self.layer is Layer.SILENT else "error"}

    def envelope(self, region: str = "eastus", request: str = "") -> dict[str, Any] | None:
        """Returns the JSON body of the refusal of a request (its id), None where Azure sends none."""
        if self.layer is Layer.SILENT:
            return None
        if self.layer is Layer.GATEWAY:
            return {"error": {"code": self.code, "message": self.message}}
        chain: dict[str, Any] | None = None
        for code in reversed(self.inner):
            chain = {"code": code, "innerError": chain}
        correlation = {"operation": request.replace("-", ""), "request": request[:16].replace("-", "")}
        now = clock.iso(clock.now())
        if self.layer is Layer.PROVIDER:
            nothing = dict.fromkeys(
                ("severity", "messageFormat", "messageParameters", "referenceCode", "detailsUri", "target", "debugInfo")
            )
            error = {**nothing, **self.fault(), "innerError": chain, "additionalInfo": None}
            about = {"environment": region, "location": region, "time": now, "componentName": "workspaceandcompute"}
            return {"error": error, "correlation": correlation, **about}
        values: dict[str, Any] = {
            "ComponentName": "managementfrontend",
            "Correlation": correlation,
            "Environment": region,
        }
        values |= {"Location": region, "Time": now, **({"InnerError": chain} if chain else {}), **self.parts}
        if self.layer is Layer.REGISTRY:
            behind = {"code": self.inner[0] if self.inner else self.code, "statusCode": self.status}
            values["DebugInfo"] = {"message": self.message, "innerException": None, "data": {}, "errorResponse": behind}
        additional = [{"type": name, "info": {"value": value}} for name, value in values.items()]
        return {"error": {**self.fault(), "additionalInfo": additional}}


def bad_request(message: str, code: str = "UserError", inner: Sequence[str] = ()) -> AzureError:
    """Returns the 400 that Azure ML answers when a request is understood and wrong."""
    return AzureError(400, code, message, inner=inner)


def not_found(message: str, code: str = "UserError", inner: Sequence[str] = ()) -> AzureError:
    """Returns a 404 of Azure ML."""
    return AzureError(404, code, message, inner=inner)


def unknown_resource(path: str, group: str) -> AzureError:
    """Returns the 404 of Azure Resource Manager for a resource (`workspaces/w/onlineEndpoints/e`) of a group."""
    message = (
        f"The Resource 'Microsoft.MachineLearningServices/{path}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    return AzureError(404, "ResourceNotFound", message, layer=Layer.GATEWAY)


INFERENCING = "InferencingClientCallFailed"


def inferencing(message: str, key: str = "", code: str = INFERENCING, status: int = 400) -> AzureError:
    """Returns a refusal of the service behind online endpoints, which the management front end wraps in its own.

    `key` is what of the request is wrong, as `VmSize`. Form as printed in public threads, 2023-03 and 2026-08.
    """
    titles = {400: ("BadRequest", "One or more validation errors occurred."), 404: ("NotFound", "Not Found")}
    outer, title = titles[status]
    said = {"errors": {key: [message]}, "title": title} if status == 400 else {"title": title, "detail": message}
    text = "The request is invalid." if status == 400 else "The specified resource was not found."
    return AzureError(status, outer, text, [{"code": code, "message": json.dumps(said, separators=(",", ":"))}])


def reply(body: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Returns a JSON response; without a body an empty one."""
    if body is None:
        return Response(status_code=status, headers=headers)
    return Response(json.dumps(body), status, headers, "application/json")


async def received(request: Request, most: int) -> bytes | None:
    """Returns the body of a request, or None as soon as it has more bytes than are taken."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)


@dataclasses.dataclass
class Call:
    """One request, with what its handler needs: the parts of the emulator, the words of its path and its workspace.

    `ws`, the workspace, is there on the routes of one only. `body` has been received whole before the handler begins,
    but on routes that stream: no handler waits between what it reads from the store and what it writes.
    """

    parts: Parts
    request: Request
    words: dict[str, str]
    host: str
    body: bytes = b""
    ws: Workspace = dataclasses.field(init=False)

    @property
    def state(self) -> State:
        """What all parts share."""
        return self.parts.state

    @property
    def query(self) -> dict[str, str]:
        """The query parameters, with their names in lower case."""
        return {key.lower(): value for key, value in self.request.query_params.items()}

    @property
    def api(self) -> str:
        """The version of the API that the client speaks, such as `2023-04-01-preview`."""
        return self.query.get("api-version", "")

    def json(self) -> dict[str, Any]:
        """Returns the body as a JSON object; anything else is refused with 400.

        An empty one is an object without keys, but of what writes a resource.
        """
        if not self.body and self.request.method not in ("PUT", "PATCH"):
            return {}
        try:
            body = json.loads(
                self.body.decode("utf-8-sig"),
                parse_constant=_refuse_constant,
                parse_float=_finite,
                object_pairs_hook=_once_each,
            )
            if b"\\ud" in self.body.lower():
                json.dumps(body, ensure_ascii=False).encode()  # half of a pair of surrogates is no character
        except RecursionError:
            raise bad_request("The request body is nested too deeply.", INVALID_BODY) from None
        except ValueError as error:
            raise bad_request(f"The request body is not JSON: {error}.", INVALID_BODY) from None
        if not isinstance(body, dict):
            message = f"The request body must be a JSON object, not {type(body).__name__}."
            raise bad_request(message, INVALID_BODY)
        if not isinstance(body.get("properties"), dict | None):
            raise bad_request("The key 'properties' of the request body must be a JSON object.", INVALID_BODY)
        if _is_deeper(body, DEEPEST):
            raise bad_request("The request body is nested too deeply.", INVALID_BODY)
        media = self.request.headers.get("content-type", "<null>").partition(";")[0].strip()
        # Words of azure-cli#10143, status of terraform#30354.
        if self.host == MANAGEMENT and media.lower() != "application/json":
            message = f"The content media type '{media}' is not supported. Only 'application/json' is supported."
            raise AzureError(415, "UnsupportedMediaType", message, layer=Layer.GATEWAY)
        return body

    def number(self, key: str) -> int:
        """Returns a query parameter that is a count, 0 where it is not given; anything else is refused with 400."""
        text = self.query.get(key) or "0"
        if not text.isdecimal() or len(text) > 9:
            raise bad_request(f"The query parameter {key} is {text!r}; allowed is a whole number.", "InvalidParameter")
        return int(text)


def _is_deeper(value: Any, levels: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_is_deeper(each, levels - 1) for each in parts)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large a number")
    return number


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns an object; one with a key twice is refused, as by Newtonsoft's JObject, which Azure reads with."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise ValueError(f"the key {twice[:80]!r} stands in an object twice")
    return found


Handler = Callable[[Call], Awaitable[Any]]


@dataclasses.dataclass(frozen=True)
class Route:
    """What is answered under a path; the docstring of `handler` says how."""

    methods: frozenset[str]
    template: str
    pattern: re.Pattern[str]
    handler: Handler
    streams: bool = False  # it reads the body itself, piece by piece


class Routes:
    """A table of routes of one host. `{word}` matches a path segment, `{word:path}` the rest; case does not matter."""

    def __init__(self) -> None:
        self.table: list[Route] = []

    def __call__(self, methods: str, template: str, streams: bool = False) -> Callable[[Handler], Handler]:
        """Registers a handler, as a decorator: `@routes("GET PUT", WORKSPACE + "/computes/{name}")`."""
        pattern = re.escape(template).replace(r"\{", "{").replace(r"\}", "}")
        pattern = re.sub(r"{(\w+):path}", r"(?P<\1>.*)", pattern)
        pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", pattern)
        compiled = re.compile(pattern + "/?", re.IGNORECASE)

        def register(handler: Handler) -> Handler:
            self.table.append(Route(frozenset(methods.split()), template, compiled, handler, streams))
            return handler

        return register

    def include(self, *others: Routes) -> Routes:
        """Adds the routes of other tables, which stay in their order."""
        for other in others:
            self.table.extend(other.table)
        return self

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Returns the route of a request and the words of its path; raises 404 or 405."""
        known = False
        for route in self.table:
            match = route.pattern.fullmatch(path)
            if match and method in route.methods:
                return route, match.groupdict()
            known = known or match is not None
        if known:
            raise AzureError(405, "MethodNotAllowed", f"{method} is not allowed on {path}.")
        raise not_found(f"The local Azure ML has no {method} {path}; its README lists what it emulates.", "NotEmulated")
