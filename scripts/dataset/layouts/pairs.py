"""A question and an answer in columns of their own: as text, as lists of messages, with a history; preferences too."""

from __future__ import annotations

import re
from typing import Any

from scripts.dataset.layouts.turns import Remarks, Turns, Unreadable, as_json
from scripts.dataset.layouts.ways import ASKED_ABOUT, Way

# A conversation in one text, as in Anthropic's hh-rlhf.
_SPEAKER = re.compile(r"\n\n(Human|Assistant):")
_TURNS = re.compile(r"""\s*\[\s*\{\s*["'](role|content|from|value)["']\s*:""")  # the text of a list of messages
_ASKS, _ANSWERS = "\n\nHuman:", "\n\nAssistant:"


def read(row: dict[str, Any], way: Way, turns: Turns, remarks: Remarks) -> list[dict[str, Any]]:
    """Returns the conversation of a row whose question and answer stand in columns of their own."""
    assert way.answer
    if way.question is None:
        return _transcript(row.get(way.answer), way.answer, turns, remarks)
    asked = _asked(row.get(way.question), way.question, turns, remarks)
    about = row.get(way.about) if way.about else None
    if isinstance(about, str) and about.strip() and asked and asked[-1]["role"] == "user":
        text = asked[-1].get("content", "")
        if about not in text or way.question.lower() in ASKED_ABOUT:  # other prompts often hold their context already
            asked[-1]["content"] = f"{text}\n\n{about}" if text.strip() else about
    earlier = _history(row.get(way.history), way.history, turns, remarks) if way.history else []
    return answered(earlier + asked, _part(row.get(way.answer), way.answer, "assistant", turns, remarks))


def answered(before: list[dict[str, Any]], answer: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns a conversation with its answer; one that is a whole conversation itself holds what was asked before."""
    if not any(message["role"] in ("user", "system") for message in answer):
        return before + answer
    is_led = answer[0]["role"] == "system"
    return [message for message in before[:1] if message["role"] == "system" and not is_led] + answer


def _asked(value: Any, column: str, turns: Turns, remarks: Remarks) -> list[dict[str, Any]]:
    """Returns what the answer answers: a text is a question, or all that was said before."""
    if isinstance(value, str) and value.startswith(_ASKS) and value.rstrip().endswith(_ANSWERS):
        return _transcript(value.rstrip().removesuffix(_ANSWERS), column, turns, remarks)
    return _part(value, column, "user", turns, remarks)


def _part(value: Any, column: str, role: str, turns: Turns, remarks: Remarks) -> list[dict[str, Any]]:
    """Returns the messages of one side: a text, a list of messages (in CSV as text), or an object with one."""
    if isinstance(value, str) and not _TURNS.match(value):
        return [{"role": role, "content": value}]
    if not isinstance(value, list | dict | str):
        raise Unreadable(column, value, "text, or a list of {role, content}")
    return turns.read(value, column, remarks)


def _transcript(value: Any, column: str, turns: Turns, remarks: Remarks) -> list[dict[str, Any]]:
    """Returns a whole conversation: a list of messages, or a text in which the speakers are named."""
    if not isinstance(value, str):
        return turns.read(value, column, remarks)
    first, *pieces = _SPEAKER.split(value)
    if first.strip() or not pieces:
        raise Unreadable(column, value, "a conversation: a column `prompt` beside it, or turns that begin with Human:")
    remarks.changed.add("text cut into turns at Human: and Assistant:")
    return [{"role": turns.known(who.lower()), "content": text.strip()}
            for who, text in zip(pieces[::2], pieces[1::2], strict=True)]  # fmt: skip


def _history(value: Any, column: str, turns: Turns, remarks: Remarks) -> list[dict[str, Any]]:
    """Returns what was said before: a list of (question, answer), or of messages."""
    if isinstance(value, str) and value.strip():
        value = as_json(value, column, "a list of (question, answer)")
    if not value:
        return []
    if isinstance(value, list) and isinstance(value[0], dict):
        return turns.read(value, column, remarks)
    messages = []
    for at, pair in enumerate(value if isinstance(value, list) else [value]):
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(each, str) for each in pair)):
            raise Unreadable(f"{column}[{at}]", pair, "a question and an answer")
        messages += [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    return messages
