"""A percentage reads no more than it needs, and draws the same rows again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.dataset.samples import PLAIN, as_gzip, as_jsonl, ids, parquet, rows, run


def test_rows_keep_their_side_when_the_data_grows(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "a.jsonl", rows(300))
    as_jsonl(tmp_path / "b.jsonl", rows(700, 300)[::-1] + rows(300))
    run(tmp_path / "a.jsonl", tmp_path / "a")
    run(tmp_path / "b.jsonl", tmp_path / "b")
    for part in ("train", "validation", "test"):
        assert ids(tmp_path / "a", part) == {each for each in ids(tmp_path / "b", part) if each < 300}
        assert ids(tmp_path / "a", part) or part != "train"


def test_five_percent_of_parquet_reads_the_row_groups_it_needs(tmp_path: Path) -> None:
    for at in range(3):
        parquet(tmp_path / "set" / f"train-0000{at}-of-00003.parquet", rows(2000, at * 2000), group=100)
    manifest = run(tmp_path / "set", tmp_path / "out", percent=5, splits=PLAIN | {"train": "train"})
    read = manifest["read"]["train"]
    assert read["in"] == 300 and read["how"].startswith("300 rows from 3 of 60 row groups")
    taken = ids(tmp_path / "out")
    again = run(tmp_path / "set", tmp_path / "again", percent=5, splits=PLAIN | {"train": "train"})
    assert again["version"] == manifest["version"]
    run(tmp_path / "set", tmp_path / "other", percent=5, seed=7, splits=PLAIN | {"train": "train"})
    run(tmp_path / "set", tmp_path / "head", percent=5, sample="head", splits=PLAIN | {"train": "train"})
    assert ids(tmp_path / "other") != taken and taken != set(range(300))
    assert ids(tmp_path / "head") == set(range(300))


def test_one_large_row_group_is_sampled_row_by_row(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", rows(2000), group=5000)
    run(tmp_path / "a.parquet", tmp_path / "out", percent=10)
    taken = ids(tmp_path / "out")
    assert len(taken) == 200 and max(taken) - min(taken) > 1500


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_percent_of_json_lines(tmp_path: Path, name: str) -> None:
    (as_gzip if name.endswith("gz") else as_jsonl)(tmp_path / name, rows(3000))
    run(tmp_path / name, tmp_path / "out", percent=10)
    taken = ids(tmp_path / "out")
    assert 240 < len(taken) < 360 and max(taken) > 2500
    run(tmp_path / name, tmp_path / "head", percent=10, sample="head")
    assert max(ids(tmp_path / "head")) < 3000 and 0 in ids(tmp_path / "head")


def test_blocks_of_a_large_file_name_the_right_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.dataset import read_plan

    monkeypatch.setattr(read_plan, "SMALL", 0)
    some = rows(20_000)
    for row in some[::97]:
        row["messages"][1]["content"] = ""
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(json.dumps(row).encode() for row in some))
    manifest = run(tmp_path / "a.jsonl", tmp_path / "out", percent=30)
    found = next(each for each in manifest["checks"] if each["name"] == "empty_content")
    assert found["count"] > 10 and "blocks" in manifest["read"]["a"]["how"]
    assert all((int(each["row"].removeprefix("line ")) - 1) % 97 == 0 for each in found["examples"])
    taken = ids(tmp_path / "out")
    assert manifest["read"]["a"]["in"] == len(taken) + found["count"] and 4000 < len(taken) < 8000
