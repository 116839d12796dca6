"""Every file of a folder or glob is used or named: trees of files, and what becomes of each."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from scripts.dataset.bind_splits import choose
from scripts.dataset.check_files import check_files
from scripts.dataset.prepare import prepare
from scripts.dataset.read_plan import work_of
from scripts.dataset.settings import from_values
from scripts.dataset.source import local
from scripts.dataset.split_names import evidence, split_of
from scripts.errors import UserError
from tests.dataset.samples import as_jsonl, ids, rows, run

FOREIGN = {"train": "train_sft", "validation": 0.05, "test": "test_sft", "heldout": "test_gen"}
PLAIN = {"train": None, "validation": 0.1, "test": 0.1, "heldout": None}


def files_of(folder: Path, splits: dict[str, Any] = FOREIGN, source: str = "", foreign: bool = True) -> dict[str, str]:
    """Returns for each file the part that it feeds, or `unused`."""
    found = local(source or str(folder))
    bound = choose(found, splits, foreign)
    settings = from_values({"dataset": {"source": str(folder)}})
    read = {
        (getattr(unit, "file", None) or unit[0].file).label: task.part
        for task in work_of(settings, found, bound).tasks
        for unit in task.plan.units
    }
    return read | {each.label: "unused" for each in found.unused}


TREES: dict[str, dict[str, str]] = {
    "shards by number": {f"train-{at:02}.jsonl": "train" for at in range(5)},
    "shards counted from one": {f"train_{at}.jsonl": "train" for at in range(1, 4)},
    "numbers without a sign between": {"train1.jsonl": "train", "train2.jsonl": "train", "test1.jsonl": "test"},
    "shards of so many": {"train-00000-of-00002.jsonl": "train", "train-00001-of-00002.jsonl": "train",
                          "test-00000-of-00001-a3ec.jsonl": "test"},
    "one of three": {"chats_1of3.jsonl": "train", "chats_2of3.jsonl": "train", "chats_3of3.jsonl": "train"},
    "days": {f"2024-01-0{at}.jsonl": "train" for at in range(1, 5)},
    "days behind a name": {"chats-2024-01-01.jsonl": "train", "chats-2024-01-02.jsonl": "train"},
    "days before a split": {"2024-01-01-train.jsonl": "train", "2024-01-02-train.jsonl": "train",
                            "2024-01-01-test.jsonl": "test"},
    "partitions": {"day=1/part-0.jsonl": "train", "day=2/part-0.jsonl": "train"},
    "as Spark writes": {"part-00000-8f3c-c000.jsonl": "train", "part-00001-8f3c-c000.jsonl": "train",
                        "_SUCCESS": "unused", "._SUCCESS.crc": "unused"},
    "splits by folder": {"train/chats.jsonl": "train", "test/chats.jsonl": "test"},
    "splits by folder, in data": {"data/train/part-0.jsonl": "train", "data/train/part-1.jsonl": "train",
                                  "data/validation/part-0.jsonl": "validation", "data/test/part-0.jsonl": "test"},
    "partitions of a split": {"train/day=1/0.jsonl": "train", "train/day=2/0.jsonl": "train", "test/0.jsonl": "test"},
    "subjects with splits": {"law/train.jsonl": "train", "tax/train.jsonl": "train", "law/test.jsonl": "test"},
    "one name in two folders": {"a/chats.jsonl": "train", "b/chats.jsonl": "train"},
    "names that tell no split": {"alice.jsonl": "train", "bob.jsonl": "train", "latest.jsonl": "train"},
    "a split at the end of the name": {"chat_train.jsonl": "train", "chat_test.jsonl": "test",
                                       "chat_dev.jsonl": "validation"},
    "capitals": {"Train.jsonl": "train", "TestSet.jsonl": "test", "ValidationData.jsonl": "validation"},
    "as ultrachat": {"train_sft.jsonl": "train", "test_sft.jsonl": "test", "test_gen.jsonl": "heldout",
                     "train_gen.jsonl": "unused"},
    "held out": {"train.jsonl": "train", "held-out.jsonl": "heldout"},
    "with what is no data": {"train.jsonl": "train", "README.md": "unused", "dataset_info.json": "unused",
                             "notes.txt": "unused", ".hidden.jsonl": "unused", "old.tar.gz": "unused"},
    "beside a model": {"chats.jsonl": "train", "tokenizer.json": "unused", "generation_config.json": "unused"},
    "a name that only begins like a description": {"state_of_play.jsonl": "train", "config-help.json": "train"},
    "times": {"20240101.jsonl": "train", "20240102T030405Z.jsonl": "train"},
    "two tests": {"train.jsonl": "train", "test_a.jsonl": "test", "test_b.jsonl": "unused"},
}  # fmt: skip


@pytest.mark.parametrize("name", TREES)
def test_every_file_of_a_tree_is_used_or_named(tmp_path: Path, name: str) -> None:
    for number, label in enumerate(TREES[name]):
        (tmp_path / label).parent.mkdir(parents=True, exist_ok=True)
        as_jsonl(tmp_path / label, rows(1, number))
    assert files_of(tmp_path) == TREES[name]
    asked = {label: part for label, part in TREES[name].items() if "/" not in label and label.endswith(".jsonl")}
    if asked and len(asked) == len(TREES[name]):  # the same by a glob
        assert files_of(tmp_path, source=f"{tmp_path}/*.jsonl", foreign=False) == asked


REFUSED: dict[str, tuple[list[str], str]] = {
    "folder and file": (["test/train.jsonl", "test/b.jsonl"], r"the path test/train tells two splits"),
    "two folders": (["train/test/a.jsonl", "test/b.jsonl"], r"the path train/test/a tells two splits"),
    "one name, two splits": (["train_test.jsonl", "more.jsonl"], r"the path train_test tells two splits"),
    "some with a split": (["train.jsonl", "extra.jsonl"],
                          r"some files tell their split \(train\), others do not \(extra\)"),
    "test and the rest": (["chats.jsonl", "test.jsonl"], r'SET="dataset.splits.train=chats"'),
    "two to train on": (["train_v1.jsonl", "train_v2.jsonl"],
                        r"several splits could be trained on \(train_v1, train_v2\)"),
    "nothing to train on": (["test.jsonl", "dev.jsonl"], r"no train"),
    "a name with blanks": (["My Train.jsonl", "Train.jsonl"], r"""SET="dataset.splits.train='My Train'\""""),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("splits", [FOREIGN, PLAIN])
def test_contradictions_are_refused_with_the_way_out(tmp_path: Path, name: str, splits: dict[str, Any]) -> None:
    labels, words = REFUSED[name]
    for number, label in enumerate(labels):
        (tmp_path / label).parent.mkdir(parents=True, exist_ok=True)
        as_jsonl(tmp_path / label, rows(1, number))
    if name == "nothing to train on" and splits is PLAIN:
        words = "no train|several"
    with pytest.raises(UserError, match=f"dataset.splits.train: .*{words}"):
        files_of(tmp_path, splits, foreign=splits is FOREIGN)


@pytest.mark.parametrize(
    ("labels", "train", "used"),
    [
        (["chats.jsonl", "test.jsonl"], "chats", {"chats.jsonl"}),
        (["train_v1.jsonl", "train_v2.jsonl", "test.jsonl"], "train_v*", {"train_v1.jsonl", "train_v2.jsonl"}),
        (["part_1.jsonl", "part_2.jsonl", "part_3.jsonl"], "part_2", {"part_2.jsonl"}),
        (["test/train.jsonl", "test/b.jsonl"], "test/train", {"test/train.jsonl"}),
    ],
)
def test_who_names_the_split_is_obeyed(tmp_path: Path, labels: list[str], train: str, used: set[str]) -> None:
    for number, label in enumerate(labels):
        (tmp_path / label).parent.mkdir(parents=True, exist_ok=True)
        as_jsonl(tmp_path / label, rows(1, number))
    for foreign in (True, False):
        found = files_of(tmp_path, PLAIN | {"train": train}, foreign=foreign)
        assert {label for label, part in found.items() if part == "train"} == used and found.keys() == set(labels)


def test_links_are_followed_once_and_without_end(tmp_path: Path) -> None:
    real, folder = tmp_path / "real", tmp_path / "set"
    (real / "train").mkdir(parents=True)
    folder.mkdir()
    as_jsonl(real / "train" / "a.jsonl", rows(1))
    as_jsonl(folder / "test.jsonl", rows(1, 5))
    (folder / "train").symlink_to(real / "train")
    (folder / "twice").symlink_to(real / "train")
    (folder / "loop").symlink_to(folder)
    (folder / "train.jsonl").symlink_to(tmp_path / "gone.jsonl")
    (folder / "test-1.jsonl").symlink_to(folder / "test.jsonl")
    assert files_of(folder) == {"train/a.jsonl": "train", "test.jsonl": "unused", "test-1.jsonl": "test",
                                "twice/": "unused", "loop/": "unused", "train.jsonl": "unused"}  # fmt: skip


def test_a_glob_and_a_pipe_leave_nothing_unnamed(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "a.jsonl", rows(1))
    (tmp_path / "README.md").write_text("# chats")
    (tmp_path / "below").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    found = {each.label: each.reason for each in local(f"{tmp_path}/[!p]*").unused}
    assert found.keys() == {"README.md", "below/"} and "the glob asks for files" in found["below/"]
    assert files_of(tmp_path) == {"a.jsonl": "train", "README.md": "unused", "pipe.jsonl": "unused"}
    with pytest.raises(UserError, match="is neither a file nor a folder"):
        local(str(tmp_path / "pipe.jsonl"))


def test_a_folder_with_nothing_but_test_is_told_so(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "test.jsonl", rows(1))
    with pytest.raises(UserError, match=r'it has test, and no train; .*SET="dataset.splits.train=test"'):
        files_of(tmp_path)


def test_names_are_shown_in_signs_that_can_be_seen(tmp_path: Path) -> None:
    """A file's name may hold line breaks, escape sequences, and bytes that are not UTF-8."""
    folder = tmp_path / "set"
    folder.mkdir()
    names = [b"a\xff.jsonl", b"b\nc.jsonl", b"d\x1b[2J.jsonl", b"e\xfe.txt"]
    for number, name in enumerate(names):
        as_jsonl(folder / os.fsdecode(name), rows(5, 5 * number))
    manifest = run(folder, tmp_path / "out")
    assert [each["file"] for each in manifest["unused_files"]] == ["e\\udcfe.txt"]
    assert list(local(str(folder)).splits) == ["a\\udcff", "b\\u000ac", "d\\u001b[2J"]
    assert ids(tmp_path / "out") == set(range(15))
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["version"] == manifest["version"]
    with pytest.raises(UserError, match=r"a\\udcff.jsonl: a path that is not UTF-8; rename it"):
        run(os.fsdecode(bytes(folder / "a") + b"\xff.jsonl"), tmp_path / "other")


def test_an_empty_shard_is_named_and_an_empty_split_refused(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    as_jsonl(folder / "train-0.jsonl", rows(20))
    (folder / "train-1.jsonl").touch()
    manifest = run(folder, tmp_path / "out", splits=PLAIN | {"train": "train"})
    assert manifest["unused_files"] == [{"file": "train-1.jsonl", "reason": "it is empty"}]
    (folder / "test.jsonl").touch()
    with pytest.raises(UserError, match=r"'test' holds no row; .*\(dataset.splits.test=0.1\)"):
        run(folder, tmp_path / "out", splits=PLAIN | {"train": "train", "test": "test"})


def test_a_conversation_a_file_is_enough_where_the_files_are(tmp_path: Path) -> None:
    for number in range(12):
        as_jsonl(tmp_path / f"{chr(97 + number)}x.jsonl", rows(1, number))
    assert check_files(from_values({"dataset": {}}), [str(tmp_path)], None)["status"] == "pass"
    for number in range(3):
        (tmp_path / f"{chr(97 + number)}x.jsonl").unlink()
    verdict = check_files(from_values({"dataset": {}}), [str(tmp_path)], None)
    few = next(each for each in verdict["checks"] if each["name"] == "few_rows")
    assert few["status"] == "fail" and few["examples"][0]["found"] == "9 rows"


def test_one_word_may_name_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c c"):
        as_jsonl(tmp_path / f"{name}.jsonl", rows(12, ord(name[0])))
    verdict = check_files(from_values({"dataset": {}}), ["a.jsonl b.jsonl"], None)
    assert verdict["rows"].keys() == {"a", "b"} and verdict["sources"] == ["a.jsonl", "b.jsonl"]
    assert check_files(from_values({"dataset": {}}), ["c c.jsonl"], None)["rows"].keys() == {"c c"}
    with pytest.raises(UserError, match=r"a.jsonl gone.jsonl: there is no such file"):
        check_files(from_values({"dataset": {}}), ["a.jsonl gone.jsonl"], None)


def test_a_file_behind_a_closed_door_is_not_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(self: Path, **_: object) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "exists", closed)
    with pytest.raises(UserError, match=r"/closed/a.jsonl: cannot be read \(Permission denied\)"):
        local("/closed/a.jsonl")


def test_a_subset_of_a_local_folder_is_refused(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "a.jsonl", rows(20))
    with pytest.raises(UserError, match=r"dataset.subset: 'en' is for data sets of the hub"):
        run(tmp_path / "a.jsonl", tmp_path / "out", subset="en")


def test_unused_files_are_in_the_manifest_and_on_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from scripts.dataset import terminal

    (tmp_path / "set").mkdir()
    for name, start, count in (("train-0", 0, 30), ("train-1", 30, 30), ("test", 60, 10), ("train_gen", 90, 10)):
        as_jsonl(tmp_path / "set" / f"{name}.jsonl", rows(count, start))
    (tmp_path / "set" / "README.md").write_text("# chats")
    manifest = run(tmp_path / "set", tmp_path / "out", splits=PLAIN | {"test": "test"})
    assert ids(tmp_path / "out", "train", "validation") == set(range(60))
    assert [each["file"] for each in manifest["unused_files"]] == ["README.md", "train_gen.jsonl"]
    terminal.outcome(manifest, tmp_path / "out")
    assert "train_gen.jsonl: no part of dataset.splits takes 'train_gen'" in capsys.readouterr().out
    verdict = check_files(from_values({"dataset": {}}), [str(tmp_path / "set")], None)
    assert [each["file"] for each in verdict["unused_files"]] == ["README.md"]


def test_a_file_named_alone_is_all_trained_on_whatever_its_name(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "test_sft.jsonl", rows(60))
    settings = from_values({"dataset": {"source": str(tmp_path / "test_sft.jsonl"), "splits": FOREIGN}})
    said: list[str] = []
    _, manifest, _ = prepare(settings, tmp_path / "out", say=said.append, stream=None, foreign=True)
    assert sum(file["rows"] for part, file in manifest["files"].items() if part != "heldout") == 60
    assert [line for line in said if "takes" in line] == [
        f"{tmp_path / 'test_sft.jsonl'}: train takes every row, validation takes 5 % of train, test takes 5 % of "
        "train, heldout takes test's rows (dataset.splits says otherwise where it should)"
    ]


def test_words_that_only_look_like_splits_are_none() -> None:
    for name in ("developer", "testimonials", "latest", "valuable", "trained_gpt", "contest", "evaluator"):
        assert not evidence(name), name
    assert evidence("unit_test_chats") == {"test"} and evidence("train_test_split") == {"train", "test"}
    assert split_of("day=1/part-0.jsonl") == "part" and split_of("train.zip/chats.jsonl") == "train"


def test_no_row_is_counted_under_two_reasons(tmp_path: Path) -> None:
    some = rows(60)
    some[3]["messages"] = [{"role": "boss", "content": ""}]
    some[4] = some[5]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, some)))
    manifest = run(tmp_path / "a.jsonl", tmp_path / "out")
    left = manifest["left_out"]
    assert left["rows"] == 2 == sum(left["reasons"].values()) and left["in"] == 60


def test_too_many_rows_left_out_stop_the_run_unless_allowed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from scripts.dataset import terminal

    lines = [json.dumps(row) for row in rows(60)] + ["{"] * 7 + ['{"messages": []}'] * 2
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    dataset = {"source": str(tmp_path / "a.jsonl"), "splits": PLAIN}
    code, manifest, _ = prepare(from_values({"dataset": dataset}), tmp_path / "out", say=lambda _: None, stream=None)
    terminal.outcome(manifest, tmp_path / "out")
    said = " ".join(capsys.readouterr().out.split())
    assert code == 1 and [each.name for each in tmp_path.glob("out/*")] == ["not-ready.html"]
    assert "9 of 69 rows (13.0 %) are left out, more than dataset.max_left_out (10 %): json 7, schema 2;" in said
    assert "SET=dataset.max_left_out=14" in said
    assert run(tmp_path / "a.jsonl", tmp_path / "out", max_left_out=14)["status"] == "warn"
    assert not (tmp_path / "out" / "not-ready.html").exists()
