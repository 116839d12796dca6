"""Which targets the whole chain calls, in which order: the demo asks both models, and stops the local Azure ML."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.chain import whole

FIRST = ["data", "compute", "finetune", "register", "deploy"]


@pytest.mark.parametrize(("options", "failing", "called"), [
    ([], "", [*FIRST, "invoke", "undeploy"]),
    (["--keep"], "", [*FIRST, "invoke"]),
    (["--demo"], "", ["validate", *FIRST, "answers", "undeploy", "local-down"]),
    (["--demo"], "answers", ["validate", *FIRST, "answers", "undeploy", "local-down"]),
    (["--demo"], "data", ["validate", "data", "local-down"]),
])  # fmt: skip
def test_the_targets_in_their_order(tmp_path: Path, options: list[str], failing: str, called: list[str]) -> None:
    make, log = tmp_path / "make", tmp_path / "log"
    make.write_text(f'#!/bin/sh\necho "$1" >> {log}\n[ "$1" != "{failing}" ]\n')
    make.chmod(0o700)
    words = ["--env", "demo", "--folder", str(tmp_path / "demo" / "local"), "--call", "ENV=demo BACKEND=local"]
    assert bool(whole.run([*words, *options, "--", str(make)])) == bool(failing)
    assert log.read_text().split() == called
