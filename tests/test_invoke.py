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


ANSWERS = """#!/bin/sh
cp "$7" {seen}; echo "$@" > {words}
printf '%s' '{{"output": "Very few.\\n\\n\\u001b[2JReally."}}'
"""


def test_the_question_is_asked_without_its_answer_which_is_shown_beside_the_one_that_came(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    az, seen, words = project / "az", project / "seen", project / "words"
    az.write_text(ANSWERS.format(seen=seen, words=words))
    az.chmod(0o700)
    sets = ["--sets", "request.temperature=0.6 request.top_p=0.9 request.do_sample=true request.max_new_tokens=7"]
    folder = project / ".runs" / "demo" / "local"
    assert invoke.run(["--env", "demo", *sets, "--row", "5", "--folder", str(folder), "--az", str(az)]) == 0
    parameters = {"temperature": 0.6, "top_p": 0.9, "do_sample": True, "max_new_tokens": 7}
    assert seen.read_bytes() == request.body(CASE.messages, parameters)
    assert CASE.truth not in seen.read_text()
    assert words.read_text().startswith("ml online-endpoint invoke -n azureml-chat-6aa76914 -r ")
    assert capsys.readouterr().out == (
        'question:\n  How few?\n\n  Roughly.\n\nanswer (it came as {"output": "…"}):\n  Very few.\n\n  �[2JReally.\n\n'
        "true answer:\n  Often less than one per cent.\n"
    )
