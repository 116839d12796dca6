"""Builds the demo's data set: fills the catalog's facts into the conversations and writes ultrachat's four splits.

    python -m tests.demo.build            # writes the .jsonl files of scripts/catalog/demo
    python -m tests.demo.build --check    # exits 1 with the difference when they are stale

The conversations are in topics/*.txt beside this file, written by hand. A turn begins with `user:`, `assistant:` or
`system:` in the first column. Indented by two spaces, a new line of the turn begins; by four, the line above goes on;
after `  | ` follows a line of code as it is. A blank line ends a conversation, `#` in the first column begins a
comment, and `<<kind.name.field>>` is replaced by a fact of the catalog (facts.py says which there are).
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.errors import FAILED, UserError, main
from scripts.files import ROOT, write
from tests.demo.facts import Facts

HERE = ROOT / "scripts" / "catalog" / "demo"  # where the data set lies
TOPICS = Path(__file__).resolve().parent / "topics"
ROLES = ("system", "user", "assistant")

# Shares of a topic that are held out, in the order in which they are taken; what is left is train_sft.
HELD_OUT = (("test_sft", 0.12), ("test_gen", 0.03), ("train_gen", 0.03))
SPLITS = ("train_sft", *(name for name, _ in HELD_OUT))

_TURN = re.compile(rf"({'|'.join(ROLES)}): (?=\S)")
_PLACEHOLDER = re.compile(r"<<(.*?)>>")


@dataclass
class Conversation:
    """A conversation as written: the topic (its file's stem), the place it begins at, and its turns."""

    topic: str
    place: str
    messages: list[dict[str, str]]

    def row(self) -> dict[str, object]:
        """Returns the conversation as a row of HuggingFaceH4/ultrachat_200k."""
        prompt = next(message["content"] for message in self.messages if message["role"] == "user")
        return {
            "prompt": prompt,
            "prompt_id": hashlib.sha256(prompt.encode()).hexdigest(),
            "messages": self.messages,
        }


def read_topic(path: Path, fill: Callable[[str], str]) -> Iterator[Conversation]:
    """Yields the conversations of a topic file, with `fill` applied to what stands between << and >>."""
    here: Conversation | None = None
    for number, line in enumerate([*path.read_text(encoding="utf-8").splitlines(), ""], start=1):
        place = f"{path.name}:{number}"
        if line.startswith("#"):
            continue
        if not line.strip():
            if here:
                yield _checked(here)
            here = None
            continue

        def fact(match: re.Match[str], place: str = place) -> str:
            try:
                return fill(match[1])
            except UserError as error:
                raise UserError(f"{place}: <<{match[1]}>>: {error}") from None

        text = _PLACEHOLDER.sub(fact, line.rstrip())
        if turn := _TURN.match(text):
            here = here or Conversation(path.stem, place, [])
            here.messages.append({"content": text[turn.end() :], "role": turn[1]})
        elif here and line.startswith("  | "):
            here.messages[-1]["content"] += "\n" + text[4:]
        elif here and line.startswith("    "):
            here.messages[-1]["content"] += " " + text.strip()
        elif here and line.startswith("  "):
            here.messages[-1]["content"] += "\n" + text.strip()
        else:
            raise UserError(
                f"{place}: found '{line[:40]}', but a line begins a turn ('user: …', 'assistant: …', 'system: …'), "
                "is a new line in one (two spaces), goes on with the line above (four spaces) or is a comment ('# …')"
            )


def _checked(conversation: Conversation) -> Conversation:
    """Returns the conversation if its roles alternate from user to assistant, after one system message at most."""
    roles = [message["role"] for message in conversation.messages]
    turns = roles[1:] if roles[0] == "system" else roles
    if not turns or turns != ["user", "assistant"] * (len(turns) // 2):
        raise UserError(
            f"{conversation.place}: the roles are {', '.join(roles)}, but a conversation is an optional system message "
            "and then user and assistant in turn, ending with the assistant; add or remove a turn"
        )
    return conversation


def read(topics: Path = TOPICS, facts: Facts | None = None) -> list[Conversation]:
    """Reads all topic files, in the order of their names; a prompt that occurs twice is an error."""
    fill = (facts or Facts.load()).fill
    conversations = list(itertools.chain.from_iterable(read_topic(path, fill) for path in sorted(topics.glob("*.txt"))))
    seen: dict[object, str] = {}
    for conversation in conversations:
        prompt = conversation.row()["prompt"]
        if prompt in seen:
            raise UserError(f"{conversation.place}: the same first question stands in {seen[prompt]}; ask another one")
        seen[prompt] = conversation.place
    return conversations


def split(conversations: list[Conversation]) -> dict[str, list[Conversation]]:
    """Divides every topic in the same shares, by the order of the prompts' hashes: no random, no clock."""
    splits: dict[str, list[Conversation]] = {name: [] for name in SPLITS}
    by_topic: dict[str, list[Conversation]] = {}
    for conversation in conversations:
        by_topic.setdefault(conversation.topic, []).append(conversation)
    for members in by_topic.values():
        ordered = sorted(members, key=lambda member: str(member.row()["prompt_id"]))
        for name, share in HELD_OUT:
            count = round(len(members) * share)
            splits[name] += ordered[:count]
            ordered = ordered[count:]
        splits["train_sft"] += ordered
    return splits


def build(topics: Path = TOPICS) -> dict[str, str]:
    """Returns the text of every file: one JSON object a line, ordered by prompt_id, so that topics are mixed."""
    files = {}
    for name, members in split(read(topics)).items():
        rows = sorted((member.row() for member in members), key=lambda row: str(row["prompt_id"]))
        files[f"{name}.jsonl"] = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return files


def check(files: dict[str, str], folder: Path = HERE) -> str:
    """Returns the difference between the committed files and what they should be; empty when they agree."""
    difference = ""
    for name, wanted in files.items():
        path = folder / name
        committed = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = difflib.unified_diff(
            committed.splitlines(True), wanted.splitlines(True), f"committed/{name}", f"built/{name}", n=0
        )
        difference += "".join(lines)
    return difference


def run(arguments: list[str] | None = None) -> int:
    """Writes the files, or with --check compares them."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo.build", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 with the difference when stale")
    options = parser.parse_args(arguments)
    files = build()
    if options.check:
        difference = check(files)
        print(difference, end="")
        return FAILED if difference else 0
    for name, text in files.items():
        write(HERE / name, text)
        print(f"{name}: {text.count(chr(10))} conversations")
    return 0


if __name__ == "__main__":
    main(run)
