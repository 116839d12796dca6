"""A list of turns in any dialect becomes a list of messages: {role, content}, and what the template reads beside them.

OpenAI's (role, content, content parts, tool_calls, function_call), ShareGPT's (from, value, function_call and
observation turns), Gemini's (role, parts), plain texts in turn, and whatever keys and speakers the values name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from scripts.dataset.checks import ROLES, Finding, shown
from scripts.dataset.layouts.ways import turn_hint
from scripts.dataset.settings import Layout
from scripts.dataset.tool_calls import name_of

ROLE_KEYS, CONTENT_KEYS = ("role", "from", "speaker"), ("content", "value", "text", "message", "parts")
SPEAKERS = {  # names of speakers that sets use
    "human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant", "assistant": "assistant",
    "bing": "assistant", "bard": "assistant", "bot": "assistant", "model": "assistant", "system": "system",
    "chatbot": "assistant", "ai": "assistant", "prompter": "user",
    "tool": "tool", "observation": "tool", "function_response": "tool", "tool_response": "tool",
    "developer": "system", "function": "tool", "ipython": "tool",
}  # fmt: skip
RENAMED = ("developer", "function")  # OpenAI's names: worth a word, since they meant something else there
CALLERS = ("function_call", "tool_call", "tool_calls")  # speakers whose text is a call, written as JSON
TEXT_PARTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
WEIGHTS = ("weight", "loss", "train", "training")  # 0 or false: not to be trained; the component does it all the same
_LONG = re.compile(r"\d{20}")
OF_A_CALL = ("tool_call_id", "name")  # keys that templates read


@dataclass
class Remarks:
    """What there is to say about one row: what was changed in it, and what a check should know."""

    changed: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def clear(self) -> None:
        """Begins another row."""
        self.changed.clear()
        self.findings.clear()


class Unreadable(Exception):
    """A row that is no conversation, with the finding that says why."""

    def __init__(self, path: str, found: object, expected: str, check: str = "schema") -> None:
        super().__init__(path)
        self.finding = Finding(check, path, found if isinstance(found, Said) else shown(found), expected)


class Said(str):
    """Words about what was found, where the value itself would not help."""


class Turns:
    """Reads lists of turns by the values' keys and speakers, else by those that sets use."""

    def __init__(self, layout: Layout) -> None:
        self._role_keys = (layout.role,) if layout.role else ROLE_KEYS
        self._content_keys = (layout.content,) if layout.content else CONTENT_KEYS
        self.dialects = [(role, content) for role in self._role_keys for content in self._content_keys]
        self._own = layout.roles
        self.roles = SPEAKERS | {role: role for role in ROLES} | layout.roles
        self._plain = {name: role for name, role in self.roles.items() if name not in RENAMED}

    def known(self, name: str) -> str:
        """Returns the role that a speaker's name stands for, whatever its case; a name nobody knows as it is."""
        return self.roles.get(name) or self.roles.get(name.lower(), name)

    def plain(self, given: Any) -> tuple[list[dict[str, Any]], tuple[str, ...], list[str]] | None:
        """Returns messages, roles and texts of turns that hold a known speaker and a text, and nothing else.

        Nearly every row is so, and three times as fast; None for the others, which `read` looks at one by one.
        """
        if type(given) is not list or not given:
            return None
        for role_key, content_key in self.dialects:
            try:
                texts = [turn[content_key] for turn in given if len(turn) == 2]
                roles = tuple([self._plain[turn[role_key]] for turn in given])
            except (TypeError, KeyError):
                continue
            if len(texts) != len(given) or {*map(type, texts)} != {str}:
                return None
            return [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)], roles, texts
        return None

    def read(self, given: Any, path: str, remarks: Remarks) -> list[dict[str, Any]]:
        """Returns the messages of a list of turns, its JSON text, or one turn; `Unreadable` where there are none."""
        if isinstance(given, str):  # CSV, and sets that keep the list as text
            given = as_json(given, path, "a list of {role, content}")
        if isinstance(given, dict):
            given = given.get("messages", [given])
        if not isinstance(given, list):
            raise Unreadable(path, given, "a list of {role, content}")
        if len(given) > 1 and all(isinstance(turn, str) for turn in given):
            remarks.changed.add("list of texts taken as question and answer in turn")
            return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(given)]
        first = given[0] if given and isinstance(given[0], dict) else {}
        keys = next((each for each in self.dialects if each[0] in first and each[1] in first), self.dialects[0])
        return [self._message(turn, f"{path}[{at}]", keys, remarks) for at, turn in enumerate(given)]

    def _message(self, turn: Any, path: str, keys: tuple[str, str], remarks: Remarks) -> dict[str, Any]:
        """Returns one turn as a message, whatever its keys."""
        if not isinstance(turn, dict):
            raise Unreadable(path, turn, "an object with role and content")
        role_key = next((key for key in (keys[0], *self._role_keys) if turn.get(key) is not None), keys[0])
        content_key = next((key for key in (keys[1], *self._content_keys) if turn.get(key) is not None), keys[1])
        speaker, content = turn.get(role_key), turn.get(content_key)
        if not isinstance(speaker, str):
            raise Unreadable(f"{path}.{role_key}", speaker, turn_hint(path.partition("[")[0], turn))
        message: dict[str, Any] = {"role": self.known(speaker)}
        if speaker.lower() in RENAMED and message["role"] != speaker:
            remarks.changed.add(f"role {speaker.lower()} written as {message['role']}")
        calls = _calls(turn, path, remarks)
        if speaker.lower() in CALLERS and speaker not in self._own:
            message["role"], calls = "assistant", _written_calls(content, f"{path}.{content_key}")
            remarks.changed.add(f"turns of {speaker.lower()} written as tool_calls")
        elif isinstance(content, list) and content:
            message["content"] = _joined(content, f"{path}.{content_key}", remarks)
        elif isinstance(content, str):
            message["content"] = content
        elif content is not None or not calls:
            raise Unreadable(f"{path}.{content_key}", content, "text")
        for name, value in turn.items():
            if name in (role_key, content_key, "role", "content", "function_call"):
                continue
            if name in WEIGHTS:
                _weigh(value, f"{path}.{name}", message["role"], remarks)
            elif value is None:
                remarks.changed.add("keys of messages with null left out")
            elif name == "tool_calls":
                message[name] = calls or []
            else:
                message[name] = value
                if name not in OF_A_CALL:
                    remarks.changed.add(f"key {shown(name, 24)[1:-1]} of messages kept, for templates that read it")
        if calls:
            message["tool_calls"] = calls
        return message


def as_json(text: str, path: str, expected: str) -> Any:
    """Returns what a text says in JSON."""
    try:
        return exact(text) if is_rounded(text) else orjson.loads(text)
    except orjson.JSONDecodeError:
        found = "text that is not JSON"
        if text.startswith(("[{'", "{'")):
            found = "what Python prints, which is not JSON (write it with json.dumps)"
        raise Unreadable(path, Said(found), expected) from None


def is_rounded(text: str) -> bool:
    """Tells JSON in which a call may hold a whole number of more than 64 bits, which orjson makes a float of."""
    return ("arguments" in text or "parameters" in text) and bool(_LONG.search(text))


def exact(text: str | bytes) -> Any:
    """Returns JSON with every whole number as it stands there."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("", Said("a number of thousands of digits"), "at most 64 bits, or text") from None


def _calls(turn: dict[str, Any], path: str, remarks: Remarks) -> Any:
    """Returns the calls of a turn, one of the older kind written as templates read it."""
    older = turn.get("function_call")
    if isinstance(older, dict) and older and not turn.get("tool_calls"):
        remarks.changed.add("function_call written as tool_calls")
        return [{"type": "function", "function": older}]
    calls = turn.get("tool_calls")
    if isinstance(calls, str) and calls:
        calls = as_json(calls, f"{path}.tool_calls", "a list of calls")
        remarks.changed.add("tool_calls read from JSON text")
    if calls and not (isinstance(calls, list) and all(map(name_of, calls))):
        raise Unreadable(f"{path}.tool_calls", calls, "a list of calls, each with the name of its function")
    return calls


def _written_calls(text: Any, path: str) -> list[dict[str, Any]]:
    """Returns the calls that a turn of ShareGPT's kind writes as JSON: one {name, arguments}, or a list of them."""
    expected = "a call as JSON: {name, arguments}"
    calls = as_json(text, path, expected) if isinstance(text, str) else text
    calls = calls if isinstance(calls, list) else [calls]
    if not calls or not all(isinstance(call, dict) and "function" not in call and name_of(call) for call in calls):
        raise Unreadable(path, text, expected)
    return [{"type": "function", "function": call} for call in calls]


def _joined(parts: list[Any], path: str, remarks: Remarks) -> str:
    """Returns the text of a message's parts, a line each; a part that is no text is left out, and named."""
    texts = []
    for at, part in enumerate(parts):
        kind = part.get("type", "text") if isinstance(part, dict) else None
        if not isinstance(kind, str):
            raise Unreadable(path, parts, "text")
        text = part.get(TEXT_PARTS.get(kind, ""))
        if isinstance(text, str):
            texts.append(text)
        elif kind in TEXT_PARTS:
            raise Unreadable(f"{path}[{at}].{TEXT_PARTS[kind]}", text, "text")
        else:
            found = f"a part of the kind {shown(kind)}"
            remarks.findings.append(Finding("media", f"{path}[{at}]", found, "parts of the kind text"))
    remarks.changed.add("parts of a message joined, a line each" if len(texts) > 1 else "a message's one part taken")
    return "\n".join(texts)


def text_of(value: Any, path: str, remarks: Remarks) -> str | None:
    """Returns the text of a message's content: text, or a list of parts; None for what is neither."""
    if isinstance(value, dict):
        key = next((key for key in CONTENT_KEYS if value.get(key) is not None), "")
        return text_of(value.get(key), f"{path}.{key}", remarks)
    if isinstance(value, list) and value:
        return _joined(value, path, remarks)
    return value if isinstance(value, str) else None


def _weigh(value: Any, path: str, role: str, remarks: Remarks) -> None:
    """Takes the weight out of a message; the component would train on an answer of weight 0 too."""
    if value is not None:
        remarks.changed.add(f"{path.rpartition('.')[2]} of messages left out, as the component does not read it")
    if role == "assistant" and str(value).lower() in ("0", "0.0", "false"):  # as text too
        found = f"{shown(value)}: an answer that is not to be trained"
        remarks.findings.append(Finding("weight", path, found, "1, or no weight: the component trains every answer"))
