"""Every layout that people have gives its conversations, whatever the file; every other row and column is named."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from scripts.dataset.layouts.mapper import Mapper
from scripts.dataset.layouts.ways import hint
from scripts.dataset.prepare import prepare
from scripts.dataset.read_rows import Chunk
from scripts.dataset.settings import Layout, from_values
from tests.dataset.layout_cases import CASES, ODD, PLAIN, Q, numbered
from tests.dataset.samples import PLAIN as SPLITS

ROWS = 12


def prepared(path: Path, **dataset: Any) -> dict[str, Any]:
    settings = from_values({"dataset": {"source": str(path), "splits": SPLITS, **dataset}})
    _, manifest, _ = prepare(settings, path.parent / "out", say=lambda line: None, stream=None)
    return manifest


def written(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for part in ("train", "validation", "test") for line in (folder / f"{part}.jsonl").open()]


def as_lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def as_parquet(path: Path, rows: list[Any]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def outcome(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in manifest["checks"] if each["name"] == name)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("name", CASES)
def test_every_layout(tmp_path: Path, name: str, form: str) -> None:
    case = CASES[name]
    if form == "parquet" and not case.columns:
        pytest.skip("Arrow holds columns only")
    rows = [numbered(case.row, number) for number in range(100, 100 + 4 * ROWS)]
    path = (as_lines if form == "jsonl" else as_parquet)(tmp_path / f"a.{form}", rows)
    manifest = prepared(path)
    out = written(tmp_path / "out")
    expected = [json.dumps(numbered(case.messages, number)) for number in range(100, 100 + 4 * ROWS)]
    assert sorted(json.dumps(row["messages"]) for row in out) == sorted(expected)
    assert all(row.get("tools") == case.tools for row in out)
    assert "Bad" not in json.dumps(out)
    columns = manifest["columns"]["a"]
    assert columns["layouts"] == {case.name: len(rows)}
    assert columns["used"] == dict.fromkeys(sorted(case.used.split()), len(rows))
    assert columns["ignored"] == dict.fromkeys(sorted(case.ignored.split()), len(rows))
    assert case.changed in " ".join(columns["changed"]) and (columns["changed"] or not case.changed)
    assert all(count <= len(rows) for counts in columns.values() for count in counts.values())
    assert not any(check["count"] for check in manifest["checks"])


@pytest.mark.parametrize("name", ODD)
def test_every_other_row_is_named(tmp_path: Path, name: str) -> None:
    odd = ODD[name]
    good = [numbered({"messages": PLAIN}, number) for number in range(100, 148)]
    manifest = prepared(as_lines(tmp_path / "a.jsonl", [numbered(odd.row, 1), *good, numbered(odd.row, 2)]))
    assert manifest["read"]["a"]["dropped"] == {odd.check: 2} and len(written(tmp_path / "out")) == 48
    found = outcome(manifest, odd.check)
    assert [example["row"] for example in found["examples"]] == ["line 1", "line 50"]
    assert found["examples"][0]["path"] == odd.path and odd.words in found["examples"][0]["found"]


def test_all_layouts_in_one_file_agree_with_an_independent_reader(tmp_path: Path) -> None:
    rows = [
        numbered(case.row, 1000 * at + number) for at, case in enumerate(CASES.values(), 1) for number in range(ROWS)
    ]
    rows += [numbered(odd.row, 90_000 + at) for at, odd in enumerate(ODD.values())]
    path = as_lines(tmp_path / "a.jsonl", rows)
    manifest = prepared(path, checks={"near_duplicate": "keep", "near_leak": "keep"})
    good, names = 0, set()
    for line in path.open():  # the independent reader: a good row says so, and no odd one does
        row = json.loads(line)
        number = int(line.split("number ")[1].split(",")[0]) if "number " in line else 90_000
        good += number < 90_000
        names |= set(row) if isinstance(row, dict) and number < 90_000 else set()
    read = manifest["read"]["a"]
    assert (read["in"], read["kept"]) == (len(rows), good) == (len(rows), len(written(tmp_path / "out")))
    assert read["in"] == read["kept"] + sum(read["dropped"].values())
    columns = manifest["columns"]["a"]
    assert names - {"input"} <= {*columns["used"], *columns["ignored"]}


def test_columns_that_no_row_of_parquet_is_read_for_are_counted(tmp_path: Path) -> None:
    rows = [
        numbered({"messages": PLAIN, "source": "a", "lang": None, "meta": {"score": 1}}, at) for at in range(100, 148)
    ]
    columns = prepared(as_parquet(tmp_path / "a.parquet", rows))["columns"]["a"]
    assert columns["ignored"] == {"lang": 48, "meta": 48, "source": 48}


def test_one_odd_first_row_does_not_fix_the_layout(tmp_path: Path) -> None:
    rows = [
        {"question": "Only one?", "answer": "Only one."},
        *(numbered({"messages": PLAIN}, at) for at in range(100, 148)),
    ]
    manifest = prepared(as_lines(tmp_path / "a.jsonl", rows))
    assert manifest["columns"]["a"]["layouts"] == {"messages": 48, "question/answer": 1}


def test_what_arrow_adds_is_left_out_and_what_the_user_wrote_stays(tmp_path: Path) -> None:
    rows = []
    for at in range(60):
        name, arguments = ("move", {"x": at, "y": {"z": 1}}) if at % 2 else ("say", {"text": f"hi {at}"})
        parameters = {key: {"type": "any"} for key in arguments}
        tool = {"type": "function", "function": {"name": name, "parameters": parameters}}
        call = {"id": f"c{at}", "type": "function", "function": {"name": name, "arguments": arguments}}
        turns = [
            {"role": "user", "content": f"Do thing {at}, please."},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "content": "ok", "tool_call_id": f"c{at}"},
            {"role": "assistant", "content": f"Did {at}."},
        ]
        rows.append({"messages": turns, "tools": [tool]})
    manifest = prepared(as_parquet(tmp_path / "a.parquet", rows))
    key = {row["messages"][3]["content"]: row for row in rows}
    assert all(row == key[row["messages"][3]["content"]] for row in written(tmp_path / "out"))
    assert manifest["columns"]["a"]["changed"] == {"keys with null, as Arrow adds them, left out": 60}
    for row in rows:
        row["messages"][1]["tool_calls"][0]["function"]["arguments"]["none"] = None
        row["messages"][1]["name"] = None
    (tmp_path / "b").mkdir()
    prepared(as_lines(tmp_path / "b" / "a.jsonl", rows))
    for row in written(tmp_path / "b" / "out"):
        assert row["messages"][1]["tool_calls"][0]["function"]["arguments"]["none"] is None
        assert "name" not in row["messages"][1]


def test_nan_is_read_as_null(tmp_path: Path) -> None:
    rows = [{**numbered({"messages": PLAIN}, at), "score": float("nan")} for at in range(100, 148)]
    rows[5]["messages"][1]["content"] = float("inf")
    manifest = prepared(as_lines(tmp_path / "a.jsonl", rows))
    assert manifest["read"]["a"]["dropped"] == {"schema": 1}
    assert manifest["columns"]["a"]["changed"] == {"NaN and Infinity read as null": 47}


@pytest.mark.parametrize(
    ("row", "hint", "text"),
    [
        ({"frage": "a", "wort": "b"}, "dataset.layout: {format: prompt_response, prompt: frage, response: wort}", "a"),
        ({"was da": "a", "b": "b"}, "dataset.layout: {format: prompt_response, prompt: 'was da', response: b}", "a"),
        ({"turns": [{"who": "a", "said": "b, and more"}]},
         "dataset.layout: {format: messages, messages: turns, role: who, content: said}",
         "b, and more"),
        ({"frage": "a"}, "messages, or a question and an answer as text", ""),
    ],
)  # fmt: skip
def test_a_refusal_shows_the_values_that_map_the_columns(row: dict[str, Any], hint: str, text: str) -> None:
    chunk = Chunk(None, [json.dumps(row).encode()], 0)
    (_, found), *_ = Mapper(Layout()).rows(chunk).bad
    assert found.expected == hint and "column" in found.found
    if "{" in hint:
        values = yaml.safe_load(hint)["dataset.layout"]
        mapped = Mapper(Layout(**values, roles={"a": "user"})).rows(chunk)
        assert mapped.messages[0][0] == {"role": "user", "content": text}


def test_rows_that_all_have_other_columns_are_counted_and_forgotten() -> None:
    mapper = Mapper(Layout())
    rows = [json.dumps({"messages": PLAIN, f"column {at}": 1}).encode() for at in range(3000)]
    mapper.rows(Chunk(None, rows, 0))
    accounts = mapper.accounts().plain()
    assert accounts["layouts"] == {"messages": 3000} == accounts["used"] | {} and len(accounts["ignored"]) == 201
    assert sum(accounts["ignored"].values()) == 3000 and Q in PLAIN[0]["content"]


def test_no_mixture_of_columns_and_values_raises() -> None:
    draw = random.Random(5)
    turns = ["role", "from", "content", "value", "tool_calls", "function_call", "weight", "name"]
    columns = [
        *(key for case in CASES.values() if isinstance(case.row, dict) for key in case.row),
        "functions",
        "images",
    ]

    def value(depth: int) -> Any:
        kind = draw.randrange(9)
        if kind < 3 and depth:
            return [value(depth - 1) for _ in range(draw.randrange(4))]
        if kind < 6 and depth:
            return {draw.choice(turns): value(depth - 1) for _ in range(draw.randrange(4))}
        return draw.choice(
            [None, 0, 1.5, True, "", " ", "user", "function_call", "developer", "[]", "{", '{"name": "f"}']
        )

    rows = [{draw.choice(columns): value(4) for _ in range(draw.randrange(5))} for _ in range(5000)]
    rows += [value(3) for _ in range(500)]
    for layout in (
        Layout(),
        Layout(format="messages", messages="x"),
        Layout(format="prompt_response", system="system"),
    ):
        mapped = Mapper(layout).rows(Chunk(None, [json.dumps(row).encode() for row in rows], 0))
        assert sorted([*mapped.at, *(at for at, _ in mapped.bad)]) == list(range(len(rows)))
        assert all(isinstance(text, str) for texts in mapped.texts for text in texts)


def test_layouts_joined_in_one_csv_file_go_by_the_columns_that_hold_something(tmp_path: Path) -> None:
    lines = ["messages,instruction,output"]
    for at in range(100, 148):
        talk = json.dumps(numbered(PLAIN, at)).replace('"', '""')
        lines += [f'"{talk}",,', f",Who is {at * 7}?,Nobody {at}."]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert prepared(tmp_path / "a.csv")["columns"]["a"]["layouts"] == {"Alpaca": 48, "messages": 48}


MAPS = "dataset.layout: {format: "


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"id": "7", "query": Q, "tools": "[]", "answers": "[]"}, "prompt: query, response: answers}"),
        ({"inputs": Q, "targets": "A."}, MAPS + "prompt_response, prompt: inputs, response: targets}"),
        ({"frage": Q, "antwort": "A."}, MAPS + "prompt_response, prompt: frage, response: antwort}"),
        ({"prompt": Q, "response_0": "A.", "response_1": "Bad."}, "of 'response_0', 'response_1' name the one"),
        ({"instruction": Q, "chosen_response": "A.", "rejected_response": "Bad."}, "response: chosen_response}"),
        ({"id": "7", "title": "T", "question": Q, "answers": {"text": ["A."]}}, "an answer as text beside 'question'"),
        ({"message_id": "7", "parent_id": "6", "role": "prompter", "text": Q}, "here a row is one message of it"),
        ({"id": "7", "data": [Q, "A."]}, MAPS + "messages, messages: data}"),
        ({"talk": [{"Sender": "Bob", "Body": Q, "id": "x"}]}, "messages: talk, role: Sender, content: Body}"),
        ({"talk": [{"human": Q, "assistant": "A."}]}, "turns of {role, content} or {from, value}"),
        ({"mapping": {}, "title": "T"}, "messages, or a question and an answer as text"),
    ],
)  # fmt: skip
def test_a_refusal_shows_what_would_map_the_columns_at_hand(row: dict[str, Any], words: str) -> None:
    assert words in hint(row)
