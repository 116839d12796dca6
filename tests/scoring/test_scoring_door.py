"""Who may ask the scoring server: who has its key, and no page of a browser."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from scripts.local.scoring.door import Door

KEY = {"Authorization": "Bearer the-key"}
HOST = {"Host": "127.0.0.1:9000"}


@pytest.mark.parametrize(
    ("key", "headers", "status"),
    [
        ("the-key", {**HOST, **KEY}, 200),
        ("the-key", {"Host": "localhost:9000", **KEY}, 200),
        ("the-key", {**HOST, **KEY, "Origin": "http://127.0.0.1:9000"}, 200),
        ("the-key", HOST, 401),
        ("the-key", {**HOST, "Authorization": "Bearer another"}, 401),
        ("the-key", {**HOST, "Authorization": "Basic the-key"}, 401),
        ("the-key", {**HOST, "Authorization": "Bearer schlüssel".encode()}, 401),
        ("the-key", {"Host": "rebound.example", **KEY}, 403),
        ("the-key", {"Host": "127.0.0.1.rebound.example", **KEY}, 403),
        ("the-key", {**HOST, **KEY, "Origin": "https://evil.example"}, 403),
        ("the-key", {**HOST, **KEY, "Origin": "http://127.0.0.1:9001"}, 403),
        ("the-key", {**HOST, **KEY, "Origin": "null"}, 403),
        ("", HOST, 200),  # started by hand: a program may ask, a page may not
        ("", {"Host": "rebound.example"}, 403),
        ("", {**HOST, "Origin": "https://evil.example"}, 403),
    ],
)
def test_who_may_ask(key, headers, status):
    application = Starlette(routes=[Route("/", lambda _: PlainTextResponse("in"))])
    assert TestClient(Door(application, key)).get("/", headers=headers).status_code == status
