"""What the checks look at: this run, what the data's manifest says of them, and who can be asked for the rest."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import UserError
from scripts.estimate import basis, run
from scripts.estimate.basis import Held
from scripts.estimate.run import Run
from scripts.files import ROOT
from scripts.targets import command
from scripts.values import data_facts
from scripts.values.data_facts import Split
from scripts.values.read import Values

if TYPE_CHECKING:
    from scripts.azure.live import Live


@dataclass(frozen=True)
class Kept:
    """Rows that are in the prepared files although a check found something in them."""

    check: str
    rows: int
    first: str = ""  # file and row of the first
    is_estimate: bool = False  # from a sample of the rows


@dataclass(frozen=True)
class Prepared:
    """What the data's manifest says of the preparation as a whole."""

    source: str = ""  # what it was made of; empty where there is none
    fallback: str = ""  # what took the place of the values' source; empty where nothing did
    because: str = ""
    rows_in: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)  # check -> rows that it left out
    kept: tuple[Kept, ...] = ()
    unused: Mapping[str, str] = field(default_factory=dict)  # file -> why it was not read
    version: str = ""
    percent: float = 100.0
    template: str = ""  # what the model's own chat template was asked to write, where that was not every row


@dataclass
class Context(Run):
    """Everything that a check may look at; `live` is None offline, `today` decides what is retired."""

    today: datetime.date
    live: Live | None
    az: str = ""  # the program that answers to az, where that was said
    prepared: Prepared = Prepared()
    data_from: str = ""  # what `data` is taken from, where that is not what was prepared: the end of a sentence
    named_version: str = ""  # of the data that the committed facts name, where these are of today's values
    stale_version: str = ""  # the same, where they are of other values
    root: Path = ROOT

    def make(self, targets: str) -> str:
        """Returns the command that calls targets for this run."""
        return command(targets, self.environment)

    @property
    def asked(self) -> Live:
        """Who is asked; a check that needs it runs only where somebody can be."""
        assert self.live
        return self.live


def build(
    values: Values, live: Live | None = None, today: datetime.date | None = None, az: str = "", root: Path = ROOT,
    only_committed: bool = False,
) -> Context:  # fmt: skip
    """Gathers the context of an environment; a `UserError` where values, facts or manifest are wrong.

    `only_committed` leaves aside the data that were prepared on this machine.
    """
    splits, prepared = ({}, Prepared()) if only_committed else read(values.environment, root)
    held = Held(splits, "" if prepared.fallback else prepared.source, prepared.percent) if splits else None
    data = basis.choose(values, held, root)
    made = run.build(values, data.splits, root)
    facts, current = data_facts.read(values.environment, root), data_facts.current(values, root)
    return Context(**vars(made), today=today or datetime.date.today(), live=live, az=az, prepared=prepared,
                   data_from=data.origin, named_version=current.version if current else "",
                   stale_version=facts.version if facts and not current else "", root=root)  # fmt: skip


def read(environment: str, root: Path = ROOT) -> tuple[dict[str, Split], Prepared]:
    """Returns the splits of the prepared data and what their manifest says of the rest; nothing before `make data`."""
    from scripts.dataset.manifest import MANIFEST, Unusable, read_manifest

    folder = Path("data", environment)
    try:
        manifest = read_manifest(root / folder)
    except Unusable as error:
        raise UserError(
            f"{(folder / MANIFEST).as_posix()}: is not what preparing the data writes: {error}; "
            f"{command('data', environment)} prepares it anew"
        ) from None
    return (run.splits_of(manifest), _prepared(manifest)) if manifest else ({}, Prepared())


def _prepared(manifest: Mapping[str, Any]) -> Prepared:
    from scripts.dataset.checks import EVERY_ROW, KEEP

    fallback, checks = manifest["fallback"], manifest["checks"]
    asked = [each["looked_at"] for each in checks if each["name"] == "template"]
    return Prepared(
        source=manifest["source"]["asked"],
        fallback=f"{fallback['took']} in place of {fallback['asked']}" if fallback else "",
        because=fallback["because"] if fallback else "",
        rows_in=manifest["left_out"]["in"],
        left_out=manifest["left_out"]["reasons"],
        kept=tuple(_kept(each) for each in checks if each["count"] and each["policy"] == KEEP),
        unused={each["file"]: each["reason"] for each in manifest["unused_files"]},
        version=manifest["version"],
        percent=manifest["percent"],
        template=next((each for each in asked if each != EVERY_ROW), ""),
    )


def _kept(check: Mapping[str, Any]) -> Kept:
    example = check["examples"][0]
    return Kept(check["name"], check["count"], f"{example['file']} {example['row']}", check["estimated"])
