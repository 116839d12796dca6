"""The line from a deployment back to its data, as it was found: its links, and what a card or a bill tells of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from scripts import terminal
from scripts.evaluate.evaluation import Evaluation
from scripts.provenance.tree import Tree
from scripts.values.data_facts import DataFacts
from scripts.values.parameters import Parameter

OK, MISSING, DIFFERS, UNVERIFIED = "ok", "missing", "does not match", "unverified"
STATUSES = (OK, MISSING, DIFFERS, UNVERIFIED)


@dataclass(frozen=True)
class Link:
    """A link: `what` it is of, its status, a sentence; what others wrote in the workspace is shown as plain text."""

    what: str
    status: str
    sentence: str
    found: str = ""
    expected: str = ""

    def __post_init__(self) -> None:
        for name in ("what", "sentence", "found", "expected"):
            object.__setattr__(self, name, " ".join(terminal.plain(getattr(self, name)).split()))


@dataclass(frozen=True)
class Model:
    """A version of the registered model, and what the storage lists of it."""

    name: str
    version: str
    description: str = ""
    made: str = ""
    files: str = ""  # fingerprint
    count: int = 0
    size: int = 0  # bytes
    packages: tuple[str, ...] = ()  # that a deployment of it installs, as pip reads them
    stand_in: str = ""  # the small model that was trained in place of the base model


@dataclass(frozen=True)
class Job:
    """The job that trained it: when and by whom it was made, on which cluster, with which component and base model."""

    name: str
    status: str
    made: str = ""
    by: str = ""
    cluster: str = ""
    component: str = ""
    base: str = ""


@dataclass(frozen=True)
class DataFile:
    """A data asset, as its content was read."""

    split: str
    name: str
    version: str
    rows: int
    size: int  # bytes
    sha256: str


@dataclass
class Line:
    """What was found, link by link; what nobody could look at is not there."""

    environment: str
    workspace: str
    links: list[Link] = field(default_factory=list)
    endpoint: str = ""
    deployment: str = ""
    model: Model | None = None
    evaluation: Evaluation | None = None
    job: Job | None = None
    tree: Tree | None = None  # that the job was made of
    commit: str = ""
    parameters: dict[str, Parameter] = field(default_factory=dict)
    license: str = ""
    data: list[DataFile] = field(default_factory=list)
    facts: DataFacts | None = None

    def add(self, what: str, status: str, sentence: str, found: str = "", expected: str = "") -> None:
        """Adds a link."""
        self.links.append(Link(what, status, sentence, found, expected))

    @property
    def counts(self) -> dict[str, int]:
        """How many links there are of each status."""
        return {status: sum(link.status == status for link in self.links) for status in STATUSES}

    @property
    def holds(self) -> bool:
        """Tells whether nothing is missing, and nothing does not match."""
        return not (self.counts[MISSING] or self.counts[DIFFERS])
