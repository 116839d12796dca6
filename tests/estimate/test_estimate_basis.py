"""By which rows a run is estimated, and what is said of them: prepared, committed, scaled, stale, or only known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from scripts.estimate.basis import Basis, Held, choose
from scripts.values import data_facts
from scripts.values.data_facts import DataFacts, Split
from scripts.values.read import Values, load

OWN = "HuggingFaceH4/ultrachat_200k"
FILE = "environments/reference.data.yaml"


def splits(rows: int) -> dict[str, Split]:
    return dict.fromkeys(("train", "validation", "test"), Split(rows, rows * 100, 300, (), "exact"))


def kept(root: Path, values: Values, **changes: object) -> None:
    """Commits facts of 1,000 rows that these values made, but for what is changed."""
    facts = DataFacts("0123456789ab", OWN, "main", None, values.data["dataset"]["percent"], data_facts.settings(values),
                      splits(1000))  # fmt: skip
    data_facts.write(dataclasses.replace(facts, **changes), "reference", root)  # type: ignore[arg-type]


def reference(*sets: str) -> Values:
    return load("reference", sets)


PREPARED = Held(splits(500), OWN, 5)


@pytest.mark.parametrize("held, facts, sets, rows, origin", [
    (PREPARED, {}, (), 500, ""),  # what is here and of the values' own source
    (PREPARED, {}, ("dataset.percent=10",), 1000, "estimated from the prepared data, of 5 % scaled to 10 %"),
    (None, {}, (), 1000, f"from {FILE}"),
    (Held(splits(7), "", 100), {}, (), 1000, f"from {FILE}"),  # a stand-in is never priced
    (Held(splits(7), "my.jsonl"), {}, (), 1000, f"from {FILE}"),
    (Held(splits(7), "my.jsonl"), None, (), 7, "of my.jsonl, which was prepared and is not what the values name"),
    (None, {}, ("dataset.percent=100",), 20_000, f"estimated from {FILE}, which is stale, of 5 % scaled to 100 %"),
    (None, {}, ("dataset.seed=1",), 1000, f"estimated from {FILE}, which is stale: other settings made it"),
    (None, {"source": "a/b"}, ("dataset.seed=1",), 8315, f"estimated from the rows that {OWN} is known to have (2026-"),
    (None, None, (), 8315, f"estimated from the rows that {OWN} is known to have (2026-"),
    (Held(splits(7), "", 100), None, (), 8315, f"estimated from the rows that {OWN} is known to have (2026-"),
])  # fmt: skip
def test_the_best_rows_that_are_known_are_taken_and_said(
    tmp_path: Path, held: Held | None, facts: dict[str, object] | None, sets: tuple[str, ...], rows: int, origin: str
) -> None:
    if facts is not None:
        kept(tmp_path, reference(), **facts)
    found = choose(reference(*sets), held, tmp_path)
    assert found.splits["train"].rows == rows
    assert found.origin.startswith(origin) and bool(found.origin) == bool(origin)


def test_what_is_known_is_divided_as_the_values_say(tmp_path: Path) -> None:
    found = choose(reference(), None, tmp_path).splits
    assert {name: each.rows for name, each in found.items()} == {"train": 8315, "validation": 2079, "test": 1156}
    whole = choose(reference("dataset.percent=100", "dataset.splits.train=train_*"), None, tmp_path).splits
    assert whole["train"].rows == round((207865 + 256032) * 0.8)
    assert {each.how for each in found.values()} == {"estimated"} and not any(each.longest for each in found.values())


@pytest.mark.parametrize("sets", [
    "dataset.source=some/other", "dataset.splits.train=nosuch", "dataset.splits.test=nosuch", "dataset.subset=x",
    "dataset.splits.train=null",
])  # fmt: skip
def test_what_nobody_knows_is_not_made_up(tmp_path: Path, sets: str) -> None:
    assert choose(reference(sets), None, tmp_path) == Basis({})
