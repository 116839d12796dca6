"""The terminal chat: commands, what goes into a request, what is saved; and asking the endpoint, streamed or whole."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.chat.terminal import HELP, Terminal
from scripts.chat.turns import Conversation
from scripts.conversation import endpoint as endpoint_module
from scripts.conversation.endpoint import AskError, Endpoint
from scripts.conversation.held_out import Case
from scripts.errors import UserError
from scripts.files import ROOT

UNREAD = "nothing can be read from standard input (bad file descriptor); call this in a terminal"
KEY = "secret-key-of-the-endpoint"


class Talk:
    """A terminal whose endpoint answers with the number of messages it was sent."""

    def __init__(self, folder: Path) -> None:
        self.said = ""
        self.sent: list[tuple[list[dict[str, str]], dict[str, Any]]] = []
        conversation = Conversation({"temperature": 0.6, "max_new_tokens": 20})
        self.terminal = Terminal(conversation, self.ask, self.say, folder / "saved.jsonl")

    def say(self, text: str) -> None:
        self.said += text

    def ask(self, conversation: Conversation) -> Iterator[str]:
        self.sent.append((list(conversation.messages), dict(conversation.parameters)))
        if conversation.turns[-1]["content"] == "fail":
            raise UserError("endpoint e: HTTP 503: the deployment is not ready yet")
        if conversation.turns[-1]["content"] == "stop":
            yield "half"
            raise KeyboardInterrupt
        if conversation.turns[-1]["content"] == "orders":
            yield from ("\x1b]0;name\x07", "\r\ttwo\x9b2J \u202eabc é 👩\u200d🚀\n")
            return
        yield from ("answer ", str(len(conversation.messages)))

    def take(self, *lines: str) -> str:
        before = len(self.said)
        for line in lines:
            assert self.terminal.take(line)
        return self.said[before:]


@pytest.fixture
def talk(tmp_path: Path) -> Talk:
    return Talk(tmp_path)


def test_history_and_system_prompt_go_along(talk: Talk) -> None:
    assert talk.take("/system Be brief.", "one").endswith("s]\n")
    talk.take("two")
    roles = [message["role"] for message in talk.sent[-1][0]]
    assert roles == ["system", "user", "assistant", "user"]
    talk.take("/undo", "/again")
    assert [message["content"] for message in talk.sent[-1][0]] == ["Be brief.", "one"]
    talk.take("/new", "/system", "three")
    assert talk.sent[-1][0] == [{"role": "user", "content": "three"}]


def test_parameters_by_command(talk: Talk) -> None:
    talk.take("/set temperature 0", "/set do_sample=false", "hello")
    assert talk.sent[-1][1] == {"temperature": 0, "do_sample": False, "max_new_tokens": 20}
    assert "did you mean 'temperature'" in talk.take("/set temprature 1")
    assert "expected a whole number from 1" in talk.take("/set max_new_tokens 0")
    assert "expected true or false" in talk.take("/set do_sample 1")
    assert "did you mean 'save'" in talk.take("/sav")


def test_a_failed_or_stopped_question_is_taken_back(talk: Talk) -> None:
    talk.take("one")
    assert "not ready yet; the question is taken back" in talk.take("fail")
    assert "[stopped; the question is taken back]" in talk.take("stop")
    assert len(talk.terminal.conversation.turns) == 2


def test_what_fails_anew_leaves_the_answer_that_there_was(talk: Talk) -> None:
    talk.take("one")
    talk.terminal.conversation.turns[0]["content"] = "fail"
    assert talk.take("/again").endswith("the question is taken back]\n[the answer that there was stays]\n")
    assert [turn["content"] for turn in talk.terminal.conversation.turns] == ["fail", "answer 1"]


def test_a_terminal_obeys_no_answer(talk: Talk) -> None:
    said = talk.take("orders")
    assert said.startswith("�]0;name�\ttwo�2J �abc é 👩\u200d🚀\n")
    shown = talk.take("/show")
    assert "\x1b" not in shown and "�]0;name�" in shown
    assert talk.terminal.conversation.turns[-1]["content"].startswith("\x1b]0;name\x07")  # as it was said


def test_an_example_is_a_new_conversation_and_shows_the_true_answer(talk: Talk) -> None:
    assert "there are 0 examples" in talk.take("/example")
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is it up?\x1b"}]
    talk.terminal.examples = lambda: [Case("a", messages, "yes"), Case("b", messages[1:], "no")]
    said = talk.take("one", "/example")
    assert "system: Be brief.\nuser: Is it up?" in said and said.endswith("s]\ntrue: yes\n") and "\x1b" not in said
    assert talk.sent[-1][0] == messages
    talk.take("/example 2")
    assert talk.sent[-1][0] == messages[1:]
    for odd in ("0", "3", "x", "-1", "99999"):
        assert talk.take(f"/example {odd}") == "[there are 2 examples: /example 1 asks the first]\n"


def test_the_transcript_is_one_more_row(talk: Talk, tmp_path: Path) -> None:
    assert "nothing to save yet" in talk.take("/save")
    talk.take("/system Be brief.", "one", "/save")
    (tmp_path / "other.jsonl").write_text('{"messages": []}')  # without a line break at its end
    assert "2 rows" in talk.take(f"/save {tmp_path / 'other.jsonl'}")
    row = json.loads((tmp_path / "saved.jsonl").read_text())
    assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant"]
    assert json.loads((tmp_path / "other.jsonl").read_text().splitlines()[1]) == row


def test_help_names_every_command(talk: Talk) -> None:
    assert talk.take("/help").strip() == HELP.strip()
    commands = {name.removeprefix("do_") for name in dir(Terminal) if name.startswith("do_")} - {"help"}
    assert all(f"/{name}" in HELP for name in commands)
    assert not talk.terminal.take("/quit")


def endpoint(credential: Any = lambda: KEY) -> Endpoint:
    return Endpoint("e", "https://e.example/score", "blue", "m:1", 1, 1, 5.0, credential)


def client(handler: Any) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(handler))


def test_a_streamed_answer_comes_in_pieces() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert json.loads(request.content)["input_data"]["parameters"]["stream"] is True
        assert request.headers["authorization"] == f"Bearer {KEY}"
        last = '{"output": "", "finish_reason": "stop"}'
        events = f'data: {{"output": "one "}}\n\ndata: {{"output": "two"}}\n\ndata: {last}\n\ndata: [DONE]\n\n'
        return httpx.Response(200, text=events, headers={"content-type": "text/event-stream; charset=utf-8"})

    assert list(endpoint().pieces([{"role": "user", "content": "x"}], {}, client(handler))) == ["one ", "two"]


def test_a_server_that_cannot_stream_is_asked_for_whole_answers_from_then_on() -> None:
    seen = []

    def handler(request: httpx.Request) -> httpx.Response:
        parameters = json.loads(request.content)["input_data"]["parameters"]
        seen.append("stream" in parameters)
        return httpx.Response(400 if "stream" in parameters else 200, json={"output": "whole"})

    asked = endpoint()
    for _ in range(2):
        assert list(asked.pieces([{"role": "user", "content": "x"}], {}, client(handler))) == ["whole"]
    assert seen == [True, False, False]


def test_a_question_that_is_refused_for_another_reason_costs_no_streaming() -> None:
    asked = endpoint()
    with pytest.raises(AskError, match="too long"):
        list(asked.pieces([], {}, client(lambda _: httpx.Response(400, json={"error": {"message": "too long"}}))))
    assert asked.streams


def test_an_error_in_the_stream_is_an_error() -> None:
    events = 'data: {"output": "one "}\n\ndata: {"error": {"code": "SystemError", "message": "The model failed."}}\n\n'

    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=events, headers={"content-type": "text/event-stream"})

    with pytest.raises(AskError, match="The model failed"):
        list(endpoint().pieces([{"role": "user", "content": "x"}], {}, client(handler)))


def test_a_refused_key_is_fetched_anew_once() -> None:
    keys = iter(["old", "new", "never"])

    def handler(request: httpx.Request) -> httpx.Response:
        good = request.headers["authorization"] == "Bearer new"
        return httpx.Response(200 if good else 401, json={"output": "hello"} if good else {})

    assert endpoint(lambda: next(keys)).ask([{"role": "user", "content": "x"}], {}, client(handler)) == "hello"
    with pytest.raises(AskError, match="HTTP 401") as caught:
        endpoint(lambda: "old").ask([], {}, client(handler))
    assert caught.value.status == 401


@pytest.mark.parametrize(("status", "text", "words"), [
    (429, "", "max_concurrent_requests_per_instance"),
    (408, "", "request_timeout_ms"),
    (424, '{"error": {"code": "x", "message": "No room on the device."}}', "No room on the device."),
    (500, "<html>oops</html>", "oops"),
])  # fmt: skip
def test_a_refusal_is_a_sentence_without_the_key(status: int, text: str, words: str) -> None:
    asked = endpoint()
    with pytest.raises(AskError) as caught:
        asked.ask([{"role": "user", "content": "x"}], {}, client(lambda _: httpx.Response(status, text=text)))
    assert f"HTTP {status}: " in str(caught.value) and words in str(caught.value)
    assert KEY not in str(caught.value) + repr(asked)


MODEL = {"ms-azureml-model-error-statuscode": "400", "ms-azureml-model-error-reason": "model_error"}


@pytest.mark.parametrize(("status", "text", "headers", "sentence"), [
    (429, "", {}, "HTTP 429: more requests at once than deployment.max_concurrent_requests_per_instance"),
    (408, "upstream request timeout", {}, "request_timeout_ms; ask for fewer tokens, or raise it (180000 at most) "
     "(it said: upstream request timeout)"),
    (404, "No valid deployments to route to.", {}, "no deployment has traffic; deploying gives it all (it said: No"),
    (424, '{"message": "POST body should be a JSON dictionary."}', MODEL,
     "HTTP 424: the model's server answered 400: POST body should be a JSON dictionary."),
    (400, '{"message": "Bad."}', MODEL,
     "HTTP 400: the model's server answered 400: Bad."),
    (424, '{"message": "An unexpected error occurred in scoring script."}',
     {**MODEL, "ms-azureml-model-error-statuscode": "500"},
     "answered 500: An unexpected error occurred in scoring script.; the scoring server failed; its log says why"),
    (424, "", {"ms-azureml-model-error-statuscode": "502", "ms-azureml-model-error-reason": "no_response"},
     "the model's server answered 502 (no_response): without a word; the scoring server failed"),
    (424, "", {}, "HTTP 424: the scoring server failed; its log says why"),
])  # fmt: skip
def test_what_the_gateway_says_is_put_into_a_sentence(
    status: int, text: str, headers: dict[str, str], sentence: str
) -> None:
    reply = httpx.Response(status, text=text, headers=headers)
    assert sentence in endpoint_module.refusal(reply.status_code, reply.text, reply.headers)


@pytest.mark.parametrize(("model", "expected"), [
    ("azureml:name:3", "name:3"),
    ("/subscriptions/s/resourceGroups/g/providers/p/workspaces/w/models/name/versions/3", "name:3"),
    ("azureml://registries/r/models/name/versions/3", "name:3"),
])  # fmt: skip
def test_the_served_model_is_known_by_name_and_version(model: str, expected: str) -> None:
    assert endpoint_module.model_reference(model) == expected


@pytest.mark.parametrize("event", ["{", "3", "[]", '{"error": "broken"}', "\ufffd"])
def test_what_is_no_event_is_a_sentence(event: str) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=f"data: {event}\n\n", headers={"content-type": "text/event-stream"})

    with pytest.raises(AskError, match=r"no event|broken"):
        list(endpoint().pieces([{"role": "user", "content": "x"}], {}, client(handler)))


def test_a_file_that_is_no_text_keeps_what_it_has(talk: Talk, tmp_path: Path) -> None:
    talk.take("one")
    (tmp_path / "photo").write_bytes(b"\xff\xd8\x00")
    assert "photo: not UTF-8 text" in talk.take(f"/save {tmp_path / 'photo'}")
    assert "no file of JSON lines" in talk.take("/save a\0b")
    assert (tmp_path / "photo").read_bytes() == b"\xff\xd8\x00"


def test_rows_are_counted_by_line_breaks_alone(talk: Talk, tmp_path: Path) -> None:
    talk.take("one\u2028two", "/save")
    assert "2 rows" in talk.take("/save")
    assert len((tmp_path / "saved.jsonl").read_text(encoding="utf-8").split("\n")) == 3


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ("<&-", 0, ""),
        ("</dev/null", 0, ""),
        ("0>/dev/null", 7, f"error: {UNREAD}"),
    ],
)
def test_without_anybody_who_types_it_ends(given: str, code: int, words: str) -> None:
    program = "from scripts.errors import main; from scripts.chat.terminal import lines; main(lambda: len([*lines()]))"
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(program)} {given}"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (code, "", words)
