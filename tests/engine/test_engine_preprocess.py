"""The component's data rules."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import UserError
from scripts.local.engine import preprocess
from scripts.local.engine.job_folder import Job
from scripts.local.engine.model_import import BaseModel
from scripts.local.engine.validation import parse

ROWS = [(f"train:{number}", {"messages": number}) for number in range(23)]


def test_splits_are_those_of_the_component() -> None:
    train, validation, words = preprocess.split_rows(ROWS, None, with_test=False)
    assert (train, validation) == (ROWS[:18], ROWS[18:20]) and "80 %" in words
    train, validation, _ = preprocess.split_rows(ROWS, None, with_test=True)
    assert (train, validation) == (ROWS[:18], ROWS[18:])
    train, validation, _ = preprocess.split_rows(ROWS, ROWS[:3], with_test=False)
    assert (train, validation) == (ROWS[:18], ROWS[:3])
    train, validation, words = preprocess.split_rows(ROWS, ROWS[:3], with_test=True)
    assert (train, validation) == (ROWS, ROWS[:3]) and words == "100 % of each file"


@pytest.fixture
def process(make_job: Callable[..., Path], tiny: Path, tokenizer: Any, tmp_path: Path) -> Callable[..., Any]:
    """Runs step 3 on the given training rows; returns the data and the log."""
    number = itertools.count()

    def run(rows: list[Any], config: dict[str, Any] | None = None, settings: Any = None, **inputs: str) -> Any:
        folder = make_job(f"job{next(number)}", settings=settings, **inputs)
        described = json.loads((folder / "job.json").read_text())["inputs"]
        Path(described["train_file_path"]).write_text("\n".join(json.dumps(row) for row in rows))
        job = Job(folder)
        base = BaseModel(tiny, "tiny", False, config or {})
        data = preprocess.run(job, parse(job.inputs), base, tokenizer)
        return data, (folder / "logs" / "executionlogs.txt").read_text()

    return run


def row(*contents: str, role: str = "user") -> dict[str, Any]:
    roles = [role, *(("assistant", "user") * len(contents))]
    return {"messages": [{"role": r, "content": c} for r, c in zip(roles, contents, strict=False)]}


GOOD = [row(f"Question {number}?", "An A100 does.") for number in range(12)]


def test_rows_without_two_messages_are_dropped_and_the_first_is_named(process: Callable[..., Any]) -> None:
    data, log = process([*GOOD, {"messages": []}, {"messages": None}, row("alone")])
    assert len(data.train) == 12
    assert "train: dropped 3 row(s) without at least two messages, the first at train.jsonl:13" in log
    assert data.counts["train_assistant_tokens"] == sum(sum(each.trained) for each in data.train) > 0


def test_ten_rows_are_needed(process: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match=r"9 row\(s\) left after dropping .* at least 10"):
        process([*GOOD[:9], row("alone")])


def test_a_file_without_the_column_is_refused(process: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match="no column 'messages'"):
        process([{"text": "a"}] * 12)


def test_a_row_that_the_template_refuses_fails_the_job_with_its_place(process: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match=r"train\.jsonl:13: the chat template refuses this conversation"):
        process([*GOOD, {"messages": [{"role": "user"}, {"role": "assistant", "content": "x"}]}])


def test_keys_without_a_value_are_removed_before_the_template_sees_them(
    process: Callable[..., Any], tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        tokenizer, "chat_template", "{% for m in messages %}{{ m | length }}{{ m.content }}{% endfor %}"
    )
    data, _ = process([{"messages": [{**message, "name": None} for message in row("Hi?", "x")["messages"]]}] * 12)
    assert tokenizer.decode(data.train[0].ids) == "2Hi?2x"


def test_long_conversations_are_cut_at_the_end(process: Callable[..., Any]) -> None:
    data, log = process([*GOOD, row("Hi?", "An A100 does. " * 40)], max_seq_length="60")
    assert max(len(each.ids) for each in data.train) == 60
    assert "train: 1 row(s) cut at 60 tokens" in log
    _, log = process([*GOOD, row("Hi? " * 40, "An A100 does.")], max_seq_length="60")
    assert "train: 1 row(s) contribute nothing" in log


def test_the_context_of_the_model_is_the_limit(process: Callable[..., Any]) -> None:
    data, _ = process([*GOOD, row("Hi?", "An A100 does. " * 100)], max_seq_length="100000")
    assert max(len(each.ids) for each in data.train) == 256


def test_no_answer_left_at_all_is_the_users_error(process: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match=r"No assistant tokens found .* increase max_seq_length"):
        process(GOOD, max_seq_length="12")


def test_a_model_without_a_system_role_gets_it_in_the_first_question(
    process: Callable[..., Any], tokenizer: Any
) -> None:
    rows = [row("Be brief.", "x", role="system") for _ in range(12)]
    for each in rows:
        each["messages"][1:1] = [{"role": "user", "content": "Hi?"}]
    data, _ = process(rows, config={"system_role_supported": "false"})
    assert "<|im_start|>user\nBe brief.\n\nHi?<|im_end|>" in tokenizer.decode(data.train[0].ids)
    twice = {"messages": [*rows[0]["messages"], rows[0]["messages"][0]]}
    with pytest.raises(UserError, match=r"train\.jsonl:13: Only one system role"):
        process([*rows, twice], config={"system_role_supported": "false"})


def test_special_tokens_that_the_template_never_writes_are_refused(process: Callable[..., Any]) -> None:
    tokens = {"instruction_template": "<|user|>", "response_template": "<|im_start|>assistant"}
    with pytest.raises(UserError, match=r"chat_special_tokens\.instruction_template is '<\|user\|>'"):
        process(GOOD, config={"chat_special_tokens": tokens})


def test_a_cap_leaves_out_rows_that_are_never_reached(process: Callable[..., Any]) -> None:
    data, log = process(GOOD * 10, settings={"max_steps": 5})
    assert len(data.train) == 20
    assert "CAPPED: 5 steps reach 20 of 120 training rows" in log


def test_a_cap_in_tokens_takes_the_first_rows_of_both_splits(
    process: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocess, "CAPPED_EVALUATION_TOKENS", 300)
    data, log = process(GOOD * 10, settings={"max_tokens": 900})
    for name, rows, most, given in (("train", data.train, 900, 120), ("validation", data.validation, 300, 6)):
        tokens = sum(len(each.ids) for each in rows)
        assert most <= tokens < most + len(rows[-1].ids)
        assert f"CAPPED: {tokens} tokens are {len(rows)} of {given} {name} rows; the first are taken" in log
    data, _ = process(GOOD)
    assert len(data.validation) == 6


def test_the_record_has_the_sha256_of_each_file(process: Callable[..., Any], tmp_path: Path) -> None:
    import hashlib

    data, _ = process(GOOD)
    assert data.files["train"] == hashlib.sha256((tmp_path / "train.jsonl").read_bytes()).hexdigest()
    assert set(data.files) == {"train", "validation", "test"}
