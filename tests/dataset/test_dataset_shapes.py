"""JSON in any shape, whatever the file is called: a row a line, a list, objects, a wrapper; in pieces of any size."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from scripts.dataset import json_shape
from scripts.dataset.checks import Finding
from scripts.dataset.source import local
from scripts.dataset.text_formats import json_rows
from tests.dataset.samples import ids, rows, run, sharegpt

SOME = rows(12)
TALKS = [row["messages"] for row in SOME]
TURNS = [{"conversations": sharegpt(row)} for row in SOME]
FEW = [{"q": "a", "a": "b"}]


def by_line(items: list[Any]) -> str:
    return "\n".join(map(json.dumps, items))


def half_pretty(items: list[Any]) -> str:
    return "[\n" + ",\n".join(map(json.dumps, items)) + "\n]\n"


SHAPES: dict[str, tuple[str, list[Any], list[str]]] = {  # text, the rows in it, keys beside them
    "a row a line": (by_line(SOME), SOME, []),
    "blank lines": ("\n\n" + "\n\n".join(map(json.dumps, SOME)) + "\n\n", SOME, []),
    "one row": (json.dumps(SOME[0]), SOME[:1], []),
    "one pretty row": (json.dumps(SOME[0], indent=2), SOME[:1], []),
    "one pretty row of turns": (json.dumps(TURNS[0], indent=2), TURNS[:1], []),
    "pretty rows": ("\n".join(json.dumps(row, indent=2) for row in SOME), SOME, []),
    "a list": (json.dumps(SOME), SOME, []),
    "a list behind a byte order mark": ("\ufeff \n" + json.dumps(SOME), SOME, []),
    "a pretty list": (json.dumps(SOME, indent=1), SOME, []),
    "a list, a row a line": (half_pretty(SOME), SOME, []),
    "lists of rows": (json.dumps(SOME[:5], indent=1) + "\n" + json.dumps(SOME[5:], indent=1), SOME, []),
    "an empty list": ("[]", [], []),
    "a list of conversations": (json.dumps(TALKS), TALKS, []),
    "a pretty list of conversations": (json.dumps(TALKS, indent=1), TALKS, []),
    "a conversation a line": (by_line(TALKS), TALKS, []),
    "one conversation": (json.dumps(TALKS[0]), TALKS[:1], []),
    "a first line that is cut off": ('{"messages": [{"role"\n' + by_line(SOME), ['{"messages": [{"role"', *SOME], []),
    "a first conversation that is cut off": ('[{"role"\n' + by_line(TALKS), ['[{"role"', *TALKS], []),
    "a wrapper": (json.dumps({"data": SOME}), SOME, []),
    "a pretty wrapper": (json.dumps({"version": 1, "meta": {"data": [1]}, "data": SOME, "by": "x"}, indent=1), SOME,
                         ["by", "meta", "version"]),
    "a wrapper of turns": (json.dumps({"conversations": TURNS}), TURNS, []),
    "a wrapper of conversations": (json.dumps({"conversations": TALKS}, indent=1), TALKS, []),
    "train with test beside it": (json.dumps({"train": SOME, "test": rows(5, 50)}), SOME, ["test"]),
    "test before train": (json.dumps({"test": rows(5, 50), "train": SOME}, indent=1), SOME, ["test"]),
    "a row with examples": (json.dumps({"examples": FEW, "prompt": "a", "response": "b"}),
                            [{"examples": FEW, "prompt": "a", "response": "b"}], []),
    "rows with data a line": (by_line([{"data": FEW, "at": at} for at in range(3)]),
                              [{"data": FEW, "at": at} for at in range(3)], []),
}  # fmt: skip


def read(path: Path, size: int) -> tuple[list[Any], list[str]]:
    file = next(iter(local(str(path)).splits.values()))[0]
    found = [row for part, _ in json_rows(file, size, json_shape.shape_of(file)) for row in part if row is not None]
    return [row if isinstance(row, Finding) else as_json(row) for row in found], sorted(file.other_keys)


def as_json(row: bytes) -> Any:
    try:
        return orjson.loads(row)
    except orjson.JSONDecodeError:
        return row.decode()


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("called", ["a.jsonl", "a.json"])
def test_the_rows_of_every_shape(tmp_path: Path, name: str, called: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, expected, beside = SHAPES[name]
    (tmp_path / called).write_text(text, encoding="utf-8")
    for size in (2**20, 64, 7, 1):
        assert read(tmp_path / called, size) == (expected, beside), size
    monkeypatch.setattr(json_shape, "HEAD_BYTES", 600)  # as in a file far larger than what is looked at
    if name != "test before train":  # where the rows begin far behind
        assert read(tmp_path / called, 100) == (expected, beside)


@pytest.mark.parametrize(
    ("change", "count"),
    [
        (lambda text: text[:-1], 12), (lambda text: text[: text.rindex("{", 0, -100)], 11), (lambda text: text[:1], 0),
        (lambda text: text + ' {"messages": []}', 12), (lambda text: text + "]", 12),
    ],
)  # fmt: skip
def test_a_list_that_breaks_off_or_has_something_beside_it_is_named(
    tmp_path: Path, change: Callable[[str], str], count: int
) -> None:
    (tmp_path / "a.json").write_text(change(json.dumps(SOME)))
    for size in (2**20, 5):
        found, _ = read(tmp_path / "a.json", size)
        assert [isinstance(row, Finding) for row in found] == [False] * min(count, 12) + [True]


def test_what_stands_beside_a_list_is_in_the_manifest_and_never_trained(tmp_path: Path) -> None:
    text = json.dumps({"about": "chats", "train": rows(60), "test": rows(9, 100)}, indent=1)
    (tmp_path / "a.jsonl").write_text(text)
    manifest = run(tmp_path / "a.jsonl", tmp_path / "out")
    assert ids(tmp_path / "out") == set(range(60))
    assert manifest["unused_files"] == [{"file": "a.jsonl: about, test", "reason": "stands beside the list of rows"}]


def test_a_bad_row_is_named_by_its_line_or_its_place_in_the_list(tmp_path: Path) -> None:
    some = rows(60)
    some[7]["messages"] = []
    for text, place in ((by_line(some), "line 8"), (json.dumps(some, indent=1), "row 8")):
        for name in ("a.jsonl", "a.json"):
            (tmp_path / name).write_text(text)
            manifest = run(tmp_path / name, tmp_path / "out")
            found = next(each for each in manifest["checks"] if each["name"] == "schema")
            assert [each["row"] for each in found["examples"]] == [place]


def test_a_percentage_of_a_large_list_is_of_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.dataset import read_plan

    monkeypatch.setattr(read_plan, "SMALL", 0)
    (tmp_path / "a.jsonl").write_text(json.dumps(rows(2000), indent=1))
    manifest = run(tmp_path / "a.jsonl", tmp_path / "out", percent=20)
    assert 300 < manifest["read"]["a"]["in"] < 500 and not manifest["left_out"]["rows"]
