"""A conversation with a deployment: its turns, its parameters, and the row of training data that it makes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.errors import UserError, suggest
from scripts.strict_yaml import scalar

# Parameter -> (kinds, least, most, in words). These are the values' `request` keys and what else the server takes.
RULES: dict[str, tuple[tuple[type, ...], float, float, str]] = {
    "temperature": ((int, float), 0, 100, "a number from 0"),
    "top_p": ((int, float), 0, 1, "a number up to 1"),
    "do_sample": ((bool,), 0, 1, "true or false"),
    "max_new_tokens": ((int,), 1, 100_000, "a whole number from 1"),
}


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
        found = bool(self.turns)
        while self.turns and self.turns.pop()["role"] != "user":
            pass
        return found

    def set(self, name: str, text: str) -> None:
        """Sets a parameter from text; a `UserError` says what it may be."""
        self.parameters[name] = checked(name, scalar(text))


def checked(name: str, value: Any) -> Any:
    """Returns a parameter's value if the server would take it; a `UserError` says what it may be."""
    if name not in RULES:
        raise UserError(f"{name}: unknown parameter{suggest(name, RULES)}; there are {', '.join(RULES)}")
    kinds, least, most, words = RULES[name]
    right = isinstance(value, kinds) and isinstance(value, bool) == (kinds == (bool,))
    if not right or not least <= value <= most:
        raise UserError(f"{name}: found {json.dumps(value)}, expected {words}")
    return value


def save(messages: list[dict[str, str]], path: Path) -> int:
    """Appends a conversation to a file as one more row of training data; returns how many rows there are now."""
    if not any(message["role"] == "assistant" for message in messages):
        raise UserError("there is nothing to save yet: no question was answered")
    row = json.dumps({"messages": messages}, ensure_ascii=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+", encoding="utf-8") as file:
            file.seek(0)
            content = file.read()
            file.write(("\n" if content and not content.endswith("\n") else "") + row + "\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
    except ValueError:  # what stands there is not text, or the name cannot be one
        raise UserError(f"{str(path)!r}: is no file of JSON lines, so nothing is appended; name another one") from None
    return sum(bool(line.strip()) for line in content.split("\n")) + 1
