"""A conversation with a deployment: its turns, its parameters, and its place among rows of training data."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.conversation.request import PARAMETERS
from scripts.errors import UserError, suggest
from scripts.files import ROOT, append_private, read_text
from scripts.strict_yaml import scalar

LARGEST = 2**30  # bytes of rows that a conversation is appended to
OFFERED = ("temperature", "top_p", "do_sample", "max_new_tokens")  # the parameters that values' `request` has


@dataclass
class Conversation:
    """What was said so far; `messages` is what a request sends."""

    parameters: dict[str, Any]
    system: str = ""
    turns: list[dict[str, str]] = field(default_factory=list)

    @property
    def messages(self) -> list[dict[str, str]]:
        """The system prompt, if there is one, and all turns."""
        return [*([{"role": "system", "content": self.system}] if self.system else []), *self.turns]

    def say(self, role: str, content: str) -> None:
        """Adds a turn."""
        self.turns.append({"role": role, "content": content})

    def undo(self) -> bool:
        """Takes back the last question with its answer; returns whether there was one."""
        asked = bool(self.turns)
        while self.turns and self.turns.pop()["role"] != "user":
            pass
        return asked

    def set(self, name: str, text: str) -> None:
        """Sets a parameter from text; a `UserError` says what it may be."""
        self.parameters[name] = checked(name, scalar(text))


def checked(name: str, value: Any) -> Any:
    """Returns a parameter's value if the server would take it; a `UserError` says what it may be."""
    if name not in OFFERED:
        raise UserError(f"{name}: unknown parameter{suggest(name, OFFERED)}; there are {', '.join(OFFERED)}")
    if not PARAMETERS[name].allows(value):
        raise UserError(f"{name}: found {json.dumps(value)}, expected {PARAMETERS[name].words}")
    return value


def saved_in(environment: str) -> Path:
    """Returns where conversations of an environment are saved unless a file is named."""
    return ROOT / "runs" / "chat" / f"{environment}.jsonl"


def save(messages: list[dict[str, str]], path: Path) -> int:
    """Appends a conversation to a file as one more row of training data; returns how many rows there are now."""
    if not any(message["role"] == "assistant" for message in messages):
        raise UserError("there is nothing to save yet: no question was answered")
    row = json.dumps({"messages": messages}, ensure_ascii=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = read_text(path, "name another file", most=LARGEST) or ""
        with append_private(path) as file:
            file.write((("\n" if content and not content.endswith("\n") else "") + row + "\n").encode())
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
    except ValueError:  # the name cannot be one
        raise UserError(f"{str(path)!r}: is no file of JSON lines, so nothing is appended; name another one") from None
    return sum(bool(line.strip()) for line in content.split("\n")) + 1
