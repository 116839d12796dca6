"""A comparison ends with 2 where something differs, and never for another reason."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scripts.errors import CHANGES, FAILED, MISSING, USAGE, UserError, compared
from scripts.files import ROOT


@pytest.mark.parametrize(
    "words",
    [("review", "--nosuch"), ("review", "--base", "HEAD", "--env", "nosuch"), ("plan", "plan", "--nosuch"),
     ("plan", "nosuch"), ("plan", "drift", "--env", "nosuch")],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_command_line_is_no_difference(words: tuple[str, ...]) -> None:
    asked = [sys.executable, "-m", f"scripts.{words[0]}", *words[1:]]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == FAILED and "error: " in done.stderr and "Traceback" not in done.stderr


def test_other_codes_stay() -> None:
    assert compared(lambda: CHANGES) == CHANGES and compared(lambda: 0) == 0

    def raising(code: int) -> int:
        raise UserError("x", code)

    for code, wanted in ((USAGE, FAILED), (MISSING, MISSING)):
        with pytest.raises(UserError) as error:
            compared(lambda code=code: raising(code))
        assert error.value.code == wanted
