"""Server-sent events pass the gateway as they come, and every promise that holds for a whole answer holds for them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint, OnlineRequestSettings

from scripts.conversation.endpoint import AskError, Endpoint
from scripts.conversation.endpoint import http_client as clients
from tests.local.conftest import SIZE, Local, enter
from tests.local.wire import tunnel

LIMIT = 2.0  # seconds that a request may take


class Streaming:
    """A deployment that takes one request at a time, and lets one more wait, whose server is the fake."""

    def __init__(self, local: Local) -> None:
        self.local, self.name = local, local.name("stream")
        ml = local.ml
        ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=self.name, auth_mode="key")).result()
        settings = OnlineRequestSettings(request_timeout_ms=int(1000 * LIMIT), max_concurrent_requests_per_instance=1)
        blue = ManagedOnlineDeployment(
            name="blue", endpoint_name=self.name, model=local.model().id, instance_type=SIZE, instance_count=1,
            request_settings=settings,
        )  # fmt: skip
        ml.online_deployments.begin_create_or_update(blue).result()
        self.host = f"{self.name}.eastus.inference.ml.azure.com"
        self.key = ml.online_endpoints.get_keys(self.name).primary_key
        self.headers = {"Authorization": f"Bearer {self.key}", "azureml-model-deployment": "blue"}

    def ask(self, *events: Any) -> requests.Response:
        """Returns the response when its head is there."""
        body = {"input_data": {"input_string": ["hi"], "parameters": {"events": events} if events else {}}}
        return requests.post(f"https://{self.host}/score", json=body, headers=self.headers, stream=True, timeout=20)


@pytest.fixture(scope="module")
def served(fake_emulator: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streaming]:
    patch = enter(fake_emulator)
    local = Local(fake_emulator, tmp_path_factory.mktemp("streams"), *fake_emulator.clients())
    made = Streaming(local)
    yield made
    local.ml.online_endpoints.begin_delete(made.name).result()
    patch.undo()


def texts(answer: requests.Response) -> Iterator[str]:
    for line in answer.iter_lines(chunk_size=1):
        if line:
            yield json.loads(line.removeprefix(b"data: "))["output"]


def test_words_come_before_the_end(served: Streaming) -> None:
    begun = time.monotonic()
    answer = served.ask("one ", 1, "two")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["azureml-model-deployment"] == "blue"
    assert answer.headers["x-ms-run-function-failed"] == "False"
    coming = texts(answer)
    assert next(coming) == "one "
    assert time.monotonic() - begun < 0.9
    assert list(coming) == ["two"]
    assert time.monotonic() - begun > 0.9


def test_a_stream_keeps_its_place_until_its_last_word(served: Streaming) -> None:
    first = served.ask("one ", 1, "two")
    held = tunnel(served.local.emulated, served.host)
    body = b'{"input_data": {"input_string": ["hi"]}}'
    head = f"POST /score HTTP/1.1\r\nHost: {served.host}\r\nAuthorization: Bearer {served.key}\r\n"
    head += f"azureml-model-deployment: blue\r\nContent-Length: {len(body)}\r\n\r\n"
    with held as queued:
        queued.sendall(head.encode() + body)
        time.sleep(0.2)
        assert served.ask("three").status_code == 429
        assert list(texts(first)) == ["one ", "two"]
        assert queued.recv(20).startswith(b"HTTP/1.1 200")


def test_who_leaves_a_stream_frees_its_place_at_once(served: Streaming) -> None:
    for _ in range(3):
        leaving = served.ask("one ", 1.5, "two")
        assert next(texts(leaving)) == "one "
        leaving.close()
    begun = time.monotonic()
    assert served.ask().status_code == 200
    assert time.monotonic() - begun < 1


def test_the_time_of_a_request_is_that_of_its_whole_stream(served: Streaming) -> None:
    begun = time.monotonic()
    heard: list[str] = []
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        for each in texts(served.ask("one ", 0.5, "two ", LIMIT, "three")):
            heard.append(each)
    assert heard == ["one ", "two "]
    assert LIMIT - 0.1 < time.monotonic() - begun < LIMIT + 1
    assert served.ask().status_code == 200


def test_a_server_that_ends_in_a_stream_leaves_what_there_is_and_is_asked_once(served: Streaming) -> None:
    heard: list[str] = []
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        for each in texts(served.ask("one ", 0.2, None)):
            heard.append(each)
    assert heard == ["one "]
    served.local.until(lambda: served.ask().status_code == 200)


def test_our_own_client_says_that_a_stream_broke_off(served: Streaming) -> None:
    endpoint = Endpoint(served.name, f"https://{served.host}/score", "blue", "m:1", 1, 1, 5.0, lambda: served.key)
    endpoint.headers = lambda: {**served.headers, "Content-Type": "application/json"}  # type: ignore[method-assign]
    heard: list[str] = []
    with clients(20) as http:
        with pytest.raises(AskError, match="broke off"):
            for piece in endpoint.pieces([{"role": "user", "content": "x"}], {"events": ["one ", 0.2, None]}, http):
                heard.append(piece)
        assert heard == ["one "]
        served.local.until(lambda: served.ask().status_code == 200)
        whole = endpoint.pieces([{"role": "user", "content": "x"}], {"events": ["one ", 0.2, "two"]}, http)
        assert list(whole) == ["one ", "two"]
