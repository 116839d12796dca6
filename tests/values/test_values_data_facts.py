"""Data facts: the same data, the same bytes; of which values they are, and what is wrong with edited ones."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import pytest
import yaml

from scripts.errors import UserError
from scripts.values import data_facts
from scripts.values.data_facts import DataFacts, Split
from scripts.values.read import Values, load

SPLIT = Split(200, 24_000, 250, tuple(range(50, 151)), "exact", 3)
FACTS = DataFacts("0123456789ab", "some/chat", "main", "c" * 40, 5.0, "ba9876543210",
                  {"train": SPLIT, "validation": SPLIT, "test": SPLIT})  # fmt: skip


def changed(key: str, value: object) -> Values:
    """Returns dev's values with a dotted key of them changed."""
    values = load("dev")
    data = copy.deepcopy(values.data)
    *above, last = key.split(".")
    at = data
    for part in above:
        at = at.setdefault(part, {})
    at[last] = value
    return dataclasses.replace(values, data=data)


def test_facts_are_read_as_they_were_written_and_written_once(tmp_path: Path) -> None:
    assert data_facts.read("dev", tmp_path) is None
    assert data_facts.write(FACTS, "dev", tmp_path)
    assert data_facts.read("dev", tmp_path) == FACTS
    assert not data_facts.write(FACTS, "dev", tmp_path)
    text = (tmp_path / "environments" / "dev.data.yaml").read_text()
    assert text.startswith("# What make data ENV=dev prepared; do not edit.") and "\ncommit: cccc" in text
    assert max(map(len, text.splitlines())) <= 128 and len(text.splitlines()) < 60
    local = dataclasses.replace(FACTS, commit=None, version="123456789012", settings="12e456789012")
    assert data_facts.write(local, "dev", tmp_path) and data_facts.read("dev", tmp_path) == local
    assert yaml.safe_load(data_facts.to_text(local, "dev"))["version"] == "123456789012"  # text to any reader


@pytest.mark.parametrize("key, value", [
    ("dataset.source", "my.jsonl"), ("dataset.revision", "v2"), ("dataset.sample", "head"), ("dataset.seed", 1),
    ("dataset.splits.validation", 0.1), ("dataset.checks.too_long", "fail"), ("dataset.layout.format", "messages"),
    ("dataset.tokenizer", "a/b"), ("dataset.subset", "x"), ("model.name", "Phi-3.5-mini-instruct"),
    ("model.finetune_config.finetune_chat_template", "{{ messages }}"),
])  # fmt: skip
def test_what_decides_the_rows_makes_facts_stale(key: str, value: object) -> None:
    assert data_facts.settings(changed(key, value)) != data_facts.settings(load("dev"))


@pytest.mark.parametrize("key, value", [
    ("dataset.name", "other"), ("dataset.label", "other"), ("dataset.percent", 7), ("dataset.tokens", "exact"),
    ("dataset.max_left_out", 20), ("dataset.where", "azureml"), ("finetune.max_seq_length", 64), ("model.version", "9"),
    ("finetune.learning_rate", 1e-4), ("compute.size", "x"), ("tags.team", "x"),
])  # fmt: skip
def test_what_decides_no_row_does_not(key: str, value: object) -> None:
    assert data_facts.settings(changed(key, value)) == data_facts.settings(load("dev"))


def test_where_rows_are_dropped_by_length_the_cut_decides_too() -> None:
    values = changed("dataset.checks.too_long", "drop")
    before = data_facts.settings(values)
    values.data["finetune"]["max_seq_length"] = 64
    assert data_facts.settings(values) != before


def test_facts_are_current_for_their_own_values_only(tmp_path: Path) -> None:
    values = load("dev")
    own = dataclasses.replace(FACTS, settings=data_facts.settings(values), percent=0.1)
    data_facts.write(own, "dev", tmp_path)
    assert data_facts.current(values, tmp_path) == own
    for key, value in (("dataset.percent", 1), ("dataset.seed", 1), ("dataset.where", "azureml")):
        assert data_facts.current(changed(key, value), tmp_path) is None


@pytest.mark.parametrize("old, new, said", [
    ("version: 0123456789ab", "version: 3", "version: found 3, expected text"),
    ("version: 0123456789ab", "version: a-b", "version: found 'a-b', expected 12 hexadecimal digits"),
    ("settings: ba9876543210\n", "", "settings is missing"),
    ("percent: 5.0", "percent: 0", "percent: found 0.0, expected more than 0 and at most 100"),
    ("  test:\n", "  tests:\n", "splits: found train, validation, tests, expected train, validation, test"),
    ("rows: 200", "rows: -1", "splits.train.rows: found -1, expected a count"),
    ("rows: 200", "rows: many", "splits.train.rows: found 'many', expected a whole number"),
    ("how: exact", "how: guessed", "splits.train.how: found 'guessed', allowed: exact, sample"),
    ("[50, ", "[", "splits.train.percentiles: found 100 of them, expected 101 counts"),
    ("    rows: 200", "    row: 200", "splits.train.row is unknown here"),
])  # fmt: skip
def test_facts_that_were_edited_are_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "environments" / "dev.data.yaml"
    path.parent.mkdir()
    text = data_facts.to_text(FACTS, "dev")
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError) as caught:
        data_facts.read("dev", tmp_path)
    assert str(caught.value).startswith(f"environments/dev.data.yaml: {said}")
    assert str(caught.value).endswith("; make data ENV=dev writes it anew, or delete it")


def test_a_part_of_the_rows_has_their_lengths_and_no_longest() -> None:
    half = SPLIT.scaled(0.5)
    assert half == dataclasses.replace(SPLIT, rows=100, tokens=12_000, longest=0, answers_lost=2)
    assert SPLIT.scaled(0.0001).rows == 1
