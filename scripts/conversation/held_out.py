"""Held-out questions: conversations of the prepared data up to their last question, and the true answer to it.

Nobody who asks is shown the answer (the reference notebook sends it along).
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.conversation import request
from scripts.errors import MISSING, UserError
from scripts.files import ROOT, read_text, refuse
from scripts.shape import shaped
from scripts.targets import command

LARGEST = 2**32  # bytes: a split is data, and read by those who can hold it
FILES = ("heldout.jsonl", "test.jsonl")  # the data set's own split for generation, then the test split


@dataclass(frozen=True)
class Case:
    """A conversation up to its last question (`messages`), the true answer, and what else counts as right."""

    name: str
    messages: list[dict[str, Any]]
    truth: str
    accepted: list[str] = field(default_factory=list)
    tools: Any = None


@dataclass(frozen=True)
class _Row:
    messages: list[dict[str, Any]]
    tools: Any = None


def cases(environment: str, root: Path = ROOT) -> list[Case]:
    """Returns the held-out conversations of an environment's prepared data in the files' order, each one once."""
    advice = f"{command('data', environment)} prepares them"
    paths = [path for name in FILES if (path := root / "data" / environment / name).exists()]
    if not paths:
        raise UserError(f"data/{environment}/: no held-out rows; {advice}", MISSING)
    unique: dict[str, Case] = {}
    for case in (case for path in paths for case in _read(path)):
        unique.setdefault(json.dumps([case.messages, case.truth], sort_keys=True), case)
    if not unique:
        sentence = f"data/{environment}/: no held-out conversation that ends with an answer; {advice}"
        raise UserError(sentence, MISSING)
    return list(unique.values())


def askable(found: list[Case]) -> tuple[list[Case], str]:
    """Returns the cases that an endpoint can be asked, and a sentence that counts the others (empty without any).

    Azure's no-code scorer wants a question last, and user and assistant in turns (`request.refused`). A `UserError` if
    nothing is left.
    """
    reasons = Counter(reason for case in found if (reason := request.refused(case.messages)))
    if not reasons:
        return found, ""
    kept = [case for case in found if not request.refused(case.messages)]
    said = " and ".join(f"{count} ({reason})" for reason, count in sorted(reasons.items()))
    sentence = f"held-out conversations that Azure's scorer would refuse are not asked: {said}"
    if not kept:
        raise UserError(f"{sentence}; none is left", MISSING)
    return kept, sentence


def drawn(environment: str, most: int, seed: int, root: Path = ROOT) -> list[Case]:
    """Returns at most `most` of them, drawn by the seed."""
    every = cases(environment, root)
    return random.Random(f"cases/{seed}").sample(every, min(most, len(every)))


def _read(path: Path) -> Iterator[Case]:
    """Reads a file of rows; those that do not end with an answer to something have no truth to withhold."""
    name, anew = f"data/{path.parent.name}/{path.name}", f"{command('data', path.parent.name)} writes it anew"
    # Split at \n alone: a conversation may hold other line separators.
    for number, line in enumerate((read_text(path, anew, name, LARGEST) or "").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = shaped(_Row, json.loads(line), foreign=True)
        except (ValueError, RecursionError):
            refuse(f"{name}:{number}", "is no conversation", anew)
        last = row.messages[-1] if len(row.messages) > 1 else {}
        if last.get("role") == "assistant" and isinstance(last.get("content"), str):
            yield Case(f"{path.name}:{number}", row.messages[:-1], last["content"], tools=row.tools or None)
