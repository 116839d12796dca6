"""The data facts of what was prepared, written beside the lock to be committed, for whoever has no data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.errors import UserError
from scripts.estimate.run import splits_of
from scripts.files import ROOT
from scripts.targets import command
from scripts.values import data_facts
from scripts.values.data_facts import HOW, DataFacts
from scripts.values.read import Values, load


def keep(values: Values, manifest: Mapping[str, Any], foreign: bool, root: Path = ROOT) -> str:
    """Writes the data facts of an environment's own data and returns what to say; nothing where nothing changed."""
    environment = values.environment
    name = data_facts.file_name(environment)
    made = facts_of(values, manifest)
    reason = _reason(values, made, manifest, foreign, root)
    if reason:
        return f"{name}: not written, {reason}"
    try:
        before = data_facts.read(environment, root)
    except UserError:  # a damaged one is written anew
        before = None
    if before and _is_worse_counted(made, before):
        return ""
    if not data_facts.write(made, environment, root):
        return ""
    todo = f"{command('render', environment)}, and commit both: then the job names these data"
    said = _moved(before, made) if before else "written"
    return f"{name}: {said}; {todo}"


def facts_of(values: Values, manifest: Mapping[str, Any]) -> DataFacts:
    """Returns the data facts of a manifest that these values made."""
    source = manifest["source"]
    return DataFacts(
        version=manifest["version"],
        source=source["asked"],
        revision=source["revision"],
        commit=source["commit"],
        percent=float(manifest["percent"]),
        settings=data_facts.settings(values),
        splits=splits_of(manifest),
    )


def _reason(values: Values, made: DataFacts, manifest: Mapping[str, Any], foreign: bool, root: Path) -> str:
    """Returns why these are no facts of the environment, an empty text where they are."""
    if manifest["fallback"]:
        return "since what was prepared only stands in"
    if foreign:
        return "since DATASET is not the values' own source"
    if values.sets and not made.is_of(load(values.environment, root=root)):
        return "since SET asks for other data than the values"
    return ""


def _is_worse_counted(made: DataFacts, before: DataFacts) -> bool:
    """Tells whether the same data were counted better before: with the model's tokenizer, or row by row."""
    same = (made.version, made.settings, made.percent) == (before.version, before.settings, before.percent)
    ranks = [max(HOW.index(split.how) for split in each.splits.values()) for each in (made, before)]
    return same and ranks[0] > ranks[1]


def _moved(before: DataFacts, made: DataFacts) -> str:
    """Returns what changed: with the same values other rows mean that their source is another one by now."""
    if (before.settings, before.percent) != (made.settings, made.percent) or before.version == made.version:
        return "written anew"
    versions = f"data version {made.version}, where {before.version} was committed"
    if before.commit and before.commit != made.commit:
        back = f"dataset.revision: {before.commit} in the values prepares the old ones"
        return f"{versions}: {made.source} moved on from that commit ({back})"
    return f"{versions}: the rows of {made.source} changed"
