"""`make invoke`: a question without its answer, and the answer beside the true one."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

from scripts import invoke
from scripts.conversation import request
from scripts.conversation.held_out import Case

CASE = Case(
    "test.jsonl:1",
    [
        {"role": "user", "content": "What is LoRA?"},
        {"role": "assistant", "content": "A way to train few weights."},
        {"role": "user", "content": "How few?\n\nRoughly."},
    ],
    "Often less than one per cent.",
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one held-out conversation."""
    (tmp_path / "data" / "demo").mkdir(parents=True)
    row = {"messages": [*CASE.messages, {"role": "assistant", "content": CASE.truth}]}
    (tmp_path / "data" / "demo" / "test.jsonl").write_text(json.dumps(row) + "\n")
    monkeypatch.setattr(invoke, "question", functools.partial(invoke.question, root=tmp_path))
    return tmp_path


def test_the_request_is_written_without_the_answer(project: Path) -> None:
    file = project / "request.json"
    sets = ["--set", "request.temperature=0.6", "request.top_p=0.9", "request.do_sample=true"]
    assert invoke.run(["--env", "demo", *sets, "request.max_new_tokens=7", "--row", "5", "--write", str(file)]) == 0
    parameters = {"temperature": 0.6, "top_p": 0.9, "do_sample": True, "max_new_tokens": 7}
    assert file.read_bytes() == request.body(CASE.messages, parameters)
    assert CASE.truth not in file.read_text()


def test_answer_and_truth_stand_side_by_side(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "response.json").write_text('{"output": "Very few.\\n\\nReally."}')
    assert invoke.run(["--env", "demo", "--show", str(project / "response.json")]) == 0
    assert capsys.readouterr().out == (
        'question:\n  How few?\n\n  Roughly.\n\nanswer (it came as {"output": "…"}):\n  Very few.\n\n  Really.\n\n'
        "true answer:\n  Often less than one per cent.\n"
    )
