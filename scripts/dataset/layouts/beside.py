"""Columns beside a conversation: a system message, what was asked about, a label, pictures; used, or accounted for."""

from __future__ import annotations

from typing import Any

from scripts.dataset.accounts import Accounts
from scripts.dataset.checks import Finding
from scripts.dataset.layouts.turns import Remarks, Said, Unreadable
from scripts.dataset.layouts.ways import Way

NOTHING: tuple[Any, ...] = (None, "", [], {})  # no value


def add(row: dict[str, Any], way: Way, messages: list[dict[str, Any]], remarks: Remarks, accounts: Accounts) -> None:
    """Adds the system message of a row's column to its conversation, and accounts for the columns beside it.

    `Unreadable` for an answer that is labelled as a bad one.
    """
    given = {name: row[name] for name in (way.label, way.about, way.history, way.system, *way.media)
             if name and row.get(name) not in NOTHING}  # fmt: skip
    if not given:
        return
    used = {way.history}
    if way.label in given and (learn := _label(given[way.label])) is not None:
        if not learn:
            raise Unreadable(way.label, Said("false: an answer to avoid"), "an answer to learn", "label")
        used.add(way.label)
    if way.about and isinstance(given.get(way.about), str):
        used.add(way.about)
    if way.system in given and _lead(messages, given[way.system]):
        used.add(way.system)
    for name in way.media:
        if name in given:
            remarks.findings.append(Finding("media", name, "what is no text", "text alone: the column left out"))
    for name in given:
        accounts.account(name, name in used)


def _label(value: Any) -> bool | None:
    """Returns whether an answer is to be learned; None for a label of another kind."""
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def _lead(messages: list[dict[str, Any]], system: Any) -> bool:
    """Puts a system message before a conversation that has none; tells whether it stands there now."""
    if not isinstance(system, str) or not system.strip():
        return False
    if not messages or messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": system})
    return bool(messages[0].get("content") == system)
