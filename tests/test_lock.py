"""make lock: what the live registry and workspace say, pinned; asked through the SDK on an Azure ML on localhost."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import lock, render
from scripts.azure.live import Live
from scripts.errors import UserError
from scripts.strict_yaml import read_yaml
from scripts.values.read import Values, load

TODAY = datetime.date(2026, 11, 23)
NOWHERE = "http://127.0.0.1:9/"
ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what render and lock read."""
    for name in ("values.yaml", "values.schema.json"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "environments", tmp_path / "environments", ignore=shutil.ignore_patterns("*.lock.yaml"))
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    return tmp_path


def pinned(
    emulator: Any, project: Path, env: str, *sets: str, today: datetime.date = TODAY, check: bool = False
) -> int:
    """Runs lock for an environment of the project on the emulator's workspace."""
    return lock.write(
        values_of(emulator, project, env, *sets), live(emulator, project, env, *sets), today, NOWHERE, check, project
    )


def values_of(emulator: Any, project: Path, env: str, *sets: str) -> Values:
    azure = [f"azure.{key}={value}" for key, value in emulator.workspace.items()]
    return load(env, [*azure, *sets], project, check=False)


def live(emulator: Any, project: Path, env: str, *sets: str) -> Live:
    return Live(values_of(emulator, project, env, *sets))


def test_lock_pins_model_component_and_sizes(emulator: Any, ml_client: Any, project: Path, capsys: Any) -> None:
    assert pinned(emulator, project, "prod") == 0
    path = project / "environments" / "prod.lock.yaml"
    found = yaml.safe_load(path.read_text())
    assert found["seen"] == found["model"]["seen"] == found["component"]["seen"] == "2026-11-23"
    assert found["model"]["id"] == "azureml://registries/azureml/models/Phi-4/versions/8"
    assert "Standard_NC40ads_H100_v5" in found["model"]["finetune_computes"]
    assert found["model"]["model_specific_defaults"]["deepspeed_stage"] == 3
    assert found["model"]["archived"] is False
    assert found["component"]["version"] == "0.0.82"
    assert found["component"]["inputs"]["precision"] == {
        "type": "string",
        "enum": ["32", "16"],
        "default": "32",
        "optional": True,
    }
    assert found["component"]["inputs"]["num_nodes_finetune"]["min"] == 1
    size = found["sizes"]["Standard_NC40ads_H100_v5"]
    assert (size["gpus_per_node"], size["vcpus"], size["seen"]) == (1, 40, "2026-11-23")
    assert size["family"]
    assert "no price pinned (127.0.0.1: not reachable" in capsys.readouterr().err


def test_the_same_answers_give_the_same_bytes_and_the_same_yaml(emulator: Any, ml_client: Any, project: Path) -> None:
    values = values_of(emulator, project, "prod")
    before = render.render(values, project)
    pinned(emulator, project, "prod")
    path = project / "environments" / "prod.lock.yaml"
    first = path.read_bytes()
    pinned(emulator, project, "prod")
    assert path.read_bytes() == first
    locked = render.render(values, project)
    assert locked == render.render(values, project) == before  # the catalog says what this registry says
    pinned(emulator, project, "prod", today=datetime.date(2026, 12, 24))
    assert path.read_bytes() != first  # another day
    assert render.render(values, project) == locked  # and the same YAML


def test_retired_model_keeps_its_dates(emulator: Any, ml_client: Any, project: Path) -> None:
    pinned(emulator, project, "reference")
    model = yaml.safe_load((project / "environments" / "reference.lock.yaml").read_text())["model"]
    assert model["archived"] is True
    assert model["deprecation"]["inferenceRetirementDate"].startswith("2025-08-30")


def test_latest_means_what_the_lock_says(emulator: Any, ml_client: Any, project: Path) -> None:
    latest = "model.version=latest"
    with pytest.raises(UserError, match="make lock"):
        render.render(values_of(emulator, project, "prod", latest), project)
    pinned(emulator, project, "prod", latest)
    files = render.render(values_of(emulator, project, "prod", latest), project)
    assert "models/Phi-4/versions/8" in files["pipelines/prod/finetune.yml"]


def test_check_reports_what_is_newer(emulator: Any, ml_client: Any, project: Path, capsys: Any) -> None:
    with pytest.raises(UserError, match="not there yet"):
        pinned(emulator, project, "prod", check=True)
    pinned(emulator, project, "prod")
    assert pinned(emulator, project, "prod", today=datetime.date(2026, 12, 24), check=True) == 0
    path = project / "environments" / "prod.lock.yaml"
    path.write_text(path.read_text().replace("0.0.82", "0.0.81"))
    old = path.read_bytes()
    capsys.readouterr()
    assert pinned(emulator, project, "prod", check=True) == 1
    assert "component.version: 0.0.81 -> 0.0.82" in capsys.readouterr().out
    assert path.read_bytes() == old


def test_environment_with_a_hub_model_pins_component_and_sizes(emulator: Any, ml_client: Any, project: Path) -> None:
    pinned(emulator, project, "demo")
    found = yaml.safe_load((project / "environments" / "demo.lock.yaml").read_text())
    assert "model" not in found
    assert list(found["sizes"]) == ["Standard_NC4as_T4_v3"]
    assert render.render(values_of(emulator, project, "demo"), project)


def test_version_that_is_not_there_names_the_newest(emulator: Any, ml_client: Any, project: Path) -> None:
    with pytest.raises(UserError, match='no Phi-4 version 7; its newest is "8"'):
        pinned(emulator, project, "prod", 'model.version="7"')


def test_misspelt_size_is_a_note(emulator: Any, ml_client: Any, project: Path, capsys: Any) -> None:
    assert pinned(emulator, project, "prod", "compute.size=Standard_NC40ad_H100_v5") == 0
    assert "did you mean 'Standard_NC40ads_H100_v5'" in capsys.readouterr().err


def test_nobody_answers(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "HTTPS_PROXY": NOWHERE,
        "AZURE_TENANT_ID": "t",
        "AZURE_CLIENT_ID": "c",
        "AZURE_CLIENT_SECRET": "s",
    }.items():
        monkeypatch.setenv(name, value)
    values = load("prod", [], project, check=False)
    with pytest.raises(UserError, match="BACKEND=local") as caught:
        lock.write(values, Live(values), TODAY, NOWHERE, False, project)
    assert caught.value.code == 5


def test_text_that_looks_like_a_number_stays_text(tmp_path: Path) -> None:
    content = {
        "a": "5e-6",
        "b": "0.0.82",
        "c": "true",
        "d": "15",
        "e": "2026-11-23",
        "f": None,
        "g": 5e-6,
        "h": [1, "2"],
    }
    text = lock.to_text(content, "reference")
    (tmp_path / "x.yaml").write_text(text)
    assert read_yaml(tmp_path / "x.yaml")[0] == content  # the reader that render uses
    assert yaml.safe_load(text)["a"] == "5e-6"
