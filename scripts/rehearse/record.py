"""What came of a rehearsal, as a record, and its file rehearsal.json: written here, read in a review."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

from scripts import files
from scripts.chain.rendered import Rendered
from scripts.evaluate.evaluation import Answers
from scripts.files import ROOT
from scripts.targets import command

FILE = "rehearsal.json"
PASSED, FAILED, INTERRUPTED = "passed", "failed", "interrupted"


@dataclass(frozen=True)
class Step:
    """A target of the chain: how it ended, and the sentence with which it stopped."""

    target: str
    code: int
    seconds: float
    reason: str = ""


@dataclass(frozen=True)
class Warned:
    """A check of preflight that warned or failed."""

    check: str
    sentence: str
    todo: str


@dataclass(frozen=True)
class Met:
    """A fault: what was seen of it, and how it went on. `code` is 0 where the target went on by itself."""

    fault: str
    happens: str
    target: str
    is_met: bool  # False where this YAML never comes to the place
    code: int
    of_azure: str  # the service's own words
    said: str  # the sentence with which the target stopped
    foretold: str  # what preflight stops with before
    bills: str  # what would be billed while it stands so
    recovery: list[str]
    seconds: float  # of the recovery
    recovered: bool


@dataclass
class Rehearsal:
    """A rehearsal of an environment: of which YAML, every step, what was learned, and what it is on Azure."""

    environment: str
    commit: str
    changed: list[str]  # files of the clone that differ from the commit
    yaml: str  # see `Rendered.fingerprint`
    begun: str  # time in UTC
    outcome: str = INTERRUPTED
    seconds: float = 0.0
    steps: list[Step] = field(default_factory=list)
    stand_ins: list[str] = field(default_factory=list)
    losses: dict[str, list[list[float]]] = field(default_factory=dict)  # metric -> [step, value]
    capped: str = ""
    answers: list[Answers] = field(default_factory=list)
    figures: str = ""
    on_azure: list[str] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    faults: list[Met] = field(default_factory=list)

    @property
    def failed(self) -> Step | None:
        """The step that failed, if one did."""
        return next((step for step in self.steps if step.code), None)

    def is_of(self, root: Path = ROOT) -> bool:
        """Tells whether it is of the YAML that lies here now."""
        return self.yaml == Rendered(self.environment, root).fingerprint()

    def as_json(self) -> str:
        """Returns the content of the file."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False) + "\n"


def read(folder: Path, environment: str) -> Rehearsal | None:
    """Returns the last rehearsal, None where there was none; a `UserError` for a damaged file."""
    return files.read_json(folder / FILE, f"{command('rehearse', environment)} makes it anew", Rehearsal)
