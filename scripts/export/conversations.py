"""What both tokenizers are given: the environment's own conversations, general ones, and odd texts, 1,000 in all."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts import files
from scripts.evaluate import general
from scripts.export.vocabulary import Vocabulary
from scripts.files import ROOT
from scripts.targets import command

COUNT = 1000
SPLITS = ("train", "validation", "test", "heldout")
# What tokenizers trip on.
ODD: tuple[str, ...] = tuple(json.loads(Path(__file__).with_name("odd_texts.json").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Conversation:
    """Messages, and where they are from."""

    name: str
    messages: list[dict[str, Any]]
    tools: Any = None

    @property
    def question(self) -> list[dict[str, Any]]:
        """The messages up to the last question: what a model is asked."""
        return self.messages[:-1] if self.messages[-1].get("role") == "assistant" else self.messages

    @property
    def plain(self) -> bool:
        """Whether it is nothing but texts, which is what an endpoint takes and what Ollama's templates are for."""
        texts = all(isinstance(message.get("content"), str) for message in self.messages)
        return texts and not self.tools and not any("tool_calls" in message for message in self.messages)


@dataclass(frozen=True)
class Chosen:
    """The conversations, and how many of them are from where."""

    conversations: list[Conversation]
    own: int
    general: int
    odd: int


def choose(environment: str, vocabulary: Vocabulary, root: Path = ROOT) -> Chosen:
    """Returns `COUNT` conversations, the odd ones first, and the same ones each time."""
    known = [Conversation(case.name, [*case.messages, {"role": "assistant", "content": case.truth}])
             for case in general.questions()]  # fmt: skip
    odd = _odd(vocabulary)
    least = list(itertools.islice(odd, min(COUNT // 2, 2 * len(ODD) + len(vocabulary.control))))
    own = list(_own(environment, COUNT - len(known) - len(least), root))
    filled = list(itertools.islice(odd, COUNT - len(known) - len(least) - len(own)))
    return Chosen([*least, *filled, *known, *own], len(own), len(known), len(least) + len(filled))


def _own(environment: str, most: int, root: Path) -> Iterator[Conversation]:
    """Yields rows of the prepared data, in the files' order: all of them, or some drawn by a seed."""
    folder, anew = root / "data" / environment, f"{command('data', environment)} writes it anew"
    paths = [path for split in SPLITS if (path := folder / f"{split}.jsonl").exists()]
    counts = [sum(1 for line in _lines(path, anew) if line.strip()) for path in paths]
    drawn = set(random.Random("export").sample(range(sum(counts)), min(most, sum(counts))))
    at = 0
    for path in paths:
        for number, line in enumerate(_lines(path, anew), 1):
            if not line.strip():
                continue
            if at in drawn:
                yield _row(f"data/{environment}/{path.name}:{number}", line, anew)
            at += 1


def _lines(path: Path, anew: str) -> Iterator[bytes]:
    with files.opened(path, anew) as file:
        yield from file


def _row(name: str, line: bytes, anew: str) -> Conversation:
    try:
        row = json.loads(line)
        messages = [dict(message) for message in row["messages"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        files.refuse(name, "is no conversation", anew)
    if not messages:
        files.refuse(name, "is an empty conversation", anew)
    return Conversation(name, messages, row.get("tools") or None)


def _odd(vocabulary: Vocabulary) -> Iterator[Conversation]:
    """Yields conversations of odd texts, control tokens in them: each by itself, then mixtures that a seed draws."""
    pieces = [*ODD, *(f"before {token} behind" for token in vocabulary.control)]
    draw, number = random.Random("odd"), 0
    while True:
        number += 1
        if number <= len(pieces):
            texts = [pieces[number - 1], f"{pieces[number - 1]}!"]
        else:
            texts = ["".join(draw.choices(pieces, k=draw.randint(1, 4))) for _ in range(2 * draw.randint(1, 3))]
        messages = [
            {"role": ("user", "assistant")[at % 2], "content": vocabulary.tame(text)} for at, text in enumerate(texts)
        ]
        if number % 3 == 0:
            messages.insert(0, {"role": "system", "content": "You answer odd questions."})
        yield Conversation(f"odd text {number}", messages)
