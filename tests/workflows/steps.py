"""The steps of the workflows as a runner takes them: in order, with what GitHub would have filled in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from scripts.files import ROOT

VENV = Path(sys.executable).parent.parent
FOLDER = ROOT / ".github" / "workflows"
OLD = " ".join(f"-o {VENV}/.installed-{group}" for group in ("core", "observe", "local", "dev"))
# make, as it is called in a container-less clone: with the environment of the tests, on the local Azure ML.
SHIM = f"""#!/bin/sh
exec {{make}} --no-print-directory VENV={VENV} {OLD} {{backend}} "$@"
"""


def workflows() -> dict[str, dict[str, Any]]:
    """Returns every workflow by its file's name."""
    return {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yml"))}


def jobs() -> dict[str, dict[str, Any]]:
    """Returns every job by workflow and name, such as `review.yml comment`."""
    return {f"{file} {name}": job for file, found in workflows().items() for name, job in found["jobs"].items()}


def runs(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the steps of a job that run a script."""
    return [step for step in job.get("steps", ()) if "run" in step]


class Runner:
    """A runner's machine: a clone, a PATH with make in it, and what steps write for later ones."""

    def __init__(self, clone: Path, home: Path, env: dict[str, str], backend: str = "BACKEND=local") -> None:
        self.clone, self._home, self._env = clone, home, env
        home.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(["sh", "-c", "command -v make"], capture_output=True, text=True, check=True).stdout
        self.program("make", SHIM.format(make=made.strip(), backend=backend))
        self.outputs, self.summary = home / "outputs", home / "summary"

    def program(self, name: str, text: str) -> None:
        """Puts a program before all others."""
        path = self._home / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run(self, step: dict[str, Any], code: int = 0, **filled: str) -> str:
        """Runs a step as GitHub's bash does; `filled` are the variables of its job and itself."""
        env = self._env | {name: value for name, value in filled.items() if name.isupper()}
        env |= {"PATH": f"{self._home / 'bin'}:{os.environ['PATH']}"}
        env |= {"GITHUB_OUTPUT": str(self.outputs), "GITHUB_STEP_SUMMARY": str(self.summary)}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.clone, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=500,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, f"{step['run']}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def output(self, name: str) -> str:
        """Returns the last value that steps gave to an output."""
        return re.findall(rf"(?m)^{name}=(.*)$", self.outputs.read_text())[-1]
