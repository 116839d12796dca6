"""What an evaluation says, as a record, and its file evaluation.json: written here and read here."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts import files
from scripts.errors import MISSING, UserError
from scripts.evaluate.statistics import Estimate
from scripts.targets import command

FILE = "evaluation.json"


@dataclass(frozen=True)
class Measure:
    """A measure of both models, and how it is called and printed; what was not measured is None."""

    title: str
    better: str  # "lower", "higher" or "" where neither is
    digits: int
    note: str
    percent: bool = False
    base: Estimate | None = None
    tuned: Estimate | None = None
    difference: Estimate | None = None  # tuned minus base
    change_percent: Estimate | None = None  # tuned by base, less 100 %; perplexity only


ESTIMATES = ("base", "tuned", "difference", "change_percent")


@dataclass(frozen=True)
class Confusion:
    """How often which of a field's `labels` was given (columns) where which was true (rows); None: not asked.

    The last label stands for whatever else was given, and has no row.
    """

    field: str
    labels: list[str]
    base: list[list[int]] | None
    tuned: list[list[int]] | None


@dataclass(frozen=True)
class Verdict:
    """A requirement of the gate, whether it is met, and the numbers in a sentence."""

    requirement: str
    met: bool
    sentence: str


@dataclass(frozen=True)
class Answers:
    """A question with the true answer beside those of both models; None: not asked."""

    name: str
    question: str
    true: str
    base: str | None
    tuned: str | None


@dataclass(frozen=True)
class Evaluation:
    """What was asked of whom, and every number that came out; `hash` stands for all of that."""

    environment: str
    model: str
    version: str
    base: str
    data_version: str
    asked: int
    answered: int
    answered_by: dict[str, str]
    settings: dict[str, Any]
    notes: list[str]
    measures: dict[str, Measure]
    gate: list[Verdict]
    examples: list[Answers]
    general: list[Answers]
    confusions: list[Confusion] = field(default_factory=list)
    hash: str = ""
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Returns it as plain data, without what was not measured."""
        plain = dataclasses.asdict(self)
        for numbers in plain["measures"].values():
            for name in ESTIMATES:
                if numbers[name] is None:
                    del numbers[name]
        return plain

    def ended(self, seconds: float) -> Evaluation:
        """Returns it with its fingerprint and how long it took."""
        return dataclasses.replace(self, hash=_fingerprint(self.as_dict()), seconds=round(seconds, 1))


def write(evaluation: Evaluation, folder: Path) -> Path:
    """Writes evaluation.json into a folder and returns its path."""
    files.write_private(folder / FILE, json.dumps(evaluation.as_dict(), indent=1, ensure_ascii=False) + "\n")
    return folder / FILE


def read(folder: Path, version: str, environment: str) -> Evaluation:
    """Returns the evaluation of a model version; a `UserError` if it is missing, damaged or was changed by hand."""
    path = folder / FILE
    advice = f"{command('evaluate', environment)} makes it"
    plain = files.read_json(path, advice, dict[str, Any])
    if plain is None:
        raise UserError(f"{path}: there is no evaluation of version {version} yet; {advice}", MISSING)
    evaluation = files.checked(path, advice, Evaluation, plain)
    if _fingerprint(plain) != evaluation.hash:
        raise UserError(f"{path}: was changed after it was written, so it proves nothing; {advice}")
    return evaluation


def _fingerprint(plain: dict[str, Any]) -> str:
    """Returns twelve digits that stand for an evaluation, but for how long it took and what the gate would say."""
    kept = {key: value for key, value in plain.items() if key not in ("hash", "seconds", "gate")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]
