"""Columns beside a conversation: a system message, what was asked about, a label, pictures; used, or accounted for."""

from __future__ import annotations

from typing import Any

from scripts.dataset.accounts import Accounts
from scripts.dataset.checks import Finding, shown
from scripts.dataset.layouts.turns import Remarks, Said, Unreadable, text_of
from scripts.dataset.layouts.ways import Way

NOTHING: tuple[Any, ...] = (None, "", [], {})  # no value
GOOD, BAD = ("true", "chosen", "desirable"), ("false", "rejected", "undesirable")  # labels of answers


def add(row: dict[str, Any], way: Way, messages: list[dict[str, Any]], remarks: Remarks, accounts: Accounts) -> None:
    """Adds the system message of a row's column to its conversation, and accounts for the columns beside it.

    `Unreadable` for an answer that is labelled as a bad one.
    """
    given = {name: row[name] for name in (way.label, way.about, way.history, way.system, *way.media)
             if name and row.get(name) not in NOTHING}  # fmt: skip
    if not given:
        return
    used = {way.history}
    if way.label in given and (learn := _label(given[way.label], bool(way.question))) is not None:
        if not learn:
            found = Said(f"{shown(given[way.label])}: an answer to avoid")
            raise Unreadable(way.label, found, "an answer to learn", "label")
        used.add(way.label)
    about = given.get(way.about or "")
    if isinstance(about, str) and any(about in message.get("content", "") for message in messages):
        used.add(way.about)
    if way.system in given and _lead(messages, text_of(given[way.system], way.system, remarks)):
        used.add(way.system)
    for name in way.media:
        if name in given:
            remarks.findings.append(Finding("media", name, "what is no text", "text alone: the column left out"))
    for name in given:
        accounts.account(name, name in used)


def _label(value: Any, is_of_answer: bool) -> bool | None:
    """Returns whether an answer is to be learned; None for a label of another kind, as of a class."""
    word = str(value).lower()
    if word in BAD or (is_of_answer and word in ("0", "0.0")):
        return False
    return True if word in GOOD or (is_of_answer and word in ("1", "1.0")) else None


def _lead(messages: list[dict[str, Any]], system: str | None) -> bool:
    """Puts a system message before a conversation that has none; tells whether it stands there now."""
    if not system or not system.strip():
        return False
    if not messages or messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": system})
    return bool(messages[0].get("content") == system)
