"""A percentage reads no more than it needs, and draws the same rows again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.dataset.samples import PLAIN, as_csv, as_gzip, as_jsonl, as_list, as_objects, ids, parquet, rows, run


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


def as_arrow(path: Path, some: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(some)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table, max_chunksize=250)


HEADS: dict[str, Callable[[Path, list[dict[str, Any]]], object]] = {
    "a.jsonl": as_jsonl, "a.jsonl.gz": as_gzip, "list.json": as_list, "objects.json": as_objects, "a.csv": as_csv,
    "a.arrow": as_arrow, "a.parquet": parquet,
}  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_the_head_of_a_file_is_its_first_rows_and_of_several_files_of_the_first(tmp_path: Path, name: str) -> None:
    (tmp_path / "set").mkdir()
    HEADS[name](tmp_path / "set" / name, rows(600))
    run(tmp_path / "set", tmp_path / "one", percent=10, sample="head")
    assert ids(tmp_path / "one") == set(range(len(ids(tmp_path / "one")))) and 50 <= len(ids(tmp_path / "one")) <= 70
    HEADS[name](tmp_path / "set" / f"z{name}", rows(600, 600))
    manifest = run(tmp_path / "set", tmp_path / "two", percent=75, sample="head")
    taken = ids(tmp_path / "two")
    assert taken >= set(range(600)) and taken == set(range(len(taken))) and 850 <= len(taken) <= 950
    assert sum(read["in"] for read in manifest["read"].values()) == len(taken)


def test_a_file_that_is_taken_whole_by_the_head_keeps_a_last_line_without_an_end(tmp_path: Path) -> None:
    for name, start in (("a", 0), ("b", 100)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in rows(100, start)))
    run(f"{tmp_path}/*.jsonl", tmp_path / "out", percent=75, sample="head")
    assert set(range(140)) <= ids(tmp_path / "out") <= set(range(160))


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
