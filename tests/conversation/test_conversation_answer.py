"""The answer: every shape that a deployment answers in; and what the server streams is what the client reads."""

from __future__ import annotations

import json
import random

import pytest

from scripts.conversation import answer
from scripts.errors import UserError

SHAPES = {
    '{"output": "42"}': '{"output": "…"}',
    '{"output": "42", "finish_reason": "stop", "usage": null}': '{"output": "…"}',
    '[{"output": "42"}]': '[{"output": "…"}]',
    '{"output": ["42"]}': '{"output": "…"}',
    '["42"]': '["…"]',
    '["42", "another conversation"]': '["…"]',
    '[{"0": "42"}]': '[{"0": "…"}]',
    '{"0": "42"}': '{"0": "…"}',
    '{"choices": [{"message": {"content": "42", "role": "a"}}]}': '{"choices": [{"message": {"content": "…"}}]}',
    '"42"': '"…"',
    '"forty two"': '"…"',
    '"{\\"output\\": \\"42\\"}"': '{"output": "…"}',  # as az prints it in JSON
    '"[\\"42\\"]"': '["…"]',
}


@pytest.mark.parametrize(("response", "shape"), SHAPES.items())
def test_an_answer_in_every_shape(response: str, shape: str) -> None:
    text = "forty two" if "forty" in response else "42"
    assert answer.told(response) == (text, shape)
    assert answer.read(response) == text


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("", "is not JSON"),
        ("oops", "is not JSON"),
        ("[]", "has no answer in a known shape"),
        ("{}", "has no answer in a known shape"),
        ("3", "has no answer in a known shape"),
        ("[[1]]", "has no answer in a known shape"),
        ('{"output": null}', "has no answer in a known shape"),
        ('{"choices": []}', "has no answer in a known shape"),
        ('{"output": null, "error": {"status_code": 400}}', "is an error, {'status_code': 400}"),
    ],
)
def test_no_answer_is_a_sentence_with_the_body(response: str, reason: str) -> None:
    with pytest.raises(UserError) as caught:
        answer.read(response)
    assert reason in str(caught.value) and repr(response) in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "rows", "texts", "body"),
    [
        (answer.OUTPUT, 1, ["a"], {"output": "a"}),
        (answer.OUTPUT, 2, ["a", "b"], [{"output": "a"}, {"output": "b"}]),
        (answer.SCORER, 1, ["a"], [{"0": "a"}]),  # one message: as many answers as rows, so pandas makes records
        (answer.SCORER, 3, ["a"], ["a"]),
        (answer.SCORER, 2, ["a", "b"], [{"0": "a"}, {"0": "b"}]),  # two conversations
        (answer.LIST, 1, ["a"], ["a"]),
        (answer.RECORDS, 3, ["a"], [{"0": "a"}]),
    ],
)
def test_a_server_answers_in_its_shape(shape: str, rows: int, texts: list[str], body: object) -> None:
    assert answer.body(texts, shape, rows) == body
    assert answer.read(json.dumps(body)) == "a"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"error": {"code": "x", "message": "It broke."}}', "It broke."),
        ('{"message": "POST body should be a JSON dictionary."}', "POST body should be a JSON dictionary."),
        ('{"error": "Downstream unavailable"}', "Downstream unavailable"),
        ("upstream request timeout", "upstream request timeout"),
        ("<html><body>502</body></html>", ""),
        ("", ""),
        ("{}", ""),
    ],
)
def test_the_words_of_a_refusal(text: str, words: str) -> None:
    assert answer.words(text) == words


def test_what_is_written_is_read() -> None:
    assert answer.read(json.dumps(answer.written("ä\u2028\x85 😀"))) == "ä\u2028\x85 😀"


def test_a_stream_is_read_however_it_is_cut_into_chunks() -> None:
    """And a text that holds line separators of its own, at which str.splitlines would break an event."""
    texts = ["one ", "zwei\u2028drei\x85", "\n\r\x1e", "data: 😀"]
    events = [
        *(answer.event(answer.written(text)) for text in texts),
        answer.event(answer.written("", finish_reason="x")),
    ]
    stream = "".join(events) + answer.END
    draw = random.Random(5)
    for ending in (stream, stream.replace("\n\n", "\r\n\r\n")):
        for _ in range(50):
            cuts = sorted(draw.sample(range(len(ending)), 9))
            chunks = [ending[first:last] for first, last in zip([0, *cuts], [*cuts, None], strict=True)]
            assert list(answer.pieces(chunks)) == texts


def test_an_error_ends_the_stream() -> None:
    stream = [answer.event(answer.written("one")), answer.event({"error": {"code": "x", "message": "It broke."}})]
    pieces = answer.pieces(stream)
    assert next(pieces) == "one"
    with pytest.raises(UserError, match=r"^It broke\.$"):
        next(pieces)
