"""The verb, with a model that is registered in Azure ML on localhost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import state
from scripts.errors import MISSING, UserError
from scripts.evaluate import model_version
from scripts.export import __main__ as verb
from scripts.export import conversations
from scripts.values.read import load
from tests.conftest import Emulated, enter
from tests.tiny_models import make_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(emulator: Emulated, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[str], str]]:
    """The options for an Azure ML with a version of demo's model, that of job `job-1`, and its number."""
    from azure.ai.ml.entities import Model

    folder = tmp_path_factory.mktemp("registered")
    make_model(folder / "model")
    (folder / "MLmodel").write_text(json.dumps({"flavors": {"transformers": {}}, "metadata": {}}))
    patch = enter(emulator)
    patch.setattr(conversations, "COUNT", 110)
    patch.setattr(model_version, "ROOT", tmp_path_factory.mktemp("project"))  # where it is downloaded to
    sets = [f"azure.{key}={value}" for key, value in emulator.workspace.items()]
    name = model_version.name(load("demo", sets))
    client, _ = emulator.clients()
    found = client.models.create_or_update(Model(name=name, path=folder, type="mlflow_model", tags={"job": "job-1"}))
    yield ["--env", "demo", *(word for each in sets for word in ("--set", each))], str(found.version)
    patch.undo()


@pytest.fixture
def registered(made: tuple[list[str], str]) -> list[str]:
    return made[0]


@pytest.fixture
def version(made: tuple[list[str], str]) -> str:
    """The service counts: other tests of this process may have registered some before."""
    return made[1]


def test_the_version_of_the_state_and_one_that_is_named(
    registered: list[str], version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state.write(tmp_path / "run", "model-version", f"{version} job-1")
    assert verb.run([*registered, "--folder", str(tmp_path / "run")]) == 0
    assert f"SmolLM2-135M-Instruct-azureml-chat:{version} of job job-1\n" in capsys.readouterr().out
    stem = f"SmolLM2-135M-Instruct-azureml-chat-{version}"
    wanted = ["Modelfile", "README.md", f"{stem}.gguf"]
    assert sorted(path.name for path in (tmp_path / "run" / "export").iterdir()) == sorted(wanted)
    verb.run([*registered, "--model-version", version, "--result", str(tmp_path / "here"), "--format", "huggingface"])
    assert [path.name for path in (tmp_path / "here").iterdir()] == [stem]


def test_a_version_that_is_not_there(registered: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model SmolLM2-135M-Instruct-azureml-chat:777") as raised:
        verb.run([*registered, "--model-version", "777", "--result", str(tmp_path / "out")])
    assert raised.value.code == MISSING and not (tmp_path / "out").exists()
    with pytest.raises(UserError, match=r"model-version: not there yet; make register"):
        verb.run([*registered, "--folder", str(tmp_path / "run")])


def test_a_result_that_is_no_folder(registered: list[str], version: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"/file: is no folder; RESULT=<folder> names another"):
        verb.run([*registered, "--model-version", version, "--result", str(tmp_path / "file")])
