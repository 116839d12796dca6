"""Ten thousand mutated rows: each is either valid or named, nothing is lost, nothing raises, the counts add up."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from scripts.dataset.checks import MAX_ROW_BYTES
from scripts.dataset.prepare import prepare
from scripts.dataset.settings import from_values
from tests.bench.mutate import conversation, mutate

CUT = {"train": None, "validation": 0.1, "test": 0.1}


def run(source: Path, folder: Path, **dataset: object) -> tuple[int, dict]:
    settings = from_values({"dataset": {"source": str(source), "splits": CUT, "max_left_out": 100, **dataset}})
    code, manifest, _ = prepare(settings, folder, say=lambda line: None, stream=None)
    return code, manifest


def add_up(manifest: dict, rows: int, folder: Path) -> None:
    """The books: rows in = kept + dropped by reason, and the kept ones are in the files, valid."""
    read = manifest["read"].values()
    assert sum(each["in"] for each in read) == rows
    assert all(each["in"] == each["kept"] + sum(each["dropped"].values()) for each in read)
    written = 0
    for part in ("train", "validation", "test"):
        lines = (folder / f"{part}.jsonl").read_bytes().splitlines()
        for line in lines:
            row = json.loads(line)
            assert len(row["messages"]) > 1
            assert all(isinstance(each["content"], str) and each["content"].strip() for each in row["messages"])
        written += len(lines)
    assert written == sum(each["kept"] for each in read)


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_thousand_mutated_rows(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    valid = [conversation(generator) for _ in range(1000)]
    lines = [json.dumps(row).encode() for row in valid] + [
        mutate(conversation(generator), generator) for _ in range(9_000)
    ]
    generator.shuffle(lines)
    source = tmp_path / "rows.jsonl"
    source.write_bytes(b"\n".join(lines) + b"\n")
    code, manifest = run(source, tmp_path / "out")
    assert code == 0
    add_up(manifest, 10_000, tmp_path / "out")
    found = {each["name"]: each["count"] for each in manifest["checks"]}
    for name in ("json", "schema", "encoding", "order", "system_first", "single_message", "empty_content", "control",
                 "secret", "email", "garbled"):  # fmt: skip
        assert found[name] > 50, name
    files = [(tmp_path / "out" / f"{part}.jsonl").read_text("utf-8") for part in ("train", "validation", "test")]
    kept = {json.loads(line)["prompt_id"] for text in files for line in text.splitlines()}
    assert {row["prompt_id"] for row in valid} <= kept  # a valid row is never lost among the others
    text = json.dumps(manifest)
    assert "AKIAABCDEFGHIJKLMNOP" not in text and "bob@example.org" not in text


def test_a_message_of_50_megabytes_is_named_and_its_neighbours_kept(tmp_path: Path) -> None:
    generator = random.Random(3)
    rows = [json.dumps(conversation(generator)).encode() for _ in range(100)]
    huge = conversation(generator)
    huge["messages"][0]["content"] = "a word " * (50 * 2**20 // 7)
    rows.insert(50, json.dumps(huge).encode())
    source = tmp_path / "rows.jsonl"
    source.write_bytes(b"\n".join(rows))
    code, manifest = run(source, tmp_path / "out")
    assert code == 0
    add_up(manifest, 101, tmp_path / "out")
    check = next(each for each in manifest["checks"] if each["name"] == "row_size")
    assert check["count"] == 1 and check["examples"][0]["row"] == "line 51"
    assert MAX_ROW_BYTES < 50 * 2**20


@pytest.mark.parametrize(
    "suffix", ["jsonl", "json", "csv", "tsv", "parquet", "jsonl.gz", "jsonl.zst", "csv.gz", "json.gz"]
)
def test_random_bytes_in_every_format_end_in_a_sentence_or_a_name(tmp_path: Path, suffix: str) -> None:
    from scripts.errors import UserError

    generator = random.Random(suffix)
    for number in range(12):
        source = tmp_path / f"{number}.{suffix}"
        data = generator.randbytes(generator.choice([0, 1, 50, 5000]))
        source.write_bytes(generator.choice([b"", b"[", b'{"messages": [', b"PAR1", b"\x1f\x8b", b"(\xb5/\xfd"]) + data)
        try:
            code, manifest = run(source, tmp_path / f"out{number}{suffix}")
        except UserError as error:
            assert str(source.name) in str(error) or "dataset." in str(error)
            continue
        assert code == 1  # fewer than ten rows
        assert all(each["in"] == each["kept"] + sum(each["dropped"].values()) for each in manifest["read"].values())
