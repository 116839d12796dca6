"""What the model's chat template makes of a conversation: its length in tokens, or why it cannot be trained so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scripts.conversation import tokens as chat
from scripts.dataset import lengths
from scripts.dataset.checks import Finding, shown
from scripts.dataset.layouts.turns import has_calls, name_of
from scripts.dataset.tokenizer import Tokenizer


def length(coder: Tokenizer, messages: list[dict[str, Any]], tools: Any, limit: int | None) -> lengths.Length:
    """Counts a conversation as the engine does, by template and trained tokens; as characters if a template refuses.

    The refusal of a stand-in is no finding: the model's own template may write what it does not.
    """
    try:
        found = lengths.measured(chat.encode(coder, messages, tools, coder.system_role), limit)
        if coder.stands_in:
            return found
        messages = messages if coder.system_role else chat.fold_system(messages)
        return replace(found, unwritten=_lost_call(coder, messages, tools) or _lost_text(coder, messages, tools))
    except Exception as error:  # a template is a program of the model's: whatever it raises, the row is still counted
        refused = "" if coder.stands_in else shown(f"{error}", 100)[1:-1]
        return replace(lengths.guessed(messages, limit), refused=refused)


def _lost_call(coder: Tokenizer, messages: list[dict[str, Any]], tools: Any) -> Finding | None:
    """Returns which tool call the template leaves out of its answer, if it does."""
    for turn, message in enumerate(messages):
        if message["role"] != "assistant" or not has_calls(message):
            continue
        before = chat.text(coder, messages[:turn], tools, answer=True)
        answer = chat.text(coder, messages[: turn + 1], tools)[len(before) :]
        for name in map(name_of, message["tool_calls"]):
            if name not in answer:
                then = "" if str(message.get("content") or "").strip() else ", which leaves an empty answer"
                found = f"the call of {shown(name)} in messages[{turn}] is not written{then}"
                return Finding("calls_lost", "messages", found, "a template that writes tool calls")
    return None


def _lost_text(coder: Tokenizer, messages: list[dict[str, Any]], tools: Any) -> Finding | None:
    """Returns which message the template leaves out, or that it leaves out the tools: it writes the same without."""
    written = chat.text(coder, messages, tools)
    for turn, message in enumerate(messages):
        text = str(message.get("content") or "")
        if text.strip() in written:
            continue
        other = [*messages[:turn], {**message, "content": f"{text}#"}, *messages[turn + 1 :]]
        if chat.text(coder, other, tools) == written:
            found = f"the {message['role']} message is not written"
            return Finding("text_lost", f"messages[{turn}]", found, "a template that writes every message")
    if tools and chat.text(coder, messages) == written:
        return Finding("text_lost", "tools", "no tool is written", "a template that writes tools")
    return None
