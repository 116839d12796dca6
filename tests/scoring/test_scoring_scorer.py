"""Azure's no-code MLflow scorer: how it reads a request, what it refuses and in which words, how it answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.conversation import answer
from scripts.local.scoring import scorer
from scripts.local.scoring.__main__ import answer_shape
from scripts.local.scoring.contract import BadRequest
from scripts.local.scoring.scorer import ScriptError
from tests.scoring.test_scoring_app import Client

HELLO = [{"role": "user", "content": " Hello "}]
LONGER = [*HELLO, {"role": "assistant", "content": "Hi."}, {"role": "user", "content": "Sure?"}]


def body(messages: Any = HELLO, **parameters: Any) -> dict[str, Any]:
    return {"input_data": {"input_string": messages, "parameters": {"max_new_tokens": 4, **parameters}}, "params": {}}


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "POST body is empty. Expecting a JSON dictionary."),
        (b"{", "POST body could not be decoded as JSON: Expecting property name"),
        (b"[]", "POST body should be a JSON dictionary."),
        (b"{}", "A value is not provided for the 'input_data' parameter."),
    ],
)
def test_the_outline_is_refused_in_the_servers_words(sent: bytes, words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        scorer.parse(sent)
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(
    ("request_body", "reason"),
    [
        (body([*HELLO, {"role": "assistant", "content": "Hi."}]), "Last role should be 'user'"),
        (body([*HELLO, *HELLO]), "Invalid turn. Expected user input"),
        (body([[*HELLO, *HELLO], HELLO]), "Invalid turn. Expected user input"),
        (body("Hello"), "input_data.input_string: found a string"),
        (body(seed=1), "parameters.seed: transformers' text generation has no such argument"),
        (body(stream=True), "parameters.stream"),
        (body(stop=["x"]), "parameters.stop"),
        (body(temperature=0, do_sample=True), "strictly positive"),
        ({"input_data": []}, "input_data: found a list"),
    ],
)
def test_what_fails_in_the_script_is_a_reason_for_the_log(request_body: dict[str, Any], reason: str) -> None:
    with pytest.raises(ScriptError) as failed:
        scorer.parse(json.dumps(request_body).encode())
    assert reason in str(failed.value)


def test_the_turns_that_reach_the_template() -> None:
    messages = [
        {"role": "system", "content": " Be brief. "},
        {"role": "user", "content": " One? "},
        {"role": "assistant", "content": "1"},
        {"role": "tool", "content": "2"},
        {"role": "user", "content": "Three?"},
    ]
    question, ignored = scorer.parse(json.dumps({**body(messages), "more": 1, "params": {"seed": 1}}).encode())
    assert question.conversations == [[
        {"role": "system", "content": "<<SYS>>\nBe brief.\n<</SYS>>\n\n"},
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "Three?"},
    ]]  # fmt: skip
    assert question.rows == 5
    assert ignored == ["more", "params"]


@pytest.fixture(scope="module")
def client(served: Path) -> Client:
    made = Client(served)
    made.server.shape = answer.SCORER
    return made


def test_the_answers_are_what_pandas_makes_of_them(client: Client) -> None:
    one, longer, wrapped, two = client.many(body(), body(LONGER), body([LONGER]), body([HELLO, LONGER]))
    assert all(response.status_code == 200 for response in (one, longer, wrapped, two))
    first, second = answer.read(one.text), answer.read(longer.text)
    assert one.json() == [{"0": first}]
    assert longer.json() == [second]
    assert wrapped.json() == [{"0": second}]
    assert two.json() == [{"0": first}, {"0": second}]


def test_a_refusal_has_the_servers_form_and_the_log_the_reason(client: Client) -> None:
    outline, script, template = client.many({}, body(stream=True), body([{"role": "user", "content": "x " * 1000}]))
    assert (outline.status_code, outline.json()) == (
        400, {"message": "A value is not provided for the 'input_data' parameter."},
    )  # fmt: skip
    for failed in (script, template):
        assert (failed.status_code, failed.json()) == (500, {"message": scorer.FAILED_SCRIPT})
    assert any("parameters.stream" in line for line in client.log)
    assert any("the model's context is 256" in line for line in client.log)


def test_the_shape_is_the_settings_or_the_models_own(make_served: Callable[..., Path]) -> None:
    hub = make_served('"serving": {"answers": "scorer", "because": "from the hub"}')
    assert answer_shape("auto", hub) == ("scorer", "from the hub")
    assert answer_shape("records", hub) == ("records", "by the setting serving.answer_shape")
    shape, why = answer_shape("auto", make_served())
    assert shape == "output" and why.startswith("unverified")
