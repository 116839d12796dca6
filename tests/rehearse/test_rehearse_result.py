"""Where a rehearsal's report goes is tried before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.rehearse import __main__ as command
from scripts.rehearse.stage import Stage
from scripts.values.read import load


def test_a_report_that_cannot_be_written_is_said_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def runs(*_: object, **__: object) -> None:
        pytest.fail("something ran")

    monkeypatch.setattr(Stage, "open", runs)
    monkeypatch.setattr(Stage, "close", lambda _: None)
    stage = Stage("demo", ["make"])
    stage.folder = tmp_path / "rehearsal"
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        command._play(stage, load("demo"), [], tmp_path / "file" / "rehearsal.md")
