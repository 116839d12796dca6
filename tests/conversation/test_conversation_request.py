"""The request: its bytes, and that client, server and values agree on what may be in it."""

from __future__ import annotations

import dataclasses
import json
import random
from typing import Any

import jsonschema
import pytest

from scripts.chat import turns
from scripts.conversation import request
from scripts.errors import UserError
from scripts.files import ROOT
from scripts.local.scoring.contract import BadRequest, Parameters, parse

MESSAGES = [
    {"role": "system", "content": "Größe\u2028 \ud83d", "name": "x"},  # half an emoji: what a damaged file may hold
    {"role": "user", "content": 'He said "no" 😀', "tool_calls": None, "weight": 1},
]
NUMBERS: list[Any] = [
    -1,
    0,
    1,
    2,
    99.5,
    100,
    101,
    0.0,
    0.5,
    1.0,
    1.01,
    -0.01,
    2**63 - 1,
    2**63,
    float("nan"),
    float("inf"),
]
VALUES: list[Any] = [*NUMBERS, True, False, None, "1", "", [], {}]


def test_only_role_and_content_are_sent() -> None:
    sent = json.loads(request.body(MESSAGES, {"seed": 1}))
    kept = [{"role": message["role"], "content": message["content"]} for message in MESSAGES]
    assert sent == {"input_data": {"input_string": kept, "parameters": {"seed": 1}}, "params": {}}


def test_the_sdk_sends_a_written_request_as_the_same_bytes() -> None:
    """`az ml online-endpoint invoke` reads the file and lets the SDK write it again."""
    from azure.core.rest import HttpRequest

    written = request.body(MESSAGES, {"temperature": 0.6, "do_sample": True})
    assert HttpRequest("POST", "https://e.example/score", json=json.loads(written)).content.encode() == written


@pytest.mark.parametrize("given", [{"temperature": 0}, {"temperature": 0.0, "top_p": 0.9, "do_sample": True}])
def test_a_temperature_of_0_is_sent_as_no_sampling(given: dict[str, Any]) -> None:
    """transformers, which Azure's scorer asks, refuses to sample at 0; here it always meant the likeliest token."""
    sent = json.loads(request.body(MESSAGES, {**given, "max_new_tokens": 3}))["input_data"]["parameters"]
    assert sent == {"do_sample": False, "max_new_tokens": 3}


@pytest.mark.parametrize(
    ("roles", "reason"),
    [
        ("user", ""),
        ("system user", ""),
        ("user assistant user", ""),
        ("system user assistant tool user", ""),
        ("", "Conversation is empty"),
        ("user assistant", "Last role should be 'user'"),
        ("user assistant tool", "Last role should be 'user'"),
        ("user user", "Invalid turn. Expected user input"),
        ("assistant user", "Invalid turn. Expected assistant input"),
        ("user assistant tool assistant user", "Invalid turn. Expected assistant input"),
        ("user system user", "System prompts can only be set at the start of the conversation"),
    ],
)
def test_what_azures_scorer_refuses(roles: str, reason: str) -> None:
    assert request.refused([{"role": role, "content": "x"} for role in roles.split()]) == reason


def test_the_server_reads_what_clients_send() -> None:
    draw = random.Random(3)
    for _ in range(200):
        messages = [
            {"role": draw.choice(request.ROLES), "content": draw.choice(["", "ä\n", "😀 \\"])} for _ in range(3)
        ]
        parameters = {"temperature": 1 - draw.random(), "top_k": draw.randint(0, 9), "stream": draw.random() < 0.5}
        question = parse(request.body(messages, parameters))
        assert (question.conversations, question.several) == ([messages], False)
        assert question.parameters == Parameters(**parameters)


def test_every_parameter_of_the_server_has_a_rule() -> None:
    names = {field.name for field in dataclasses.fields(Parameters)}
    assert names == {*request.PARAMETERS, "stop"}  # stop is text or a list of texts: no rule of numbers fits it
    for name, rule in request.PARAMETERS.items():
        default = getattr(Parameters(), name)
        assert default is None or rule.allows(default)


@pytest.mark.parametrize("name", turns.OFFERED)
def test_chat_takes_what_the_server_takes(name: str) -> None:
    for value in VALUES:
        try:
            parse(request.body([{"role": "user", "content": "x"}], {name: value}))
            taken = True
        except BadRequest as refused:
            taken = False
            assert request.PARAMETERS[name].words in str(refused)
        try:
            assert turns.checked(name, value) is value and taken, value
        except UserError as error:
            assert not taken, value
            assert f"expected {request.PARAMETERS[name].words}" in str(error)


def test_the_server_takes_what_the_values_allow() -> None:
    properties = json.loads((ROOT / "values.schema.json").read_text())["properties"]["request"]["properties"]
    assert set(properties) == set(turns.OFFERED)
    for name, schema in properties.items():
        allowed = [value for value in VALUES if jsonschema.Draft202012Validator(schema).is_valid(value)]
        # YAML here knows no NaN; JSON Schema calls 1.0 an integer, and values that say so get the server's sentence.
        meant = [
            value for value in allowed
            if value == value and (schema["type"] != "integer" or isinstance(value, int))
        ]  # fmt: skip
        assert meant and all(request.PARAMETERS[name].allows(value) for value in meant), name
