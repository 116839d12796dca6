"""Ctrl-C that comes while a program is still being loaded."""

import subprocess
import sys

from scripts.files import ROOT


def test_a_program_that_is_interrupted_while_it_loads_shows_no_traceback():
    for code, said in (("KeyboardInterrupt", "interrupted\n"), ("ValueError('x')", "ValueError: x\n")):
        command = [sys.executable, "-c", f"import scripts\nraise {code}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode and done.stderr.endswith(said)
        assert ("Traceback" in done.stderr) == (code != "KeyboardInterrupt")
