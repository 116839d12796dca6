"""Searches of MLflow's registry: its filters and orders, in so far as clients use them; any other is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from scripts.local.core.web import bad_request

CLAUSE = re.compile(
    r"""\s*(?P<key>(?:tags?\.)?(?:[\w.]+|`[^`]+`|"[^"]+"))\s*(?P<operator>=|!=|LIKE|ILIKE)\s*"""
    r"""(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)")\s*""",
    re.IGNORECASE,
)
KEYS = {"name": "name", "run_id": "run_id", "source_path": "source", "source": "source", "version_number": "version"}
ORDERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "name": lambda item: item["name"],
    "version_number": lambda item: int(item["version"]),
    "creation_timestamp": lambda item: item["creation_timestamp"],
    "last_updated_timestamp": lambda item: item["last_updated_timestamp"],
}


def wanted(items: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Returns the models or versions that a filter such as `name='chat' and tags.job='j'` keeps."""
    place = 0
    while text[place:].strip():
        match = CLAUSE.match(text, place)
        if match is None:
            raise _refusal("filter", text, "name, run_id, source_path and tags.x with =, !=, LIKE and ILIKE, and 'and'")
        items = [each for each in items if _holds(each, match)]
        place = match.end()
        following = re.compile(r"and\b", re.IGNORECASE).match(text, place)
        if following is None and text[place:].strip():
            raise _refusal("filter", text, "clauses joined by 'and'")
        place = following.end() if following else len(text)
    return items


def _holds(item: dict[str, Any], match: re.Match[str]) -> bool:
    key, operator = match["key"], match["operator"].upper()
    value = match["single"] if match["single"] is not None else match["double"]
    of_tags = re.fullmatch(r"tags?\.(.+)", key)
    if of_tags:
        tags = {each["key"]: each["value"] for each in item["tags"]}
        actual = tags.get(of_tags[1].strip('`"'))
    elif KEYS.get(key.strip('`"')) in item:
        actual = str(item[KEYS[key.strip('`"')]])
    else:
        raise _refusal("filter", key, ", ".join([*KEYS, "tags.x"]))
    if actual is None:  # MLflow's client itself asks for what is not tagged as a prompt
        return operator == "!="
    if operator in ("LIKE", "ILIKE"):
        pattern = re.escape(value).replace("%", ".*").replace("_", ".")
        return re.fullmatch(pattern, actual, re.DOTALL | (re.IGNORECASE if operator == "ILIKE" else 0)) is not None
    return (actual == value) == (operator == "=")


def ordered(items: list[dict[str, Any]], orders: list[str], default: str) -> list[dict[str, Any]]:
    """Returns the models or versions in the order that `order_by` asks for, such as `name ASC`."""
    for order in reversed(orders or [default]):
        key, _, direction = order.strip().partition(" ")
        if key not in ORDERS or direction.strip().upper() not in ("", "ASC", "DESC"):
            raise _refusal("order_by", order, f"{', '.join(ORDERS)} with ASC or DESC")
        if key == "version_number" and any("version" not in each for each in items):
            raise _refusal("order_by", order, "name, creation_timestamp, last_updated_timestamp")
        items = sorted(items, key=ORDERS[key], reverse=direction.strip().upper() == "DESC")
    return items


def _refusal(key: str, found: str, allowed: str) -> Exception:
    return bad_request(f"The parameter {key} is {found!r}; the local Azure ML reads {allowed}.")
