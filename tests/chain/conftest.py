"""The chain as a user runs it: the real Makefile over the real verbs, on Azure ML on localhost, with real training.

Its tests lie in several files, since a file is run by one process.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import state
from scripts.chain import model
from scripts.files import ROOT
from tests.az_ml.test_az_makefile import faults
from tests.chain.world import World
from tests.conftest import new_home
from tests.test_acceptance import AUTHORED

VENV = Path(sys.executable).parent.parent
SHORT_TRAINING = "training:\n  max_steps: 2\n"


class Chain:
    """A fresh copy of what is authored, as a clone has it, and the home of the local Azure ML that it runs on."""

    def __init__(self, project: Path, home: Path) -> None:
        self.project, self.home = project, home

    @staticmethod
    def words(*words: str) -> list[str]:
        """Returns the command line of targets."""
        return ["make", "--no-print-directory", "BACKEND=local", "SET=request.max_new_tokens=8", f"VENV={VENV}", *words]

    def make(self, *words: str, code: int | None = 0) -> str:
        """Calls targets and returns what they print; the answer to the question is a short one.

        `code`: 0 where they have to go well, another one where not, None where it does not matter.
        """
        done = self._run(self.words(*words), stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, timeout=400)
        assert code is None or (done.returncode == 0) == (code == 0), done.stdout
        return done.stdout

    def az(self, *words: str) -> str:
        """Runs `az ml` in demo's workspace and returns what it prints."""
        command = [sys.executable, "-m", "scripts.local", "run", "--env", "demo", "--"]
        command += [sys.executable, "-m", "scripts.az_ml", "ml", *words]
        return self._run([*command, "-g", "my-resource-group", "-w", "demo-workspace"], check=True).stdout.strip()

    def local(self, *words: str) -> None:
        """Runs a verb of the local Azure ML."""
        self._run([sys.executable, "-m", "scripts.local", *words], check=True)

    def _run(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.project, env=environment(self.home), text=True, stdout=subprocess.PIPE, **options
        )

    @property
    def job(self) -> str:
        """The name of demo's job."""
        return (self.project / ".runs/demo/local/job").read_text().strip()


def environment(home: Path) -> dict[str, str]:
    return os.environ | {"AZUREML_LOCAL_HOME": str(home)}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The home of a local Azure ML that trains for two steps."""
    folder = new_home(tmp_path_factory)
    (folder / "settings.yaml").write_text(SHORT_TRAINING)
    yield folder
    subprocess.run([sys.executable, "-m", "scripts.local", "down"], cwd=ROOT, env=environment(folder), check=True)


def copied(project: Path, home: Path) -> Chain:
    """Copies what is authored into a folder, and returns the chain of it."""
    for name in AUTHORED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, project / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, project / name)
    return Chain(project, home)


@pytest.fixture
def chain(tmp_path: Path, home: Path) -> Chain:
    return copied(tmp_path, home)


@pytest.fixture
def world(tmp_path, monkeypatch):
    made = World(tmp_path, monkeypatch)
    yield made
    wrong = [fault for words in made.get()["calls"] for fault in faults(["ml", *words])]
    assert not wrong  # every command line is one that the official CLI accepts


@pytest.fixture
def registered(world):
    """A run whose model is registered, on an endpoint that is there."""
    state.write(world.folder, "job", "demo-1")
    state.write(world.folder, "status", "Completed")
    model.register(world.run)
    world.thing(world.on, "Succeeded")
    before = world.get()
    world.put({**before, "calls": []})
    return world


@pytest.fixture
def completed(world):
    state.write(world.folder, "job", "demo-1")
    state.write(world.folder, "status", "Completed")
    return world


@pytest.fixture
def prepared(world):
    state.write(world.folder, "data-version", "abc")
    return world
