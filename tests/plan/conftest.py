"""A rendered environment of its own and a workspace of its own on an Azure ML that only seems to train and to serve.

The targets are the chain's steps in this process; tests/plan/test_plan_make.py has the Makefile's.
"""

import contextlib
import itertools
import json
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from scripts import programs, render, workspace
from scripts.azure import client as client_module
from scripts.azure.component import SPLITS
from scripts.chain import cluster, data, job, model
from scripts.chain.az import Az
from scripts.chain.run import Run
from scripts.files import ROOT
from scripts.plan import __main__ as command
from scripts.plan.world import World
from scripts.rollout import rolling
from scripts.rollout.service import Live
from scripts.values.read import load
from tests.conftest import Emulated, enter
from tests.local.conftest import FAKES


def deploy(run: Run) -> None:
    """The target's last program, in this process."""
    rolling.deploy(run, Live(run.values, run.name("endpoints", "endpoint.yml")))


STEPS = {
    "data": data.register, "compute": cluster.ensure_all, "finetune": job.finetune, "register": model.register,
    "deploy": deploy, "gate": lambda run: None, "may-deploy": lambda run: None,
}  # fmt: skip


NUMBER = itertools.count(1)
SOURCE = "azureml://datastores/workspaceblobstore/paths/raw/chat.jsonl"
# What the templates can say beyond what the shipped environments do.
IDENTITY = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g/providers/"
IDENTITY += "Microsoft.ManagedIdentity/userAssignedIdentities/Own"
FULL = (
    "tags.team=a.b", "tags.cost-center=4711", "compute.tier=low_priority", "compute.identity.type=system_assigned",
    "endpoint.identity.type=user_assigned", f"endpoint.identity.user_assigned_identities=[{{resource_id: {IDENTITY}}}]",
)  # fmt: skip
TEMPLATES = {
    "demo": ("demo", ()), "dev": ("dev", ()), "prod": ("prod", ()), "reference": ("reference", ()),
    "full": ("demo", FULL), "pipeline": ("demo", ("dataset.where=azureml",)),
}  # fmt: skip


class Project:
    """One environment's files in a folder, its run on a workspace that nobody else has, and its plans."""

    def __init__(self, root: Path, environment: str, sets: tuple[str, ...] = ()) -> None:
        number = next(NUMBER)
        self.root, self.called = root, []
        values = load(environment, sets)
        values.data["azure"] |= {"workspace": f"plan-{number}", "resource_group": "plans"}
        files = render.render(values, data_version="")  # what is prepared is bound
        render.write(files, environment, root)
        if render.in_pipeline(values):  # the step's code is the project's
            shutil.copytree(ROOT / "scripts", root / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("endpoint.yml", "deployment.yml"):  # an endpoint's name is one in a region
            self.edit("endpoints", file, **{"name" if file == "endpoint.yml" else "endpoint_name": f"on-{number}"},
                      environment=environment)  # fmt: skip
        prepared = root / "data" / environment
        prepared.mkdir(parents=True, exist_ok=True)
        (prepared / "manifest.json").write_text(json.dumps({"version": "abc"}))
        for split in SPLITS:
            (prepared / f"{split}.jsonl").write_text('{"messages": []}\n' * 3)
        az = Az([sys.executable, "-m", "scripts.az_ml"], shlex.split(workspace.options(values)))
        self.run = Run(az, values, root / ".runs" / environment / "local", root)
        self.client = client_module.connect(values)

    def edit(self, *parts: str, environment: str = "", **keys: object) -> dict[str, object]:
        """Sets keys of a file (dots are `__`), as a hand does; returns what was there before."""
        path = self.root / parts[0] / (environment or self.run.environment) / Path(*parts[1:])
        content, before = yaml.safe_load(path.read_text()), {}
        for key, value in keys.items():
            *above, last = key.split("__")
            place = content
            for each in above:
                place = place[each]
            before[key] = place.get(last)
            place[last] = value
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return before

    def targets(self, *names: str) -> int:
        """Runs the chain's steps, as the Makefile's targets do."""
        for name in names:
            self.called.append(name)
            STEPS[name](self.run)
        return 0

    def world(self) -> World:
        """Looks at both sides."""
        return World(self.run, self.client)

    def todo(self) -> list[tuple[str, str, list[str]]]:
        """What is to be done: action, title, and the fields that differ."""
        found = [
            (each.action, each.title, [change.field for change in each.changes]) for each in self.world().resources
        ]
        return [each for each in found if each[0] not in ("unchanged", "left alone")]

    def apply(self, yes: bool = True, **more: object) -> int:
        """Applies, without a question where `yes`."""
        self.called.clear()
        # A copy of this process, which answers to az, is read by the descriptors that it writes to.
        with (
            open(1, "w", closefd=False) as out, open(2, "w", closefd=False) as err,
            contextlib.redirect_stdout(out), contextlib.redirect_stderr(err),
        ):  # fmt: skip
            return command.apply(self.run, self.client, self.targets, yes, **more)


@pytest.fixture(scope="session")
def emulated(tmp_path_factory) -> Iterator[Emulated]:
    first = {"subscription_id": load("demo").data["azure"]["subscription_id"], "resource_group": "plans",
             "workspace": "plan-0", "region": "eastus"}  # fmt: skip
    made = Emulated(tmp_path_factory.mktemp("plan-home"), first, FAKES)
    made.up()
    yield made
    made.down()


@pytest.fixture
def project(emulated, tmp_path):
    """A function that makes a project on a workspace of its own."""
    from scripts.local import launcher
    from scripts.local.core.home import Home

    patch = enter(emulated)
    patch.setenv("AZUREML_CHAIN_COSTS", "nothing")
    patch.chdir(ROOT)
    programs.load((sys.executable, "-m", "scripts.az_ml"))

    def made(environment: str = "demo", sets: tuple[str, ...] = ()) -> Project:
        found = Project(tmp_path / f"project-{next(NUMBER)}", environment, sets)
        azure = found.run.values.data["azure"]
        launcher.register(Home(emulated.home), {key: str(azure[key]) for key in emulated.workspace if key in azure})
        return found

    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(patch.undo)
        yield made
