"""Cases from prepared data: the last answer withheld, of both files, each once, in order or drawn by the seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.conversation import held_out
from scripts.errors import UserError


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
    found = held_out.drawn("demo", 10, 0, root)
    assert sorted(case.truth for case in found) == ["A1", "A2"]  # the open question and the second Q1 are left out
    for case in found:
        assert case.messages[-1]["role"] == "user"
        assert case.truth not in json.dumps(case.messages)
    assert {case.name for case in found} == {"heldout.jsonl:1", "test.jsonl:2"}


def test_they_stand_in_the_order_of_the_files_each_once(tmp_path: Path) -> None:
    rows = [row("Q1", "A1"), row("Q2", "A2"), row("Q2", "A2"), row("Q2", "another")]
    root = prepare(tmp_path, test=[row("Q3", "A3"), row("Q1", "A1")], heldout=rows)
    names = ["heldout.jsonl:1", "heldout.jsonl:2", "heldout.jsonl:4", "test.jsonl:1"]
    assert [case.name for case in held_out.cases("demo", root)] == names
    (root / "data" / "demo" / "heldout.jsonl").write_text(json.dumps(row("open", None)) + "\n")
    assert [case.truth for case in held_out.cases("demo", root)] == ["A3", "A1"]


def test_the_seed_draws(tmp_path: Path) -> None:
    root = prepare(tmp_path, test=[row(f"Q{number}", f"A{number}") for number in range(50)])
    first, again, other = (held_out.drawn("demo", 10, seed, root) for seed in (1, 1, 2))
    assert first == again != other
    assert len({case.name for case in first}) == 10


def test_without_prepared_data_a_sentence_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="data/demo/: no held-out rows; make data ENV=demo prepares them"):
        held_out.drawn("demo", 10, 0, tmp_path)
    root = prepare(tmp_path, test=[row("open", None)])
    with pytest.raises(UserError, match="no held-out conversation that ends with an answer; make data ENV=demo"):
        held_out.cases("demo", root)


def test_a_damaged_row_is_named_and_a_line_separator_in_a_text_is_no_new_row(tmp_path: Path) -> None:
    root = prepare(tmp_path, test=[row("Q1", "A1")])
    path = root / "data" / "demo" / "test.jsonl"
    path.write_text(json.dumps(row("Q\u2028 2", "A\x85 2"), ensure_ascii=False) + "\n", encoding="utf-8")
    assert [case.truth for case in held_out.drawn("demo", 10, 0, root)] == ["A\x85 2"]
    for text in ("{", '{"messages": [', "[]", "3", '{"messages": 3}', '{"messages": [1, 2]}', "{}"):
        path.write_text(json.dumps(row("Q", "A")) + f"\n{text}\n")
        with pytest.raises(UserError, match=r"test\.jsonl:2: is no conversation; make data ENV=demo"):
            held_out.drawn("demo", 10, 0, root)


def test_a_row_without_messages_is_passed_over(tmp_path: Path) -> None:
    root = prepare(tmp_path, test=[row("Q1", "A1")])
    path = root / "data" / "demo" / "test.jsonl"
    path.write_text('{"messages": []}\n' + path.read_text())
    assert [case.truth for case in held_out.cases("demo", root)] == ["A1"]


def test_what_a_scorer_would_refuse_is_counted_and_not_asked() -> None:
    def case(*roles: str) -> held_out.Case:
        return held_out.Case(" ".join(roles), [{"role": role, "content": "x"} for role in roles], "yes")

    good = [case("user"), case("system", "user")]
    assert held_out.askable(good) == (good, "")
    kept, said = held_out.askable([case("user", "assistant"), *good, case("tool"), case("user", "user")])
    assert kept == good
    assert said.endswith("1 (Invalid turn. Expected user input) and 2 (Last role should be 'user')")
    with pytest.raises(UserError, match="none is left"):
        held_out.askable([case("user", "assistant")])
