"""What a source is: files, folders and globs, and the splits that they hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.dataset.__main__ import command_line
from scripts.dataset.check_files import check_files
from scripts.dataset.prepare import find_source, prepare
from scripts.dataset.settings import from_values
from scripts.dataset.source import local, split_of
from scripts.errors import UserError
from tests.dataset.samples import as_jsonl, ids, parquet, rows, run


@pytest.mark.parametrize(
    ("label", "split"),
    [
        ("data/train_sft-00000-of-00003-a3ecf92756993583.parquet", "train_sft"), ("train_sft.jsonl.gz", "train_sft"),
        ("test_gen-00000-of-00001.parquet", "test_gen"), ("train/0000.parquet", "train"),
        ("default/train/part-3.jsonl", "train"),
        ("validation/data-00001-of-00009.parquet", "validation"),
    ],
)  # fmt: skip
def test_splits_are_told_by_file_names(label: str, split: str) -> None:
    assert split_of(label) == split


def test_a_split_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    parquet(tmp_path / "set" / "data" / "train_sft-00000-of-00001.parquet", rows(50))
    with pytest.raises(UserError, match=r"no split 'train_sfd' \(did you mean 'train_sft'\?\)"):
        run(tmp_path / "set", tmp_path / "out", splits={"train": "train_sfd", "validation": 0.1, "test": 0.1})


def test_a_plain_file_is_cut_where_the_values_name_splits_that_it_has_not(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "mine.jsonl", rows(400))
    said: list[str] = []
    splits = {"train": "train_sft", "validation": 0.05, "test": "test_sft", "heldout": "test_gen"}
    manifest = run(tmp_path / "mine.jsonl", tmp_path / "out", said=said, splits=splits)
    assert (
        manifest["files"]["test"]["rows"] > 5
        and manifest["files"]["heldout"]["sha256"] == manifest["files"]["test"]["sha256"]
    )
    assert any("test takes 5 % of train" in line for line in said)


def test_what_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    for source, words in (
        (tmp_path / "no.jsonl", "no such file"),
        (tmp_path / "*.jsonl", "no file matches"),
        (tmp_path, "no data file"),
    ):
        with pytest.raises(UserError, match=words):
            find_source(from_values({"dataset": {"source": str(source)}}))
    (tmp_path / "a.jsonl").write_bytes("text".encode("utf-16"))
    with pytest.raises(UserError, match="UTF-16"):
        run(tmp_path / "a.jsonl", tmp_path / "out")


def test_a_glob_takes_the_files_that_match(tmp_path: Path) -> None:
    for at in range(3):
        as_jsonl(tmp_path / f"part-{at}.jsonl", rows(50, at * 50))
    as_jsonl(tmp_path / "other.jsonl", rows(50, 1000))
    assert sum(map(len, local(str(tmp_path / "part-*.jsonl")).splits.values())) == 3
    run(tmp_path / "part-*.jsonl", tmp_path / "out")
    assert ids(tmp_path / "out") == set(range(150))


def test_another_source_brings_its_own_splits(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, some in (("train", rows(40)), ("validation", rows(60)[40:]), ("test", rows(80)[60:])):
        as_jsonl(folder / f"{name}.jsonl", some)
    splits = {"train": "train_sft", "validation": 0.05, "test": "test_sft", "heldout": "test_gen"}
    settings = from_values({"dataset": {"source": str(folder), "splits": splits}})
    with pytest.raises(UserError, match="did you mean 'train'"):
        prepare(settings, tmp_path / "out", say=lambda line: None, stream=None)
    said: list[str] = []
    code, manifest, _ = prepare(settings, tmp_path / "out", say=said.append, stream=None, foreign=True)
    assert code == 0
    assert manifest["splits"] == {"train": "train", "validation": "validation", "test": "test", "heldout": None}
    assert [manifest["files"][part]["rows"] for part in ("train", "validation", "test")] == [40, 20, 20]
    assert any("train takes train, validation takes validation, test takes test" in line for line in said)


def test_the_report_of_a_damaged_manifest_is_a_sentence(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"format": 2}'):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(UserError, match=r"manifest.json: damaged; run `make data ENV=demo`"):
            command_line(["report", "--env", "demo", "--folder", str(tmp_path)])


def test_one_row_is_too_few_to_train_on_not_to_cut(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "a.jsonl", rows(1))
    settings = from_values({"dataset": {"source": str(tmp_path / "a.jsonl")}})
    code, manifest, _ = prepare(settings, tmp_path / "out", say=lambda line: None, stream=None)
    assert code == 1
    assert [each["name"] for each in manifest["checks"] if each["status"] == "fail"] == ["few_rows"]


def test_a_name_that_begins_like_a_test_is_still_checked_for_too_few_rows(tmp_path: Path) -> None:
    for name in ("developer", "valuable", "testimonials", "dev", "test_v2"):
        as_jsonl(tmp_path / f"{name}.jsonl", rows(3))
        verdict = check_files(from_values({"dataset": {}}), [str(tmp_path / f"{name}.jsonl")], None)
        few = next(each["count"] for each in verdict["checks"] if each["name"] == "few_rows")
        assert few == (name not in ("dev", "test_v2"))


def test_a_leak_between_hundreds_of_files_is_named_by_its_file(tmp_path: Path) -> None:
    for at in range(300):
        as_jsonl(tmp_path / f"dev_{at:03}x.jsonl", rows(1, at if at < 299 else 298))
    leak = next(
        each
        for each in check_files(from_values({"dataset": {}}), [str(tmp_path)], None)["checks"]
        if each["name"] == "leak"
    )
    assert leak["count"] == 1
    assert leak["examples"][0]["file"] == "dev_299x.jsonl" and "dev_298x.jsonl line 1" in leak["examples"][0]["found"]
