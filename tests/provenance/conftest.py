"""Demo's chain in a clone of git, on an Azure ML that only seems to train and to serve."""

import contextlib
import dataclasses
import hashlib
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import programs, render, trained, workspace
from scripts.azure import client as client_module
from scripts.chain import cluster, data, endpoint, job, model
from scripts.chain.az import Az
from scripts.chain.run import Run
from scripts.dataset import manifest
from scripts.files import ROOT
from scripts.provenance.line import DIFFERS, MISSING, Line
from scripts.provenance.trace import trace
from scripts.provenance.tree import Trees
from scripts.rollout import rolling
from scripts.rollout.service import Live
from scripts.values import data_facts
from scripts.values.read import load
from tests.conftest import Emulated, enter
from tests.local.conftest import FAKES
from tests.test_acceptance import copy_of_the_project

ROWS = {"train": 5, "validation": 3, "test": 2}
EMAIL = "someone@example.org"


def git(root: Path, *words: str) -> str:
    """Runs git in a clone."""
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def clone(folder: Path, values: str = "") -> Path:
    """Makes a clone of the project in which demo's data are prepared, and all is committed that is to be.

    `values` stand in for demo's own.
    """
    root = copy_of_the_project(folder)
    if values:
        (root / "environments/demo.yaml").write_text(values)
    git(root, "init", "-q")
    git(root, "config", "user.name", "Someone")
    git(root, "config", "user.email", EMAIL)
    (root / ".gitignore").write_text("/data\n/.runs\n/runs\n/.venv\n/tests\n__pycache__\n")
    _prepare(root)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all")
    return root


def _prepare(root: Path) -> None:
    """Puts data there as preparing them does, with facts, and renders the YAML that names them."""
    folder = root / "data/demo"
    folder.mkdir(parents=True)
    row = json.dumps({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]})
    hashes = {}
    for split, rows in ROWS.items():
        content = f"{row}\n".encode() * rows
        (folder / f"{split}.jsonl").write_bytes(content)
        hashes[split] = {"sha256": hashlib.sha256(content).hexdigest()}
    version = manifest.version(hashes)
    (folder / "manifest.json").write_text(json.dumps({"version": version, "fallback": None}))
    facts = data_facts.read("demo", root)
    splits = {name: dataclasses.replace(split, rows=ROWS[name]) for name, split in facts.splits.items()}
    data_facts.write(dataclasses.replace(facts, version=version, splits=splits), "demo", root)
    render.write(render.render(load("demo", root=root), root), "demo", root)


class Project:
    """A clone with a prepared and committed environment, its run, and the Azure ML that it runs on."""

    def __init__(self, folder: Path, emulated: Emulated, values: str = "") -> None:
        self.root, self.emulated = clone(folder, values), emulated
        az = Az([sys.executable, "-m", "scripts.az_ml"], shlex.split(workspace.options(load("demo", root=self.root))))
        self.run = Run(az, load("demo", root=self.root), self.root / ".runs/demo/local", self.root)
        self.client = client_module.connect(self.run.values)

    def line(self, version: str = "") -> Line:
        """Follows the line."""
        with contextlib.closing(Trees(self.root, load("demo", root=self.root))) as trees:
            return trace(self.run, self.client, trees, version)

    def wrong(self) -> dict[str, str]:
        """What does not hold, with its status."""
        return {link.what: link.status for link in self.line().links if link.status in (MISSING, DIFFERS)}

    def chain(self) -> None:
        """Runs the chain's steps."""
        # A copy of this process, which answers to az, is read by the descriptors that it writes to.
        with (
            open(1, "w", closefd=False) as out, open(2, "w", closefd=False) as err,
            contextlib.redirect_stdout(out), contextlib.redirect_stderr(err),
        ):  # fmt: skip
            data.register(self.run)
            cluster.ensure_all(self.run)
            job.finetune(self.run)
            trained.check(self.run.values, self.run.folder)
            model.register(self.run)
            rolling.deploy(self.run, Live(self.run.values, endpoint.name_of(self.run)))


@pytest.fixture(scope="module")
def emulated(tmp_path_factory):
    azure = load("demo").data["azure"]
    first = {
        key: str(azure[key]) for key in ("subscription_id", "resource_group", "workspace", "region") if key in azure
    }
    made = Emulated(tmp_path_factory.mktemp("provenance-home"), first, FAKES)
    made.up()
    yield made
    made.down()


@pytest.fixture(scope="module")
def inside(emulated):
    """This process in the emulator's environment."""
    patch = enter(emulated)
    patch.setenv("AZUREML_CHAIN_COSTS", "nothing")
    for name in ("GITHUB_ACTIONS", "GITHUB_ACTOR"):
        patch.delenv(name, raising=False)
    patch.chdir(ROOT)
    programs.load((sys.executable, "-m", "scripts.az_ml"))
    yield emulated
    patch.undo()


@pytest.fixture(scope="module")
def project(inside, tmp_path_factory):
    """A project whose chain has run, and whose endpoint answers; what a test changes it puts back."""
    made = Project(tmp_path_factory.mktemp("clone"), inside)
    made.chain()
    return made
