"""The routes, on the tiny model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.local.scoring.app import Server
from scripts.local.scoring.batcher import Batcher
from scripts.local.scoring.generator import Generator

SECRET = "a secret question"


class Client:
    """Asks the application without a socket; `log` is what it logged."""

    def __init__(self, folder: Path | None, rows: int = 4) -> None:
        self.log: list[str] = []
        self.server = Server(self.log.append)
        if folder:
            self.server.batcher = Batcher(Generator(folder, rows), self.log.append).start()

    def many(self, *bodies: Any) -> list[httpx.Response]:
        return self.raw(*(json.dumps(body).encode() for body in bodies))

    def raw(self, *bodies: bytes) -> list[httpx.Response]:
        async def run() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.server.application())
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                asked = (client.post("/score", content=body) for body in bodies)
                return await asyncio.wait_for(asyncio.gather(*asked), 120)

        return asyncio.run(run())

    def get(self) -> httpx.Response:
        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self.server.application())
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.get("/")

        return asyncio.run(run())


@pytest.fixture(scope="module")
def client(served: Path) -> Iterator[Client]:
    return Client(served)


def body(content: str = SECRET, **parameters: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": content}]
    return {"input_data": {"input_string": messages, "parameters": {"max_new_tokens": 8, **parameters}}, "params": {}}


def test_an_answer_has_the_shape_of_the_contract(client: Client) -> None:
    (response,) = client.many(body())
    assert response.status_code == 200
    assert set(response.json()) == {"output"}
    assert isinstance(response.json()["output"], str) and response.json()["output"]


def test_several_conversations_get_a_list(client: Client) -> None:
    one, other = ([{"role": "user", "content": content}] for content in ("Hello", "x"))
    request = {"input_data": {"input_string": [one, other], "parameters": {"max_new_tokens": 8}}}
    together, first, second = client.many(request, body("Hello"), body("x"))
    assert together.json() == [first.json(), second.json()]
    assert first.json() != second.json()


def test_health_follows_the_model(client: Client) -> None:
    loading = Client(None)
    assert (loading.get().status_code, loading.get().text) == (503, "Loading")
    assert loading.many(body())[0].status_code == 503
    assert (client.get().status_code, client.get().text) == (200, "Healthy")


def test_the_clients_mistake_is_400_with_a_sentence(client: Client) -> None:
    wrong, long = client.many({"input_data": {}}, body("x " * 1000))
    assert wrong.status_code == long.status_code == 400
    assert wrong.json()["error"]["code"] == "BadRequest"
    assert "input_data.input_string: missing" in wrong.json()["error"]["message"]
    assert "the model's context is 256" in long.json()["error"]["message"]


def test_concurrent_requests_share_forward_passes(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, rows = client.server.batcher.generator, []
    forward = generator._forward

    def counted(first: int, count: int, ids: Any) -> Any:
        rows.append(count)
        return forward(first, count, ids)

    monkeypatch.setattr(generator, "_forward", counted)
    responses = client.many(*(body(f"Question {number}?", max_new_tokens=20) for number in range(4)))
    assert all(response.status_code == 200 for response in responses)
    assert max(rows) == 4
    assert len(rows) < 0.6 * 4 * 20


def test_a_stream_adds_up_to_the_answer(client: Client) -> None:
    whole, stream = client.many(body("äöü 😀", max_new_tokens=30), body("äöü 😀", max_new_tokens=30, stream=True))
    assert stream.headers["content-type"].startswith("text/event-stream")
    events = [line.removeprefix("data: ") for line in stream.text.split("\n\n") if line]
    assert events[-1] == "[DONE]"
    parts = [json.loads(event) for event in events[:-1]]
    assert len(parts) > 3
    assert parts[-1] == {"output": "", "finish_reason": "length"}
    assert "".join(part["output"] for part in parts) == whole.json()["output"]


def test_a_stream_never_shows_the_beginning_of_a_stop_string(client: Client) -> None:
    (whole,) = client.many(body("Hello", max_new_tokens=30))
    stop = whole.json()["output"][6:10]
    stopped, stream = client.many(*(body("Hello", max_new_tokens=30, stop=stop, stream=s) for s in (False, True)))
    events = [
        json.loads(line.removeprefix("data: ")) for line in stream.text.split("\n\n") if line.startswith("data: {")
    ]
    assert "".join(event["output"] for event in events) == stopped.json()["output"]
    assert stop not in stopped.json()["output"]


def test_the_whole_text_is_there_when_asked_for(client: Client) -> None:
    plain, full = client.many(body("Hello"), body("Hello", return_full_text=True))
    assert full.json()["output"].endswith(plain.json()["output"])
    assert "Hello" in full.json()["output"]


def test_a_failing_model_is_500_and_the_next_request_is_answered(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(client.server.batcher.generator, "_forward", lambda *_: 1 / 0)
        (response,) = client.many(body())
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "SystemError"
    assert any("generation failed: ZeroDivisionError" in line for line in client.log)
    assert client.many(body())[0].status_code == 200


def test_a_client_that_leaves_frees_its_row(client: Client) -> None:
    async def run() -> None:
        application = client.server.application()
        sent = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if not sent.is_set():
                sent.set()
                return {"type": "http.request", "body": json.dumps(body(max_new_tokens=100000)).encode()}
            await asyncio.sleep(0.05)
            return {"type": "http.disconnect"}

        async def send(_: dict[str, Any]) -> None:
            pass

        scope = {"type": "http", "method": "POST", "path": "/score", "headers": [], "query_string": b""}
        await application(scope, receive, send)

    asyncio.run(run())
    assert client.many(body())[0].status_code == 200
    assert client.server.batcher.generator.active == []
    assert any("/score 499" in line for line in client.log)


def test_the_log_has_a_line_a_request_and_nothing_that_was_said(client: Client) -> None:
    client.log.clear()
    (response,) = client.many(body())
    (line,) = client.log
    assert line.startswith("POST /score 200 ") and "8 new tokens" in line
    assert SECRET not in line and response.json()["output"] not in line
