"""What the checks look at: this run, what the data's manifest says of them, and who can be asked for the rest."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import UserError
from scripts.estimate import run
from scripts.estimate.run import Run, Split
from scripts.files import ROOT
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

    source: str = ""  # what it was made of; empty where there is none, or one of an older kind
    fallback: str = ""  # what took the place of the values' source; empty where nothing did
    because: str = ""
    rows_in: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)  # check -> rows that it left out
    kept: tuple[Kept, ...] = ()
    unused: Mapping[str, str] = field(default_factory=dict)  # file -> why it was not read
    template: str = ""  # what the model's own chat template was asked to write, where that was not every row


@dataclass
class Context(Run):
    """Everything that a check may look at; `live` is None offline, `today` decides what is retired."""

    today: datetime.date
    live: Live | None
    az: str = ""  # the program that answers to az, where that was said
    prepared: Prepared = Prepared()

    @property
    def asked(self) -> Live:
        """Who is asked; a check that needs it runs only where somebody can be."""
        assert self.live
        return self.live


def build(values: Values, live: Live | None = None, today: datetime.date | None = None, az: str = "") -> Context:
    """Gathers the context of an environment; a `UserError` where values or facts are wrong."""
    made = run.build(values, read_data(values.environment))
    prepared = read_prepared(values.environment)
    return Context(**vars(made), today=today or datetime.date.today(), live=live, az=az, prepared=prepared)


def read_data(environment: str, root: Path = ROOT) -> dict[str, Split]:
    """Returns the splits of the prepared data, from its manifest; nothing where `make data` has not run."""
    path = root / "data" / environment / "manifest.json"
    if not path.exists():
        return {}
    try:
        return run.splits_of(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError):
        name = path.relative_to(root).as_posix()
        raise UserError(f"{name}: is not what make data writes; make data ENV={environment} prepares it anew") from None


def read_prepared(environment: str, root: Path = ROOT) -> Prepared:
    """Returns what the manifest of the prepared data says of them as a whole; nothing where it is of an older kind."""
    from scripts.dataset.checks import EVERY_ROW

    try:
        manifest = json.loads((root / "data" / environment / "manifest.json").read_text(encoding="utf-8"))
        fallback, checks = manifest["fallback"], manifest["checks"]
        return Prepared(
            source=str(manifest["source"]["asked"]),
            fallback=f"{fallback['took']} in place of {fallback['asked']}" if fallback else "",
            because=fallback["because"] if fallback else "",
            rows_in=int(manifest["left_out"]["in"]),
            left_out={name: int(count) for name, count in manifest["left_out"]["reasons"].items()},
            kept=tuple(_kept(each) for each in checks if each["count"] and each["policy"] == "keep"),
            unused={each["file"]: each["reason"] for each in manifest["unused_files"]},
            template=next((each["looked_at"] for each in checks if each["name"] == "template"
                           and each["looked_at"] != EVERY_ROW), ""),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Prepared()  # `read_data` says what is wrong with it


def _kept(check: Mapping[str, Any]) -> Kept:
    example = next(iter(check["examples"]), None)
    first = f"{example['file']} {example['row']}" if example else ""
    return Kept(check["name"], int(check["count"]), first, bool(check["estimated"]))
