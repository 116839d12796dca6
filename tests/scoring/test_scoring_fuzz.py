"""Mutated requests to the scoring server: each is answered, or refused with a sentence in the contract's shape."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from scripts.conversation import answer
from tests.scoring.test_scoring_app import Client

GOOD = {
    "input_data": {
        "input_string": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Which size?"},
        ],
        "parameters": {"max_new_tokens": 2, "do_sample": True, "temperature": 0.7, "top_p": 0.9, "top_k": 5},
    },
    "params": {},
}
ODD: list[Any] = [
    None, True, False, 0, -0.0, -1, 1, 1e-40, 1e-320, 5e-324, 1e308, float("nan"), float("inf"), float("-inf"),
    10**30, -(10**30), 2**63, 2**64, "", "x", "\ud800", "\x00", "😀", "a\nb", "x" * 5000, [], [[]], [None], [[[]]], {},
    {"role": "user"}, {"content": 5}, {"role": "user", "content": "x"}, [{"role": "user", "content": "\udfff"}],
    ["x"] * 65,
]  # fmt: skip
NAMES = [
    "input_data",
    "params",
    "parameters",
    "role",
    "stop",
    "stream",
    "return_full_text",
    "seed",
    "\ud800",
    "a\nb",
    "",
]
RAW = [
    b"", b"{", b"\x00", b"\xff\xfe", b"[" * 60000, b'{"input_data":' * 5000, b"1" * 5000, b'"\\ud800"', b"\xed\xa0\x80",
    b'{"a": 1e999999}', b"[" * 999 + b"]" * 999, b"-", b"NaN", b'{"input_data": ' + b"9" * 4301 + b"}",
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Returns the path of every value in a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, part in inner for each in places(part, (*path, key)))]


def mutated(draw: random.Random) -> bytes:
    """Returns a request with one to three changes: of values, of names, or of bytes."""
    if draw.random() < 0.05:
        return draw.choice(RAW)
    body: Any = json.loads(json.dumps(GOOD))
    for _ in range(draw.randint(1, 3)):
        *above, last = draw.choice([path for path in places(body) if path] or [(0,)])
        within = body
        for step in above:
            within = within[step]
        if not isinstance(within, dict | list) or (isinstance(within, dict) and last not in within) or not within:
            continue
        change = draw.random()
        if change < 0.6:
            within[last] = copy.deepcopy(draw.choice(ODD))
        elif change < 0.75:
            del within[last]
        elif isinstance(within, dict):
            within[draw.choice(NAMES)] = copy.deepcopy(draw.choice([within[last], *ODD]))
        else:
            within.extend(copy.deepcopy(within[:5]))
    data = bytearray(json.dumps(body, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass"))
    for _ in range(draw.randint(1, 4) if draw.random() < 0.2 else 0):
        data[draw.randrange(len(data))] = draw.randrange(256)
    return bytes(data)


@pytest.mark.parametrize("shape", [answer.OUTPUT, answer.SCORER])
@pytest.mark.parametrize(
    "count", [pytest.param(100, id="short"), pytest.param(1000, id="1000", marks=[pytest.mark.slow, pytest.mark.long])]
)
def test_no_request_is_a_crash_or_touches_another(served: Path, shape: str, count: int) -> None:
    client = Client(served)
    client.server.shape = shape
    draw = random.Random(count)
    messages = [{"role": "user", "content": "Hi"}]
    calm = json.dumps({"input_data": {"input_string": messages, "parameters": {"max_new_tokens": 8}}}).encode()
    (undisturbed,) = client.raw(calm)
    statuses = set()
    for _ in range(count // 10):
        bodies = [mutated(draw) for _ in range(10)]
        *replies, beside = client.raw(*bodies, calm)
        assert beside.json() == undisturbed.json()
        for body, reply in zip(bodies, replies, strict=True):
            statuses.add(reply.status_code)
            if reply.status_code == 200:
                assert reply.headers["content-type"].startswith(("application/json", answer.EVENTS)), body
                continue
            said = reply.json()
            sentence = said["error"]["message"] if shape == answer.OUTPUT else said["message"]
            assert sentence and len(sentence) < 1000, body
            # Azure's scorer answers 500 to what its script does not take.
            allowed = (400,) if shape == answer.OUTPUT else (400, 500)
            assert reply.status_code in allowed, (body, sentence)
    assert statuses >= {200, 400}
    assert not [line for line in client.log if "not understood" in line or "\n" in line]
