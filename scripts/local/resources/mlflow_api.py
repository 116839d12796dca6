"""What the handlers of MLflow's REST API share: how one is registered, what a request says, MLflow's own envelope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from scripts.local.core.web import WORKSPACE, AzureError, Call, Routes, bad_request, reply
from scripts.local.resources.forms import form

CODES = {400: "INVALID_PARAMETER_VALUE", 404: "RESOURCE_DOES_NOT_EXIST", 409: "RESOURCE_ALREADY_EXISTS"}
Body = dict[str, Any]


Handler = Callable[[Call, Body], Awaitable[Any]]


def router(*tables: Routes) -> Callable[[str, str], Callable[[Handler], Handler]]:
    """Returns a decorator's maker, `route("GET", "registered-models/get")`, that registers in these tables.

    A handler gets what the request says, and what it refuses is told in MLflow's own envelope.
    """

    def route(methods: str, path: str) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            async def answer(call: Call) -> Any:
                try:
                    asked = call.request.method == "GET"
                    sent = None if asked else form("mlflow_registry").read(call.json(), "The request")
                    return await handler(call, dict(call.request.query_params) if sent is None else sent)
                except AzureError as error:
                    code = CODES.get(error.status, error.code)
                    message = "; ".join([error.message, *(each["message"] for each in error.details)])
                    return reply({"error_code": code, "message": message}, error.status)

            answer.__doc__ = handler.__doc__
            for table in tables:
                for version in ("v1.0", "v2.0"):
                    table(methods, f"/mlflow/{version}{WORKSPACE}/api/2.0/mlflow/{path}")(answer)
            return handler

        return register

    return route


def milliseconds(seconds: float) -> int:
    """Returns a time as MLflow writes it."""
    return int(seconds * 1000)


def pairs(tags: dict[str, str] | None) -> list[dict[str, str]]:
    """Returns tags as MLflow writes them."""
    return [{"key": key, "value": value} for key, value in (tags or {}).items()]


def text(body: Body, key: str) -> str:
    """Returns a text that a request must have."""
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise bad_request(f"Missing value for required parameter '{key}': it must be a text.")
    return value


def tags_of(body: Body) -> dict[str, str]:
    """Returns the tags that a request has."""
    return {each["key"]: each.get("value", "") for each in body.get("tags", [])}


def part(body: Body, items: list[Any], most: int = 1000) -> tuple[list[Any], Body]:
    """Returns a page of what was found, and the token of the next one where there is more."""
    numbers = [str(body.get(key) or default) for key, default in (("page_token", 0), ("max_results", 100))]
    if not all(each.isdecimal() and len(each) < 10 for each in numbers):
        raise bad_request("The parameters max_results and page_token must be whole numbers.")
    start, size = int(numbers[0]), min(int(numbers[1]) or 100, most)
    more = {"next_page_token": str(start + size)} if start + size < len(items) else {}
    return items[start : start + size], more
