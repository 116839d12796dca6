"""Acceptance: each folder of tests/acceptance/ is a session of a user, and what the user saw.

`session.sh` runs in a fresh copy of the project's authored files; `expected.txt` is its output, standard error
included, with the exit code of each line that ends badly. `UPDATE=1 make test` rewrites what is expected, to be
reviewed in the diff.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.files import ROOT

VENV = Path(sys.executable).parent.parent
CASES = sorted((ROOT / "tests" / "acceptance").glob("*/session.sh"))
AUTHORED = ("Makefile", "pyproject.toml", "constraints.txt", "values.yaml", "values.schema.json", "environments",
            "templates", "pipelines", "endpoints", "scripts")  # fmt: skip


@pytest.mark.parametrize("session", CASES, ids=[case.parent.name for case in CASES])
def test_session(session: Path, tmp_path: Path):
    shown = run(session, copy_of_the_project(tmp_path))
    expected = session.with_name("expected.txt")
    if os.environ.get("UPDATE"):
        expected.write_text(shown, encoding="utf-8")
    assert shown == expected.read_text(encoding="utf-8")


def copy_of_the_project(folder: Path) -> Path:
    """Returns a fresh copy of the project's authored files."""
    project = folder / "project"
    project.mkdir()
    for name in AUTHORED:
        source, target = ROOT / name, project / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), copy_function=shutil.copy2)
        else:
            shutil.copy2(source, target)
    (project / ".venv").symlink_to(VENV)
    return project


def run(session: Path, project: Path) -> str:
    """Runs every line of a session by itself, and returns what a terminal would have shown."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(project), "LANG": "C.UTF-8",
        "VENV": str(VENV), "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    shown = ""
    for line in session.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        done = subprocess.run(
            ["bash", "-c", line], cwd=project, env=environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False,
        )  # fmt: skip
        shown += f"$ {line}\n{done.stdout}" + (f"[exit {done.returncode}]\n" if done.returncode else "")
    # A line added to the Makefile or a comment to values.yaml is no news for a user.
    shown = re.sub(r"\b(Makefile|values\.yaml):\d+:", r"\1:<line>:", shown)
    return shown.replace(str(project), "<project>")
