"""Values, words and bodies that nobody should send, and valid JSON changed by chance."""

from __future__ import annotations

import copy
import random
from typing import Any

ODD_WORDS = (
    "a b", "é", "\u202e", "💥", "..", "%00", "a%2fb", "'", '"', "x" * 300, "0", "-1", "a.b", "A", "latest", "*",
)  # fmt: skip
ODD_NUMBERS = ("-1", "1e9", "x", "9" * 5000, "", "0", "³", "1.5", "true", "00")
ODD_QUERIES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("$skip", "$top", "$skipToken", "count", "maxresults", "max_results", "page_token"), ODD_NUMBERS),
    "listViewType": ("All", "ArchivedOnly", "x"),
    "tag": ("a", "a=b", "=", "\ud83d"),
    "hash": ("x", ""),
    "path": ("a", "..", "a/../b", ""),
    "comp": ("list", "block", "blocklist", "metadata", "x"),
    "restype": ("container",),
    "prefix": ODD_WORDS,
    "stage": ("x",),
    "api-version": ("x", "", "2024-04-01"),
    "filter": ("name = 'x'", "'", "("),
    "name": ("fuzz", "\x00"),
    "order_by": ("x", "name ASC"),
    "$filter": ("location eq 'eastus'", "x"),
}
ODD_VALUES: tuple[Any, ...] = (
    None, 7, -1, 0, 2.5, 1e308, 10**400, True, False, "", " ", "7", "null", "x" * 20000, "é\u202e💥", "\x00", "\ud800",
    "../../credentials.json", "${{parent.inputs.x}}", "azureml:x:1", "PT9999999999999999H", [], [None], ["a", 1], [[]],
    {}, {"": ""}, {"a": None}, {"a": {"b": [{"c": 1}]}}, {"\ud800": "\udfff"}, "LONG LIST", "DEEP",
)  # fmt: skip
ODD_BODIES = (
    b"", b"{", b"[]", b"7", b"null", b'"x"', b"\xff\xfe", b'{"a": NaN}', b'{"a": "\\ud800"}', b"\xef\xbb\xbf{}",
    b'{"properties": 1, "properties": {}}', b"[" * 100_000, b'{"a":' * 100_000, b'{"a": 1e999}', b"{'a': 1}",
)  # fmt: skip


def nested(depth: int) -> Any:
    """Returns JSON of twice as many levels."""
    value: Any = 1
    for _ in range(depth):
        value = {"a": [value]}
    return value


def spoilt(chance: random.Random, text: bytes, often: float = 0.5) -> bytes:
    """Returns a text, often with one of its bytes replaced."""
    if chance.random() > often or not text:
        return text
    at = chance.randrange(len(text))
    return text[:at] + chance.choice((b"\xff", b"\x00", b'"', b"}", b"%")) + text[at + 1 :]


def changed(chance: random.Random, body: Any) -> Any:
    """Returns JSON with one of its values changed, removed, wrapped or given a neighbour."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any, left: int = 8) -> None:
        for key, each in value.items() if isinstance(value, dict) else enumerate(value[:50]):
            places.append((value, key))
            if left and isinstance(each, dict | list):
                walk(each, left - 1)

    if not isinstance(body, dict | list):
        return body
    walk(body)
    if not places:
        return body
    owner, key = chance.choice(places)
    act = chance.random()
    if act < 0.7:
        value = copy.deepcopy(chance.choice(ODD_VALUES))
        deep = nested(chance.choice((20, 70, 300))) if value == "DEEP" else value
        owner[key] = list(range(5000)) if value == "LONG LIST" else deep
    elif act < 0.8:
        owner.pop(key)
    elif act < 0.9:
        owner[key] = [owner[key]]
    elif isinstance(owner, dict):
        owner[chance.choice(ODD_WORDS)] = copy.deepcopy(chance.choice((owner[key], 7, {}, "x")))
    return body
