"""What the terminal says: one block of at most 80 columns, everything once, the verdict in the last line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.dataset import terminal
from scripts.dataset.check_files import check_files
from scripts.dataset.prepare import prepare
from scripts.dataset.settings import from_values

GOLDEN = """\
read      train: 109 rows of 1 file (train.jsonl), all rows
            layout: ShareGPT 104
            columns used: conversations 104, system 50
left out  7 of 109 rows (6.4 %)
          schema 4 (3.7 %): not a conversation
            train.jsonl line 105: found the columns 'text', expected messages,
            or a question and an answer as text
            train.jsonl line 106: found the columns 'text', expected messages,
            or a question and an answer as text
            to fix: give `messages`, a list of {role, content}, or set
            dataset.layout
          single_message 2 (1.8 %): a single message
            train.jsonl line 103 messages: found 1 message, expected a question
            and an answer
            train.jsonl line 104 messages: found 1 message, expected a question
            and an answer
            to fix: add the answer; the component drops the row silently
          json 1 (0.9 %): not JSON
            train.jsonl line 109: found unexpected end of data at character 1 of
            1, expected one whole JSON object
            to fix: write one JSON object a line, with json.dumps
kept      email 2: e-mail address
            train.jsonl line 101 messages[0].content: found j…@….org, expected
            no personal data
            train.jsonl line 102 messages[0].content: found j…@….org, expected
            no personal data
            to fix: remove it, unless it is public
not used  notes.md: its name ends with no format that is read
          columns of train: source 100
written   train: 89 rows, 0.0 MB, 2,660 tokens, 695 trained
          validation: 9 rows, 0.0 MB, 302 tokens, 72 trained
          test: 4 rows, 0.0 MB, 120 tokens, 31 trained
          heldout: 4 rows, 0.0 MB, 120 tokens, 31 trained
          tokens counted: the tokenizer in coder
version   4ee21354f5a4
report    data/dev/report.html
verdict   ready with warnings: 7 of 109 rows left out (6.4 %), …
"""


def talk(at: int) -> dict[str, Any]:
    said = [{"from": "human", "value": f"Question number {at}?"}, {"from": "gpt", "value": f"Answer {at}."}]
    return {"conversations": said, "source": "here", **({"system": "Be brief."} if at % 2 else {})}


def source(tmp_path: Path, coder: Path) -> dict[str, Any]:
    rows: list[Any] = [*map(talk, range(100))]
    for at in (1, 2):
        rows.append(
            {
                "conversations": [
                    {"from": "human", "value": f"Mail {at} to jane@corp.org?"},
                    {"from": "gpt", "value": "No."},
                ]
            }
        )
    rows += [{"conversations": [{"from": "human", "value": f"Only a question {at}"}]} for at in (1, 2)]
    rows += [{"text": "no"}] * 4
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n{")
    (tmp_path / "set" / "notes.md").write_text("x")
    return {"dataset": {"source": str(tmp_path / "set"), "tokenizer": str(coder)}}


def test_the_outcome_is_told_in_one_block(
    tmp_path: Path, small_tokenizer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = source(tmp_path, small_tokenizer)
    manifest = prepare(from_values(values), tmp_path / "out", say=lambda line: None, stream=None)[1]
    manifest |= {"version": "4ee21354f5a4", "tokens": {**manifest["tokens"], "counted_with": "the tokenizer in coder"}}
    terminal.outcome(manifest, Path("data/dev"))
    assert capsys.readouterr().out == GOLDEN
    assert max(map(len, GOLDEN.splitlines())) <= terminal.COLUMNS

    terminal.outcome(check_files(from_values(values), [values["dataset"]["source"]], None))
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if str(small_tokenizer) not in line) <= terminal.COLUMNS
    assert lines[-1].startswith("verdict   not ready: not JSON: 1") or "not a conversation: 4" in lines[-1]
    assert [line[:10].strip() for line in lines if line[:9].strip()] == [
        "read", "left out", "stops", "kept", "not used", "tokens", "verdict",
    ]  # fmt: skip


def test_where_nothing_is_wrong_little_is_said(
    tmp_path: Path, small_tokenizer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(talk(at)) for at in range(100)))
    settings = from_values({"dataset": {"source": str(tmp_path / "a.jsonl"), "tokenizer": str(small_tokenizer)}})
    manifest = prepare(settings, tmp_path / "out", say=lambda line: None, stream=None)[1]
    terminal.outcome(manifest, Path("data/dev"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[3] == "left out  0 of 100 rows (0.0 %)" and lines[-1] == "verdict   ready" and len(lines) < 16


def test_many_files_and_columns_stay_few_lines() -> None:
    counts = {f"column_{at}": 1000 - at for at in range(200)}
    assert terminal._counted(counts).endswith("column_7 993 and 192 more")
    unused = [{"file": f"part-{at}.jsonl", "reason": "no part of dataset.splits takes it"} for at in range(500)]
    lines = terminal._unused({"unused_files": unused, "columns": {"train": {"ignored": counts}}})
    assert len(lines) < 10 and "and 492 more" in " ".join(lines)
    assert max(map(len, lines)) <= terminal.COLUMNS
