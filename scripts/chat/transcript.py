"""Conversations kept as rows of training data, one a line."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.errors import UserError
from scripts.files import ROOT


def of_environment(environment: str) -> Path:
    """Returns where conversations of an environment are saved unless a file is named."""
    return ROOT / "runs" / "chat" / f"{environment}.jsonl"


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
