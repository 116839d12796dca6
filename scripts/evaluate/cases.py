"""Held-out conversations as cases: what is asked, and the true answer that nobody is shown."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.errors import MISSING, UserError
from scripts.files import ROOT
from scripts.invoke import HELD_OUT

GENERAL = Path(__file__).with_name("general.json")


@dataclass(frozen=True)
class Case:
    """A conversation up to its last question (`messages`), the true answer, and what counts as right if that is short."""

    name: str
    messages: list[dict[str, Any]]
    truth: str
    accepted: list[str] = field(default_factory=list)
    tools: Any = None


def held_out(environment: str, most: int, seed: int, root: Path = ROOT) -> list[Case]:
    """Returns at most `most` held-out conversations of the prepared data, drawn by the seed, each one once."""
    folder = root / "data" / environment
    cases: dict[str, Case] = {}
    for name in HELD_OUT:
        if (folder / name).exists():
            for case in _read(folder / name):
                cases.setdefault(json.dumps([case.messages, case.truth], sort_keys=True), case)
    if not cases:
        raise UserError(
            f"data/{environment}/: no held-out conversation that ends with an answer; make data ENV={environment} "
            "prepares them",
            MISSING,
        )
    found = list(cases.values())
    return random.Random(f"cases/{seed}").sample(found, min(most, len(found)))


def general() -> list[Case]:
    """Returns the questions that have nothing to do with any training data, with the words that a right answer has."""
    questions = json.loads(GENERAL.read_text(encoding="utf-8"))["questions"]
    return [
        Case(f"general:{number}", [{"role": "user", "content": each["question"]}], each["answer"], each["accepted"])
        for number, each in enumerate(questions, 1)
    ]


def _read(path: Path) -> list[Case]:
    """Reads a file of rows; those that do not end with an answer to something have no truth to withhold."""
    cases = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            messages = row["messages"]
            last = messages[-1]
            answered = len(messages) > 1 and last["role"] == "assistant" and isinstance(last.get("content"), str)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            raise UserError(
                f"{path}:{number}: is no conversation; make data ENV={path.parent.name} writes it anew"
            ) from None
        if answered:
            case = Case(f"{path.name}:{number}", messages[:-1], last["content"], tools=row.get("tools") or None)
            cases.append(case)
    return cases
