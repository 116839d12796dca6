"""invoke, chat, evaluate and loadtest ask the same questions with the same bytes: they are run, and listened to."""

from __future__ import annotations

import functools
import json
import shlex
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scripts import invoke
from scripts.chat.terminal import Terminal
from scripts.chat.turns import Conversation
from scripts.chat.web import _messages
from scripts.conversation import endpoint as endpoint_module
from scripts.conversation import held_out, request
from scripts.conversation.endpoint import Endpoint
from scripts.evaluate import compare, general, model_version
from scripts.loadtest import __main__ as loadtest
from scripts.values.read import load

REQUEST = load("demo").data["request"]
GREEDY = {"do_sample": False, "max_new_tokens": 5}
ANSWER = json.dumps({"output": "hello"})
AZ = shlex.join([sys.executable, "-c", f"print({ANSWER!r})"])  # the request lies in a file that it is given


class Recorder(ThreadingHTTPServer):
    """A scoring server that keeps the bodies it was sent, and cannot stream."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[bytes] = []

    def endpoint(self) -> Endpoint:
        return Endpoint("e", f"http://127.0.0.1:{self.server_address[1]}/score", "d", "m:1", 1, 2, 5.0, lambda: "key")


class Handler(BaseHTTPRequestHandler):
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        streamed = "stream" in json.loads(body)["input_data"]["parameters"]
        if not streamed:
            self.server.bodies.append(body)
        content = ANSWER.encode()
        self.send_response(400 if streamed else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Recorder()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with held-out conversations in two files, one in both, with more keys than a server should read."""
    folder = tmp_path / "data" / "demo"
    folder.mkdir(parents=True)
    for name, numbers in (("heldout", (1, 2)), ("test", (2, 3, 3))):
        rows = [
            {"messages": [
                {"role": "system", "content": "Be brief.", "name": "owner"},
                {"role": "user", "content": f"Größe {number}?\u2028", "tool_calls": None},
                {"role": "assistant", "content": "Groß 😀.", "weight": 0},
                {"role": "user", "content": "Sure?"},
                {"role": "assistant", "content": f"Yes, {number}."},
            ], "prompt_id": str(number)}
            for number in numbers
        ]  # fmt: skip
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    (folder / "manifest.json").write_text(json.dumps({"version": "data-1"}))
    monkeypatch.setattr(invoke, "question", functools.partial(invoke.question, root=tmp_path))
    drawn = held_out.drawn
    monkeypatch.setattr(held_out, "drawn", lambda name, most, seed, _=None: drawn(name, most, seed, tmp_path))
    return tmp_path


def bodies(cases: list[held_out.Case], parameters: dict[str, Any]) -> set[bytes]:
    return {request.body(case.messages, parameters) for case in cases}


def test_the_requests_are_the_same_bytes(
    project: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = held_out.cases("demo", project)
    assert [case.name for case in cases] == ["heldout.jsonl:1", "heldout.jsonl:2", "test.jsonl:2"]
    asked, greedy = bodies(cases, REQUEST), bodies(cases, GREEDY)
    assert all(b"owner" not in body and b"weight" not in body for body in asked)

    sent = set()
    for number in range(len(cases)):
        assert invoke.run(["--env", "demo", "--row", str(number), "--folder", str(project), "--az", AZ]) == 0
        sent.add((project / "request.json").read_bytes())
    assert sent == asked

    for parameters, expected in ((REQUEST, asked), (GREEDY, greedy)):
        assert sent_by_chat(cases, parameters, recorder, project) == expected

    monkeypatch.setattr(endpoint_module, "require", lambda *_: recorder.endpoint())
    monkeypatch.setattr("scripts.azure.client.connect", lambda *_: None)
    monkeypatch.setattr(
        "scripts.evaluate.model_version.served", lambda *_: model_version.ModelVersion("m", "1", "none")
    )
    loadtest.run(["--env", "demo", "--levels", "1,2", "--seconds", "0.3"])
    assert taken(recorder) == asked

    monkeypatch.setattr(endpoint_module, "find", lambda *_: recorder.endpoint())
    monkeypatch.setattr("scripts.evaluate.model_version.name", lambda _: "m")
    values = load("demo", ["evaluation.weights=false", "evaluation.max_new_tokens=5", "evaluation.resamples=100"])
    evaluated = compare.evaluate(values, "1", project, None, root=project)
    assert evaluated.asked == len(cases)
    assert taken(recorder) == greedy | bodies(general.questions(), GREEDY)


def sent_by_chat(
    cases: list[held_out.Case], parameters: dict[str, Any], recorder: Recorder, folder: Path
) -> set[bytes]:
    """Asks each case's last question in the terminal, and returns what the endpoint got after it refused to stream."""
    for case in cases:
        conversation = Conversation(dict(parameters), case.messages[0]["content"], list(case.messages[1:-1]))
        endpoint = recorder.endpoint()
        with endpoint_module.http_client(5) as http:
            terminal = Terminal(
                conversation,
                lambda talk, at=endpoint, by=http: at.pieces(talk.messages, talk.parameters, by),
                lambda _: None,
                folder / "saved.jsonl",
            )
            terminal.take(case.messages[-1]["content"])
        page = {"messages": [{"role": m["role"], "content": m["content"]} for m in case.messages]}
        assert request.body(_messages(page), parameters) == request.body(case.messages, parameters)
    return taken(recorder)


def taken(recorder: Recorder) -> set[bytes]:
    """Returns the bodies that came, and forgets them."""
    came, recorder.bodies = set(recorder.bodies), []
    return came
