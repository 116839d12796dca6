"""What the model's chat template makes of a conversation: its length in tokens, or why it cannot be trained so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scripts.conversation import tokens as chat
from scripts.dataset import lengths
from scripts.dataset.checks import shown
from scripts.dataset.layouts.turns import has_calls, name_of
from scripts.dataset.tokenizer import Tokenizer


def length(coder: Tokenizer, messages: list[dict[str, Any]], tools: Any, limit: int | None) -> lengths.Length:
    """Counts a conversation as the engine does, by template and trained tokens; as characters if a template refuses.

    The refusal of a stand-in is no finding: the model's own template may write what it does not.
    """
    try:
        found = lengths.measured(chat.encode(coder, messages, tools, coder.system_role), limit)
        unwritten = _unwritten(coder, messages, tools) if any(map(has_calls, messages)) else ""
    except Exception as error:  # a template is a program of the model's: whatever it raises, the row is still counted
        found, unwritten = lengths.guessed(messages, limit), ""
        if not coder.stands_in:
            found = replace(found, refused=shown(f"{error}", 100)[1:-1])
    return replace(found, unwritten=unwritten) if unwritten and not coder.stands_in else found


def _unwritten(coder: Tokenizer, messages: list[dict[str, Any]], tools: Any) -> str:
    """Returns which tool call the template leaves out of its answer; an empty text where it writes them all."""
    if not coder.system_role:
        messages = chat.fold_system(messages)
    for turn, message in enumerate(messages):
        if message["role"] != "assistant" or not has_calls(message):
            continue
        before = chat.text(coder, messages[:turn], tools, answer=True)
        answer = chat.text(coder, messages[: turn + 1], tools)[len(before) :]
        for call in message["tool_calls"]:
            name = name_of(call)
            if name and name not in answer:
                then = "" if str(message.get("content") or "").strip() else ", which leaves an empty answer"
                return f"the call of {shown(name)} in messages[{turn}] is not written{then}"
    return ""
