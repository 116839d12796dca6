"""Data facts: what `make data` prepared, kept in environments/<env>.data.yaml beside the lock, and committed.

By them the rendered job names its data, and who has none here (a reviewer, CI) prices the run as if they were.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.azure.component import SPLITS
from scripts.files import ROOT, checked
from scripts.files import write as write_file
from scripts.strict_yaml import read_yaml
from scripts.targets import command
from scripts.values.read import Values
from scripts.yaml_quoting import Row, document

HEAD = (
    "# What make data ENV={environment} prepared; do not edit. The rendered job names these data; preflight and gpu "
    "price the run by\n# them where the files are not there. percentiles: of the conversations' lengths in tokens, 0th "
    "to 100th.\n"
)
HOW = ("exact", "sample", "another model's tokenizer", "characters")  # how tokens were counted, the best first
ESTIMATED = "estimated"  # in place of one of these, where rows and tokens are what a source is known to hold
# Keys of `dataset` that change no row: its names, how much is taken (kept by itself), where and how it is counted.
_NOT_OF_ROWS = frozenset("name label percent where tokens max_left_out".split())
_BY_LENGTH = ("too_long", "answers_lost")  # checks that drop by finetune.max_seq_length
_BY_TEMPLATE = ("finetune_chat_template", "system_role_supported")  # of model.finetune_config, with the tokenizer
_DIGITS = re.compile(r"[0-9a-f]{12}")
_MOST = 2**53


@dataclass(frozen=True)
class Split:
    """One split of the prepared data, in conversations and tokens, as the data's manifest has them."""

    rows: int
    tokens: int
    longest: int  # 0 where it is not known for certain
    percentiles: tuple[int, ...]  # 0th to 100th of the lengths
    how: str  # one of HOW, or what an estimate goes by
    answers_lost: int = 0  # conversations whose every answer is cut away at the length that the data were prepared for

    def cut(self, limit: int) -> int:
        """Returns the tokens that are left when conversations are cut off after `limit` tokens."""
        if not self.percentiles or not sum(self.percentiles):
            return min(self.tokens, self.rows * limit)
        kept = sum(min(each, limit) for each in self.percentiles) / sum(self.percentiles)
        return round(self.tokens * kept)

    def fault(self) -> str:
        """Returns what preparing the data never writes, an empty text where there is nothing."""
        for name in ("rows", "tokens", "longest", "answers_lost"):
            if not 0 <= getattr(self, name) <= _MOST:
                return f"{name}: found {getattr(self, name)}, expected a count"
        if self.how not in HOW:
            return f"how: found {self.how!r:.60}, allowed: {', '.join(HOW)}"
        if len(self.percentiles) not in (0, 101) or any(not 0 <= each <= _MOST for each in self.percentiles):
            return f"percentiles: found {len(self.percentiles)} of them, expected 101 counts"
        return ""

    def scaled(self, factor: float) -> Split:
        """Returns as much of the same conversations; how long the longest is nobody knows."""
        rows, lost = max(1, round(self.rows * factor)), round(self.answers_lost * factor)
        tokens = round(self.tokens * rows / max(self.rows, 1))
        return dataclasses.replace(self, rows=rows, tokens=tokens, longest=0, answers_lost=lost)


@dataclass(frozen=True)
class DataFacts:
    """What was prepared, from what: `settings` stands for all that decides the rows but `percent`."""

    version: str  # of the data assets: the content's hash
    source: str
    revision: str
    commit: str | None  # that the revision stood for; None where the source is no hub data set
    percent: float
    settings: str
    splits: dict[str, Split]

    def __post_init__(self) -> None:
        for name in ("version", "settings"):
            if not _DIGITS.fullmatch(getattr(self, name)):
                raise ValueError(f"{name}: found {getattr(self, name)!r:.60}, expected 12 hexadecimal digits")
        if not 0 < self.percent <= 100:
            raise ValueError(f"percent: found {self.percent}, expected more than 0 and at most 100")
        if set(self.splits) != set(SPLITS):
            raise ValueError(f"splits: found {', '.join(self.splits) or 'none'}, expected {', '.join(SPLITS)}")
        for name, split in self.splits.items():
            if fault := split.fault():
                raise ValueError(f"splits.{name}.{fault}")

    def is_of(self, values: Values) -> bool:
        """Tells whether preparing the data by these values gives these rows, unless the source moved."""
        return self.settings == settings(values) and self.percent == values.data["dataset"].get("percent", 100)


def settings(values: Values) -> str:
    """Returns what stands for all values that decide the rows and their lengths, but for the percentage taken."""
    dataset, model = values.data["dataset"], values.data["model"]
    found = {name: value for name, value in dataset.items() if name not in _NOT_OF_ROWS and value is not None}
    config = model.get("finetune_config") or {}
    found["template"] = [model.get("huggingface_id") or model.get("name"), *map(config.get, _BY_TEMPLATE)]
    if "drop" in map((dataset.get("checks") or {}).get, _BY_LENGTH):
        found["max_seq_length"] = values.data["finetune"].get("max_seq_length")
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:12]


def file_name(environment: str) -> str:
    """Returns where the data facts of an environment are kept, relative to the project."""
    return f"environments/{environment}.data.yaml"


def read(environment: str, root: Path = ROOT) -> DataFacts | None:
    """Returns the data facts of an environment, None where there are none."""
    name = file_name(environment)
    if not os.path.lexists(root / name):
        return None
    content, _ = read_yaml(root / name, name=name)
    todo = f"{command('data', environment)} writes it anew, or delete it"
    return checked(root / name, todo, DataFacts, content, name)


def current(values: Values, root: Path = ROOT) -> DataFacts | None:
    """Returns the data facts where they are of these values, and `make data` is what prepares the data."""
    facts = None if values.data["dataset"].get("where") == "azureml" else read(values.environment, root)
    return facts if facts and facts.is_of(values) else None


def write(facts: DataFacts, environment: str, root: Path = ROOT) -> bool:
    """Writes the data facts; returns whether that changed the file."""
    path, text = root / file_name(environment), to_text(facts, environment)
    if path.is_file() and path.read_bytes() == text.encode():
        return False
    write_file(path, text)
    return True


def to_text(facts: DataFacts, environment: str) -> str:
    """Returns the file's text: the same data, the same bytes."""
    plain: dict[str, Any] = dataclasses.asdict(facts)
    plain["splits"] = {
        name: {**plain["splits"][name], "percentiles": Row(facts.splits[name].percentiles)} for name in SPLITS
    }
    return HEAD.format(environment=environment) + document(plain)
