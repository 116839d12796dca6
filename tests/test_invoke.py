"""The request: the last answer is withheld; the response: every shape that a deployment answers in."""

import json

import pytest

from scripts.errors import UserError
from scripts.invoke import answer, body, held_out_row, show

ROW = {
    "messages": [
        {"role": "user", "content": "What is LoRA?"},
        {"role": "assistant", "content": "A way to train few weights."},
        {"role": "user", "content": "How few?"},
        {"role": "assistant", "content": "Often less than one per cent."},
    ]
}


def test_the_answer_is_not_in_the_question():
    request = body(ROW, {"temperature": 0.6})
    assert request["input_data"]["input_string"] == ROW["messages"][:3]
    assert "less than one per cent" not in json.dumps(request)
    assert request["input_data"]["parameters"] == {"temperature": 0.6}
    assert request["params"] == {}


def test_a_row_that_ends_with_a_question_is_passed_over(tmp_path):
    folder = tmp_path / "data" / "dev"
    folder.mkdir(parents=True)
    rows = [{"messages": ROW["messages"][:3]}, ROW]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert held_out_row("dev", 0, tmp_path) == ROW
    assert held_out_row("dev", 5, tmp_path) == ROW
    (folder / "heldout.jsonl").write_text(json.dumps(rows[0]) + "\n")
    with pytest.raises(UserError, match="no conversation ends with an assistant turn"):
        held_out_row("dev", 0, tmp_path)


def test_a_conversation_may_hold_any_line_separator(tmp_path):
    folder = tmp_path / "data" / "dev"
    folder.mkdir(parents=True)
    row = {"messages": [{"role": "user", "content": "a\u2028b\x85c"}, {"role": "assistant", "content": "d"}]}
    (folder / "test.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    assert held_out_row("dev", 0, tmp_path) == row


@pytest.mark.parametrize("text", ["{", "3\n", "{}\n", '{"messages": 3}\n', '{"messages": [1, 2]}\n'])
def test_rows_that_are_none_are_a_sentence(tmp_path, text):
    folder = tmp_path / "data" / "dev"
    folder.mkdir(parents=True)
    (folder / "test.jsonl").write_text(text)
    with pytest.raises(UserError, match=r"data/dev/test\.jsonl: not what make data ENV=dev writes"):
        held_out_row("dev", 0, tmp_path)


def test_without_data_the_target_is_named(tmp_path):
    with pytest.raises(UserError, match="make data ENV=dev"):
        held_out_row("dev", 0, tmp_path)


@pytest.mark.parametrize("response", ['{"output": "42"}', '[{"output": "42"}]', '"{\\"output\\": \\"42\\"}"'])
def test_an_answer_in_every_shape(response):
    assert answer(response) == "42"


@pytest.mark.parametrize("response", ["", "oops", "[]", "{}", "3", '{"output": null}'])
def test_no_answer_is_a_sentence(response):
    with pytest.raises(UserError, match="has no output"):
        answer(response)


def test_answer_and_truth_stand_side_by_side():
    text = show(ROW, "Very few.\n\nReally.")
    assert text.index("How few?") < text.index("Very few.") < text.index("Often less than")
