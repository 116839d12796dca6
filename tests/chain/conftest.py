"""The chain as a user runs it: the real Makefile over the real verbs, on Azure ML on localhost, with real training.

Its tests lie in several files, since a file is run by one process. `chain` trains and serves in earnest, where that
matters; `fast` has the tests' own engine and scoring, which take no time.
"""

import contextlib
import io
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import state, workspace
from scripts.az_ml import __main__ as az_ml
from scripts.chain import model
from scripts.files import ROOT
from scripts.local.__main__ import WORKSPACE_KEYS
from scripts.values.read import load
from tests.az_ml.test_az_makefile import faults
from tests.chain.world import World
from tests.conftest import Emulated, enter, new_home
from tests.local.conftest import FAKES
from tests.test_acceptance import copy_of_the_project

VENV = Path(sys.executable).parent.parent
SHORT_TRAINING = "training:\n  max_steps: 2\n"
VALUES = load("demo", check=False)
TRAINS_ON = "trains-on"  # a file in the home, as long as which is there the tests' engine goes on


class Chain:
    """A fresh copy of what is authored, as a clone has it, and the Azure ML on localhost that it runs on."""

    def __init__(self, folder: Path, home: Path, extra: dict[str, str]) -> None:
        self.project, self.home = copy_of_the_project(folder), home
        self.emulated = Emulated(home, {key: str(VALUES.data["azure"][key]) for key in WORKSPACE_KEYS}, extra)

    @property
    def env(self) -> dict[str, str]:
        """The environment in which a user calls the targets."""
        return os.environ | self.emulated.extra | {"AZUREML_LOCAL_HOME": str(self.home)}

    @staticmethod
    def words(*words: str) -> list[str]:
        """Returns the command line of targets."""
        return ["make", "--no-print-directory", "BACKEND=local", "SET=request.max_new_tokens=8", f"VENV={VENV}", *words]

    def make(self, *words: str, code: int | None = 0) -> str:
        """Calls targets and returns what they print; the answer to the question is a short one.

        `code`: 0 where they have to go well, another one where not, None where it does not matter.
        """
        done = subprocess.run(
            self.words(*words), cwd=self.project, env=self.env, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=400,
        )  # fmt: skip
        assert code is None or (done.returncode == 0) == (code == 0), done.stdout
        return done.stdout

    def az(self, *words: str) -> str:
        """Runs `az ml` in demo's workspace, in this process, and returns what it prints."""
        self.emulated.up()
        patch, out = enter(self.emulated), io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                assert az_ml.run(["ml", *words, *shlex.split(workspace.options(VALUES))]) == 0
        finally:
            patch.undo()
        return out.getvalue().strip()

    def local(self, *words: str) -> None:
        """Runs a verb of the local Azure ML."""
        subprocess.run([sys.executable, "-m", "scripts.local", *words], cwd=self.project, env=self.env, check=True)

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """Has the tests' own engine train for as long as the context lasts."""
        (self.home / TRAINS_ON).touch()
        yield
        (self.home / TRAINS_ON).unlink()

    @property
    def job(self) -> str:
        """The name of demo's job."""
        return (self.project / ".runs/demo/local/job").read_text().strip()

    def versions(self, name: str = "SmolLM2-135M-Instruct-azureml-chat") -> list[list[str]]:
        """Returns the model's versions, newest first, each with the job of its tag."""
        shown = self.az("model", "list", "-n", name, "--query", "[].[version, tags.job]", "-o", "tsv")
        return [line.split() for line in shown.splitlines()]


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A project on an Azure ML that trains for two steps, and serves what it trained."""
    home = new_home(tmp_path_factory)
    (home / "settings.yaml").write_text(SHORT_TRAINING)
    made = Chain(tmp_path_factory.mktemp("clone"), home, {})
    yield made
    made.emulated.down()


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    """A project on an Azure ML that only seems to train and to serve."""
    made = Chain(tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("home"), FAKES)
    (made.project / "tests").symlink_to(ROOT / "tests")
    yield made
    made.emulated.down()


@pytest.fixture
def world(tmp_path, monkeypatch):
    made = World(tmp_path, monkeypatch)
    yield made
    ml = [words for words in made.get()["calls"] if words[0] != "autoscale"]  # which is of az monitor
    wrong = [fault for words in ml for fault in faults(["ml", *words])]
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
