"""The answer: every shape that a deployment answers in; and what the server streams is what the client reads."""

from __future__ import annotations

import json
import random

import pytest

from scripts.conversation import answer
from scripts.errors import UserError


@pytest.mark.parametrize("response", ['{"output": "42"}', '[{"output": "42"}]', '"{\\"output\\": \\"42\\"}"'])
def test_an_answer_in_every_shape(response: str) -> None:
    assert answer.read(response) == "42"


@pytest.mark.parametrize("response", ["", "oops", "[]", "{}", "3", '{"output": null}'])
def test_no_answer_is_a_sentence(response: str) -> None:
    with pytest.raises(UserError, match="has no output"):
        answer.read(response)


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
