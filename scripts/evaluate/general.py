"""General questions, which have nothing to do with any training data, with the words that a right answer has."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.conversation.held_out import Case

FILE = Path(__file__).with_name("general.json")


def questions() -> list[Case]:
    """Returns the questions as cases."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))["questions"]
    return [
        Case(f"general:{number}", [{"role": "user", "content": row["question"]}], row["answer"], row["accepted"])
        for number, row in enumerate(rows, 1)
    ]
