"""A target that is stopped after its check, at once or later: what is left is said."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from scripts.files import ROOT

# The check passes after a moment, the step would take a minute, and all else is as it is.
PROGRAM = f"""#!/bin/sh
case "$*" in
  "-m scripts.chain.watch "*) exec {sys.executable} "$@";;
  *"-m scripts.preflight "*) sleep 0.3;;
  "-m scripts.chain "*|*"-m scripts.rollout "*) sleep 60;;
esac
"""


def checks(process: psutil.Process) -> bool:
    """Tells whether the check runs below a process."""
    found = []
    for each in process.children(recursive=True):
        try:
            found.append(" ".join(each.cmdline()))
        except psutil.Error:
            continue
    return any("/shows -m " in words and "scripts.preflight " in words and "watch" not in words for words in found)


@pytest.mark.parametrize("later", [0, 1.5])
@pytest.mark.parametrize("target", ["finetune", "deploy"])
def test_who_is_stopped_after_the_check_hears_what_is_left(tmp_path, target, later):
    program, here = tmp_path / "shows", Path(sys.prefix)
    program.write_text(PROGRAM)
    program.chmod(0o700)
    old = [word for group in ("core", "observe", "local") for word in ("-o", str(here / f".installed-{group}"))]
    switches = [f"VENV={here}", f"PY={program}", "ENV=demo"]
    words = ["make", "--no-print-directory", *old, *switches, target]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    make = subprocess.Popen(words, cwd=ROOT, env=clean, stderr=subprocess.PIPE, text=True, start_new_session=True)
    watched, deadline = psutil.Process(make.pid), time.monotonic() + 30
    for running in (True, False):
        while checks(watched) != running:
            assert time.monotonic() < deadline and make.poll() is None
            time.sleep(0.002)
    time.sleep(later)
    os.killpg(make.pid, signal.SIGTERM)
    said = [line for line in make.communicate(timeout=30)[1].splitlines() if not line.startswith("make: ***")]
    assert said and f"make {target} was interrupted; " in said[-1], said
