"""How far an evaluation is: a line that is rewritten on a terminal, few lines elsewhere."""

from __future__ import annotations

import io

import pytest

from scripts.dataset import progress as shared
from scripts.evaluate.progress import Progress


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.isatty = lambda: terminal  # type: ignore[method-assign]


def told(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> str:
    """Returns what an evaluation of 100 losses writes that takes 100 seconds."""
    now = [1000.0]
    monkeypatch.setattr(shared.time, "monotonic", lambda: now[0])
    stream = Stream(terminal)
    progress = Progress(100, stream)
    progress.part("base: " + "long " * 30)
    for _ in range(100):
        now[0] += 1
        progress.done(1)
    progress.end()
    return stream.getvalue()


def test_a_terminal_has_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    text = told(True, monkeypatch)
    assert "\n" not in text and text.endswith("\r\x1b[K")
    lines = text.split("\r\x1b[K")
    assert len(lines) > 90 and max(map(len, lines)) < 80
    assert "left" not in lines[1] and " 25 %, 1:15 left  base: long" in text


def test_elsewhere_there_are_few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = told(False, monkeypatch).splitlines()
    assert lines[0].startswith("base: long") and 5 <= len(lines) <= 12
    assert lines[1].startswith(" 10 %, 1:30 left")
