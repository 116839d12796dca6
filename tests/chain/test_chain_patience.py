"""What is waited for is said within the columns of a terminal, and on one line in a log."""

from __future__ import annotations

import sys

import pytest

from scripts.chain.patience import Patience


@pytest.mark.parametrize("shown", [True, False])
def test_a_line_of_waiting_is_broken_for_a_terminal_alone(
    shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = ", ".join(f"step chat_completion.step_{at} Running" for at in range(4))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: shown)
    Patience("job j", 9, "", 0, "", state=lambda: steps, advice="look at it").look()
    lines = capsys.readouterr().err.splitlines()
    assert " ".join(" ".join(lines).split()) == f"job j: {steps}, waiting for 0 s; look at it"
    assert (len(lines) > 1 and max(map(len, lines)) <= 80) == shown
