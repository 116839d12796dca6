"""What the model's chat template makes of a conversation: its length in tokens, or why it cannot be trained so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from scripts.conversation import tokens as chat
from scripts.dataset import lengths
from scripts.dataset.checks import Finding, shown
from scripts.dataset.tokenizer import Tokenizer
from scripts.dataset.tool_calls import call_text, has_calls, name_of, renamed, tool_text

MARK = "#"


@dataclass(frozen=True)
class Unwritten:
    """A part of a conversation that the template does not write as it stands, and the part's text.

    What it leaves out spoils the row, as the `finding` says; what it only changes does not.
    """

    what: str
    text: str
    finding: Finding | None = None


def length(coder: Tokenizer, messages: list[dict[str, Any]], tools: Any, limit: int | None) -> lengths.Length:
    """Counts a conversation as the engine does, by template and trained tokens; as characters if a template refuses.

    The refusal of a stand-in is no finding: the model's own template may write what it does not.
    """
    try:
        found = lengths.measured(chat.encode(coder, messages, tools, coder.system_role), limit)
        if coder.stands_in:
            return found
        lost = [each.finding for each in unwritten(coder, messages, tools) if each.finding]
        return replace(found, unwritten=min(lost, key=lambda each: each.check, default=None))  # calls before texts
    except Exception as error:  # a template is a program of the model's: whatever it raises, the row is still counted
        refused = "" if coder.stands_in else shown(f"{error}", 100)[1:-1]
        return replace(lengths.guessed(messages, limit), refused=refused)


def unwritten(coder: Tokenizer, messages: list[dict[str, Any]], tools: Any) -> Iterator[Unwritten]:
    """Yields the tools, calls and texts that the template leaves out, and the texts that it changes.

    What it leaves out can be changed, and it writes the same. A template that refuses the conversation raises.
    """
    known = messages if coder.system_role else chat.fold_system(messages)
    first = len(messages) - len(known)  # 1 where the system message is a part of the question
    written = chat.text(coder, known, tools)

    def is_lost(turn: int, **changed: Any) -> bool:
        return chat.text(coder, [*known[:turn], {**known[turn], **changed}, *known[turn + 1 :]], tools) == written

    if tools and chat.text(coder, known) == written:
        found = Finding("text_lost", "tools", "no tool is written", "a template that writes tools")
        yield Unwritten("tools to call", tool_text(tools[0]), found)
    for turn, message in enumerate(known):
        text = str(message.get("content") or "")
        calls = message["tool_calls"] if message["role"] == "assistant" and has_calls(message) else ()
        for at, call in enumerate(calls):
            if is_lost(turn, tool_calls=[*calls[:at], renamed(call, name_of(call) + MARK), *calls[at + 1 :]]):
                then = "" if text.strip() else ", which leaves an empty answer"
                said = f"the call of {shown(name_of(call))} in messages[{turn + first}] is not written{then}"
                found = Finding("calls_lost", "messages", said, "a template that writes tool calls")
                yield Unwritten("tool calls", call_text(call), found)
        if text.strip() in written:
            continue
        line = _changed_line(text, written)
        if is_lost(turn, content=text + MARK):
            said = f"the {message['role']} message is not written"
            found = Finding("text_lost", f"messages[{turn + first}]", said, "a template that writes every message")
            yield Unwritten(f"text of {message['role']}", line or text.strip(), found)
        elif line:
            yield Unwritten(f"text of {message['role']}, changed", line)


def _changed_line(text: str, written: str) -> str:
    """Returns the first line of a text that was written otherwise, but for white space."""
    plain = " ".join(written.split())
    return next((line.strip() for line in text.splitlines() if " ".join(line.split()) not in plain), "")
