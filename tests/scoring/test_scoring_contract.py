"""Requests: what is taken, and the sentence for what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.local.scoring.contract import BadRequest, Parameters, parse

HELLO = [{"role": "user", "content": "Hello"}]


def body(**changes: Any) -> bytes:
    return json.dumps({"input_data": {"input_string": HELLO, "parameters": {}, **changes}, "params": {}}).encode()


def test_flat_and_wrapped_conversations_are_one() -> None:
    flat, wrapped = parse(body()), parse(body(input_string=[HELLO]))
    assert flat.conversations == wrapped.conversations == [HELLO]
    assert not flat.several and not wrapped.several
    two = parse(body(input_string=[HELLO, HELLO]))
    assert two.conversations == [HELLO, HELLO] and two.several


def test_parameters_come_from_either_place() -> None:
    given = {"temperature": 0.6, "top_p": 0.9, "do_sample": True, "max_new_tokens": 200, "stop": "###", "seed": 1}
    expected = Parameters(0.6, 0.9, 0, True, 200, ("###",), 1)
    assert parse(body(parameters=given)).parameters == expected
    request = {"input_data": {"input_string": HELLO}, "params": given}
    assert parse(json.dumps(request).encode()).parameters == expected
    assert parse(body(parameters=None)).parameters == Parameters()


REFUSED = [
    (b"{", "The body is not JSON"),
    (b"\xff\xfe", "The body is not JSON"),
    (b"[]", "The body is a list; it must be an object"),
    (b"{}", "A value is not provided for the 'input_data' parameter."),
    (b'{"input_data": []}', "input_data: found a list"),
    (b'{"inputdata": {}}', "inputdata: unknown (did you mean 'input_data'?)"),
    (b'{"input_data": {"input_strings": []}}', "input_data.input_strings: unknown (did you mean 'input_string'?)"),
    (b'{"input_data": {}}', "input_data.input_string: missing"),
    (body(input_string="Hello"), "input_data.input_string: found a string"),
    (body(input_string=[]), "input_data.input_string: the list of messages is empty"),
    (body(input_string=[[]]), "input_data.input_string[0]: the list of messages is empty"),
    (body(input_string=[HELLO, "x"]), "input_data.input_string[1]: found a string beside conversations"),
    (body(input_string=["x"]), "input_data.input_string[0]: found a string; a message is"),
    (body(input_string=[{"role": "user"}]), "input_data.input_string[0].content: missing"),
    (body(input_string=[{"role": "user", "content": None}]), "input_data.input_string[0].content: found null"),
    (body(input_string=[{"role": "usr", "content": "x"}]), "input_data.input_string[0].role: found 'usr'"),
    (body(input_string=[HELLO] * 65), "found 65 conversations; at most 64"),
    (body(parameters=[]), "input_data.parameters: found a list"),
    (body(parameters={"temprature": 1}), "input_data.parameters.temprature: unknown (did you mean 'temperature'?)"),
    (body(parameters={"temperature": "hot"}), 'input_data.parameters.temperature: found "hot"; it must be a number'),
    (body(parameters={"temperature": -1}), "input_data.parameters.temperature: found -1"),
    (body(parameters={"temperature": float("nan")}), "input_data.parameters.temperature: found NaN"),
    (body(parameters={"top_p": 0}), "input_data.parameters.top_p: found 0; it must be a number above 0"),
    (body(parameters={"top_p": 1.5}), "input_data.parameters.top_p: found 1.5"),
    (body(parameters={"do_sample": 1}), "input_data.parameters.do_sample: found 1; it must be true or false"),
    (body(parameters={"max_new_tokens": True}), "input_data.parameters.max_new_tokens: found true"),
    (body(parameters={"max_new_tokens": 0}), "input_data.parameters.max_new_tokens: found 0"),
    (body(parameters={"max_new_tokens": 1.5}), "input_data.parameters.max_new_tokens: found 1.5"),
    (body(parameters={"stop": [1]}), "input_data.parameters.stop: found a list"),
    (body(parameters={"stop": ""}), "input_data.parameters.stop: found a string"),
    (b'{"input_data": {"input_string": [{"role": "user", "content": "x"}]}, "params": 3}', "params: found a number"),
    (body(input_string=[HELLO, HELLO], parameters={"stream": True}), "only one conversation at a time can be streamed"),
]


@pytest.mark.parametrize(("content", "sentence"), REFUSED)
def test_what_is_malformed_is_refused_by_its_key(content: bytes, sentence: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(content)
    assert sentence in str(refused.value)
    assert str(refused.value).endswith(".")
