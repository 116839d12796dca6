"""Held-out conversations to try a deployment with, each with its true answer."""

from __future__ import annotations

from typing import Any

from scripts.conversation import held_out
from scripts.conversation.held_out import Case
from scripts.values.read import Values

ROLES = ("system", "user", "assistant")
OFFERED = 12


def examples(values: Values) -> list[Case]:
    """Returns some of them; a `UserError` says why there are none."""
    cases, _ = held_out.askable(held_out.drawn(values.environment, OFFERED, values.data["evaluation"]["seed"]))
    return [case for case in cases if all(map(is_message, case.messages))]


def is_message(given: Any) -> bool:
    """Tells whether it is what a chat is made of: one of the roles, and a text."""
    return isinstance(given, dict) and given.get("role") in ROLES and isinstance(given.get("content"), str)
