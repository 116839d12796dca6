"""Small sets: from ten rows on every part has a row, and rows keep their side while the set grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.dataset.check_files import check_files
from scripts.dataset.cuts import Drawn, moved
from scripts.dataset.prepare import prepare
from scripts.dataset.settings import from_values
from scripts.errors import UserError
from tests.dataset.samples import as_jsonl, ids, rows, run

SPLITS = {"train": None, "validation": 0.05, "test": 0.05}
PARTS = ("train", "validation", "test")


@pytest.mark.parametrize("count", [10, 12, 15, 21, 40])
@pytest.mark.parametrize("seed", [1, 42])
def test_every_part_of_a_small_set_has_a_row(tmp_path: Path, count: int, seed: int) -> None:
    as_jsonl(tmp_path / "a.jsonl", rows(count))
    few = {"few_rows": "keep"} if count < 12 else {}  # the component takes ten training rows, and two are cut
    manifest = run(tmp_path / "a.jsonl", tmp_path / "out", splits=SPLITS, seed=seed, checks=few)
    sizes = [manifest["files"][part]["rows"] for part in PARTS]
    assert min(sizes) >= 1 and sum(sizes) == count == len(ids(tmp_path / "out"))
    again = run(tmp_path / "a.jsonl", tmp_path / "again", splits=SPLITS, seed=seed, checks=few)
    assert again["version"] == manifest["version"]
    assert manifest["read"]["a"]["in"] == count  # counted once, though read twice


def test_a_row_keeps_its_side_while_a_small_set_grows(tmp_path: Path) -> None:
    changed = 0
    before: dict[int, str] = {}
    for count in range(12, 60, 4):
        as_jsonl(tmp_path / "a.jsonl", rows(count))
        run(tmp_path / "a.jsonl", tmp_path / str(count), splits=SPLITS)
        sides = {each: part for part in PARTS for each in ids(tmp_path / str(count), part)}
        changed += sum(sides[each] != part for each, part in before.items())
        before = sides
    assert changed <= 6  # of 420


def test_copies_stay_together_in_a_small_set(tmp_path: Path) -> None:
    some = [row for row in rows(6) for _ in range(3)]
    for at, row in enumerate(some):
        row = some[at] = json.loads(json.dumps(row))
        row["messages"][1]["content"] += " " * (at % 3)
    as_jsonl(tmp_path / "a.jsonl", some)
    run(tmp_path / "a.jsonl", tmp_path / "out", splits=SPLITS, max_left_out=100,
        checks={"duplicate": "keep", "near_duplicate": "keep"})  # fmt: skip
    sides = [ids(tmp_path / "out", part) for part in PARTS]
    assert all(sides) and sum(map(len, sides)) == 6


@pytest.mark.parametrize(
    ("fractions", "expected"),
    [
        ([0.01, 0.07, 0.5, 0.9], None),  # no cut is empty
        ([0.2, 0.4, 0.6, 0.8], [1, 1, 2]), ([0.06, 0.3, 0.6], [1, 1, 1]), ([0.01, 0.02, 0.6, 0.7], [2, 1, 1]),
        ([0.06, 0.07, 0.08, 0.9], [1, 2, 1]), ([0.5, 0.6], None), ([0.5], None), ([], None),
    ],
)  # fmt: skip
def test_edges_move_to_the_next_row(fractions: list[float], expected: list[int] | None) -> None:
    cuts = [("validation", 0.05), ("test", 0.05)]
    drawn = Drawn(3)
    values = np.array(fractions)
    for part in np.array_split(values, 2):
        drawn.add(part, np.searchsorted([0.05, 0.1], part, side="right"))
    found = moved(cuts, drawn)
    assert (found is None) == (expected is None)
    if found:
        sides = np.searchsorted(np.cumsum([share for _, share in found]), values, side="right")
        assert np.bincount(sides, minlength=3).tolist() == expected


def said_of(path: Path, out: Path, **dataset: Any) -> str:
    settings = from_values({"dataset": {"source": str(path), "splits": SPLITS, **dataset}})
    try:
        manifest = prepare(settings, out, say=lambda line: None, stream=None).manifest
    except UserError as error:
        return str(error)
    found = next(each for each in manifest["checks"] if each["name"] == "few_rows")
    return f"{found['examples'][0]['found']}; {found['examples'][0]['fix']}" if found["count"] else manifest["status"]


def test_the_advice_fits_where_no_row_is_left(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"text": 1}\n' * 40)
    assert said_of(tmp_path / "bad.jsonl", tmp_path / "out") == (
        "0 rows; most rows were left out: put right what the other checks name"
    )
    as_jsonl(tmp_path / "few.jsonl", rows(4))
    assert said_of(tmp_path / "few.jsonl", tmp_path / "out") == "4 rows; give at least 10 training rows"
    as_jsonl(tmp_path / "a.jsonl", rows(60))
    assert said_of(tmp_path / "a.jsonl", tmp_path / "out", percent=5).endswith("raise dataset.percent")
    folder = tmp_path / "set"
    folder.mkdir()
    as_jsonl(folder / "train.jsonl", rows(400))
    (folder / "test.jsonl").write_text('{"text": 1}\n' * 4)
    splits = {"splits": SPLITS | {"train": "train", "test": "test"}}
    assert "no row is left for test: all 4 rows of 'test' were left out" in said_of(folder, tmp_path / "out", **splits)
    (folder / "test.jsonl").write_text("")
    assert "no row is left for test: 'test' holds no row; give it rows" in said_of(folder, tmp_path / "out", **splits)
    same = [{"messages": rows(1)[0]["messages"]}] * 30
    as_jsonl(tmp_path / "same.jsonl", same)
    words = said_of(tmp_path / "same.jsonl", tmp_path / "out", max_left_out=100, checks={"duplicate": "keep"})
    assert "no row is left for validation: 30 rows, or as few different ones, cannot be cut" in words


def test_a_check_counts_all_of_a_file_whatever_its_name(tmp_path: Path, small_tokenizer: Path) -> None:
    for name in ("mine", "train", "test"):
        as_jsonl(tmp_path / f"{name}.jsonl", rows(700))
        values = {"dataset": {"tokenizer": str(small_tokenizer)}, "finetune": {"max_seq_length": 20}}
        verdict = check_files(from_values(values), [str(tmp_path / f"{name}.jsonl")], None)
        tokens = verdict["tokens"]["splits"][name]
        assert tokens["counted"] == 700 and tokens["how"] == "exact"
        assert not next(each for each in verdict["checks"] if each["name"] == "too_long")["estimated"]
