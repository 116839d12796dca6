"""Fixtures that several folders of tests share: an Azure ML on localhost, and the SDK's client for it."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import torture
from tests.torture import campaign  # noqa: F401 - a fixture

pytest_addoption, pytest_configure = torture.pytest_addoption, torture.pytest_configure
pytest_runtest_logreport, pytest_terminal_summary = torture.pytest_runtest_logreport, torture.pytest_terminal_summary
REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))
for name in ("AZUREML_CHAIN_CALL", "AZUREML_CHAIN_COSTS"):  # of the make that runs the tests
    os.environ.pop(name, None)
# Threads of torch that wait for each other sleep, so that what other processes do meanwhile goes on.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@dataclass
class Emulated:
    """A running emulator: `env` leads a program to it, `workspace` is what its values would say."""

    home: Path
    workspace: dict[str, str]
    extra: dict[str, str] = field(default_factory=dict)  # variables for the emulator's own process
    env: dict[str, str] = field(default_factory=dict)

    @property
    def record(self) -> dict[str, Any]:
        """Returns what the running emulator wrote about itself: pid, ports and key."""
        from scripts.local.core.home import Home

        record = Home(self.home).read_record()
        return dataclasses.asdict(record) if record else {}

    def up(self) -> None:
        """Starts it (again) and refreshes `env`."""
        from scripts.local import launcher
        from scripts.local.core.home import Home

        home = Home(self.home)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.extra.items():
                patch.setenv(name, value)
            launcher.up(home)
        launcher.register(home, self.workspace)
        self.env = launcher.environment(home, dict(os.environ), self.workspace)

    def down(self) -> None:
        """Stops it."""
        from scripts.local import launcher
        from scripts.local.core.home import Home

        launcher.down(Home(self.home))

    def kill(self) -> None:
        """Kills it with SIGKILL, as nothing can prepare for, and waits until it is gone."""
        process = psutil.Process(self.record["pid"])
        process.kill()
        process.wait(10)

    def clients(self) -> tuple[Any, Any]:
        """Returns the SDK's clients of the workspace and of the registry; the process must have `env`."""
        from azure.ai.ml import MLClient
        from azure.identity import DefaultAzureCredential

        credential = DefaultAzureCredential()
        words = (self.workspace["subscription_id"], self.workspace["resource_group"], self.workspace["workspace"])
        workspace = MLClient(credential, *words, show_progress=False)
        return workspace, MLClient(credential, registry_name="azureml", show_progress=False)


LONG = ("chain", "az_ml")  # folders with stories that take minutes, the longest first
WORKSPACE = {
    "subscription_id": "11111111-2222-3333-4444-555555555555",
    "resource_group": "tests",
    "workspace": "local-tests",
    "region": "eastus",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the files that take minutes, then those that train or serve; the fast ones fill what time is left.

    A process is given two files at first, so what comes fifth waits for what came first.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    rank = {folder: place for place, folder in enumerate(LONG)}
    items.sort(key=lambda item: (item.path not in slow, rank.get(item.path.parent.name, len(LONG))))


def new_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makes a home whose base model is the one of all other homes: converting it takes ten seconds."""
    home = tmp_path_factory.mktemp("home")
    models = tmp_path_factory.getbasetemp().parent / "models"
    models.mkdir(exist_ok=True)
    (home / "models").symlink_to(models)
    return home


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    """An emulator on a home of its own, with the real engine and scoring server."""
    emulated = Emulated(new_home(tmp_path_factory), WORKSPACE)
    emulated.up()
    yield emulated
    emulated.down()


def enter(emulated: Emulated) -> pytest.MonkeyPatch:
    """Gives this process the environment of an emulator; `undo()` what is returned to leave it."""
    patch = pytest.MonkeyPatch()
    for name in os.environ.keys() - emulated.env.keys():
        patch.delenv(name)
    for name, value in emulated.env.items():
        patch.setenv(name, value)
    return patch


@pytest.fixture
def ml_client(emulator: Emulated) -> Iterator[tuple[Any, Any]]:
    """The SDK's clients of the emulator: (workspace, registry). The test runs in the emulator's environment."""
    patch = enter(emulator)
    yield emulator.clients()
    patch.undo()
