"""Cases from prepared data: the last answer withheld, drawn by the seed, each once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import UserError
from scripts.evaluate import cases, judge


def row(question: str, answer: str | None) -> dict[str, Any]:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    return {"messages": messages + ([{"role": "assistant", "content": answer}] if answer else [])}


def prepare(root: Path, **files: list[dict[str, Any]]) -> Path:
    folder = root / "data" / "demo"
    folder.mkdir(parents=True)
    for name, rows in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    return root


def test_the_last_answer_is_withheld(tmp_path: Path) -> None:
    root = prepare(tmp_path, heldout=[row("Q1", "A1"), row("open", None)], test=[row("Q1", "A1"), row("Q2", "A2")])
    found = cases.held_out("demo", 10, 0, root)
    assert sorted(case.truth for case in found) == ["A1", "A2"]  # the open question and the second Q1 are left out
    for case in found:
        assert case.messages[-1]["role"] == "user"
        assert case.truth not in json.dumps(case.messages)
    assert {case.name for case in found} == {"heldout.jsonl:1", "test.jsonl:2"}


def test_the_seed_draws(tmp_path: Path) -> None:
    root = prepare(tmp_path, test=[row(f"Q{number}", f"A{number}") for number in range(50)])
    first, again, other = (cases.held_out("demo", 10, seed, root) for seed in (1, 1, 2))
    assert first == again != other
    assert len({case.name for case in first}) == 10


def test_without_prepared_data_a_sentence_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make data ENV=demo"):
        cases.held_out("demo", 10, 0, tmp_path)


def test_general_questions_accept_their_own_answers() -> None:
    general = cases.general()
    assert len(general) >= 20
    assert all(judge.mentions(case.truth, case.accepted) for case in general)
    assert not any(judge.mentions(case.messages[-1]["content"], case.accepted) for case in general), (
        "the answer is in a question"
    )


def test_a_damaged_row_is_named_and_a_line_separator_in_a_text_is_no_new_row(tmp_path: Path) -> None:
    root = prepare(tmp_path, test=[row("Q1", "A1")])
    path = root / "data" / "demo" / "test.jsonl"
    path.write_text(json.dumps(row("Q\u2028 2", "A\x85 2"), ensure_ascii=False) + "\n", encoding="utf-8")
    assert [case.truth for case in cases.held_out("demo", 10, 0, root)] == ["A\x85 2"]
    for text in ('{"messages": [', "[]", "3", '{"messages": []}', '{"messages": [1, 2]}', "{}"):
        path.write_text(json.dumps(row("Q", "A")) + f"\n{text}\n")
        with pytest.raises(UserError, match=r"test\.jsonl:2: is no conversation; make data ENV=demo"):
            cases.held_out("demo", 10, 0, root)
