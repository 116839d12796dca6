"""The rows that a run is estimated by: those prepared here, else the committed data facts, else what a source is known
to hold; and where they are not exactly those that will be trained on, the words that say so.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from scripts.azure.component import SPLITS
from scripts.files import ROOT
from scripts.values import data_facts
from scripts.values.data_facts import ESTIMATED, Split
from scripts.values.read import Values

Splits = dict[str, Split]
KNOWN_SOURCES = Path(__file__).with_name("known_sources.json")


@dataclass(frozen=True)
class Basis:
    """Rows by split, empty where nobody knows any; `origin` is the end of a sentence, empty for the prepared data."""

    splits: Splits
    origin: str = ""


@dataclass(frozen=True)
class Held:
    """What lies in data/<env>: its rows, and what they were made of; `source` is empty for a stand-in."""

    splits: Splits
    source: str
    percent: float = 100.0


def choose(values: Values, held: Held | None, root: Path = ROOT) -> Basis:
    """Returns the rows to estimate by. A stand-in is never among them: its figures are not the real data's."""
    dataset = values.data["dataset"]
    source, percent = str(dataset["source"]), float(dataset.get("percent", 100))
    name = data_facts.file_name(values.environment)
    if held and held.source == source:
        return _scaled(held.splits, held.percent, percent, "the prepared data")
    facts = data_facts.read(values.environment, root)
    if facts and facts.is_of(values):
        return Basis(facts.splits, f"from {name}")
    if held and held.source:
        return Basis(held.splits, f"of {held.source}, which was prepared and is not what the values name")
    if facts and facts.source == source:
        other = facts.settings != data_facts.settings(values)
        stale = f"{name}, which is stale: other settings made it" if other else f"{name}, which is stale"
        return _scaled(facts.splits, facts.percent, percent, stale, exact=False)
    return _known(dataset, percent)


def _scaled(splits: Splits, made: float, wanted: float, what: str, exact: bool = True) -> Basis:
    if made == wanted:
        return Basis(splits, "" if exact else f"estimated from {what}")
    scaled = {name: split.scaled(wanted / made) for name, split in splits.items()}
    return Basis(scaled, f"estimated from {what}, of {made:g} % scaled to {wanted:g} %")


def _known(dataset: Mapping[str, Any], percent: float) -> Basis:
    """Returns what the catalog knows of the source's splits, nothing where it does not know one that is asked for."""
    known = _catalog().get(str(dataset["source"]))
    asked: dict[str, Any] = dataset.get("splits") or {}
    if known is None or dataset.get("subset") or not isinstance(asked.get("train"), str):
        return Basis({})
    cuts = {part: share for part, share in asked.items() if isinstance(share, int | float)}
    rows = {part: _rows(known["rows"], split) for part, split in asked.items() if isinstance(split, str)}
    rows |= {part: share * rows["train"] for part, share in cuts.items()}
    rows["train"] *= 1 - sum(cuts.values())
    if not all(rows.get(part) for part in SPLITS):
        return Basis({})
    counts = {part: max(1, round(rows[part] * percent / 100)) for part in SPLITS}
    splits = {part: Split(count, count * known["tokens"], 0, (), ESTIMATED) for part, count in counts.items()}
    return Basis(splits, f"estimated from the rows that {dataset['source']} is known to have ({known['seen']})")


def _rows(known: Mapping[str, int], split: str) -> float:
    """Returns the rows of a split, which may be a pattern."""
    return sum(count for name, count in known.items() if fnmatchcase(name, split))


@functools.cache
def _catalog() -> dict[str, dict[str, Any]]:
    content = json.loads(KNOWN_SOURCES.read_text(encoding="utf-8"))
    return {each["source"]: each for each in content["sources"]}
