"""Rows in every kind of disrepair that was met in the wild, for the tests and the bench."""

from __future__ import annotations

import json
import random
from typing import Any

WORDS = "learning rate of the adapter cluster size price token model answer question epoch batch é ü 你好 🙂".split()


def conversation(generator: random.Random) -> dict[str, Any]:
    """A valid row, unlike any other."""
    turns = generator.choice((2, 4, 6))
    messages = [
        {
            "role": "user" if turn % 2 == 0 else "assistant",
            "content": f"{generator.random()} " + " ".join(generator.choices(WORDS, k=20)),
        }
        for turn in range(turns)
    ]
    return {"prompt": messages[0]["content"], "prompt_id": str(generator.random()), "messages": messages}


def mutate(row: dict[str, Any], generator: random.Random) -> bytes:
    """One row in one of many kinds of disrepair, as a line."""
    messages = row["messages"]
    message = generator.choice(messages)
    kind = generator.randrange(20)
    odd = generator.choice([None, 7, -1.5, True, [], {}, "text", [None], [[]], {"messages": 1}, ""])
    if kind == 0:
        line = json.dumps(row).encode()
        return line[: generator.randrange(1, len(line))]
    if kind == 1:
        row["messages"] = odd
    elif kind == 2:
        message["content"] = odd
    elif kind == 3:
        message["role"] = odd
    elif kind == 4:
        messages[generator.randrange(len(messages))] = odd
    elif kind == 5:
        message["content"] = "half \ud83d" + generator.choice(["", "\udc00\udc00"])  # lone surrogates
    elif kind == 6:
        bomb = generator.choice([b"[", b'{"a":']) * generator.choice([200, 2000, 100_000])
        return b'{"messages":' + bomb + b"}"
    elif kind == 7:
        message["content"] = "\x00\x1b\x1e\x1f"[generator.randrange(4)] + "text"
    elif kind == 8:
        return json.dumps(row).encode().replace(b"e", generator.choice([b"\xff", b"\xc3", b"\xed\xa0\x80"]), 1)
    elif kind == 9:
        messages.insert(generator.randrange(len(messages)), {"role": "system", "content": "Be brief."})
    elif kind == 10:
        messages.reverse()
    elif kind == 11:
        message["content"] = generator.choice(["", " \n\t", "\u200b", "\u00a0"])
    elif kind == 12:
        row["tools"] = json.loads("[" * 300 + "]" * 300)
    elif kind == 13:
        row["prompt"] = generator.choice(["\ud800", 5, None, ["x"]])
    elif kind == 14:
        del messages[1:]
    elif kind == 15:
        message["content"] = "\ufffd mail bob@example.org key AKIAABCDEFGHIJKLMNOP"
    elif kind == 16:
        message[generator.choice(["tool_calls", "name", "role2"])] = odd
    elif kind == 17:
        return generator.choice([b"null", b"[]", b"12", b'"text"', b"{}", b"NaN", b"\x00", b"{" * 50, b"\xff\xfe"])
    elif kind == 18:
        return json.dumps(row, indent=None).replace('"', "'").encode()
    return json.dumps(row).encode()
