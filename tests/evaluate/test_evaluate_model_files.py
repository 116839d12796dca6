"""Where the base model comes from, and downloads that are made once and never half."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.azure import client as client_module
from scripts.errors import UserError
from scripts.evaluate import model_files
from scripts.values.read import Values, load


def model_dir(folder: Path, **metadata: Any) -> Path:
    """A registered model's folder, with what its training recorded."""
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "config.json").write_text(json.dumps({"dtype": "bfloat16"}))
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {}, "metadata": metadata}))
    return folder


def values(environment: str = "demo", **evaluation: Any) -> Values:
    loaded = load(environment)
    data = {**loaded.data, "evaluation": {**loaded.data["evaluation"], **evaluation}}
    return dataclasses.replace(loaded, data=data)


class Models:
    """The SDK's client as far as a download goes: writes the folder of an MLflow model, or fails half-way."""

    def __init__(self, fail: bool = False) -> None:
        self.models, self.fail, self.calls = self, fail, 0

    def download(self, name: str, version: str, download_path: Path) -> None:
        self.calls += 1
        inside = download_path / name / "trained_model"
        (inside / "model").mkdir(parents=True)
        (inside / "model" / "config.json").write_text("{}")
        if self.fail:
            raise KeyboardInterrupt
        (inside / "MLmodel").write_text("flavors: {}")


def test_a_model_is_downloaded_once(tmp_path: Path) -> None:
    client = Models()
    for _ in range(2):
        found = model_files.tuned(client, "m", "1", tmp_path)
        assert (found.folder / "MLmodel").is_file() and found.name == "m:1"
    assert client.calls == 1 and [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_broken_download_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        model_files.tuned(Models(fail=True), "m", "1", tmp_path)
    assert not (tmp_path / "model").exists()
    assert model_files.tuned(Models(), "m", "1", tmp_path).folder == tmp_path / "model"


def test_a_folder_in_the_values_wins(tmp_path: Path) -> None:
    tuned = model_dir(tmp_path / "tuned", stand_in="SmolLM2-135M-Instruct-bfloat16")
    assert model_files.base(values(base=str(tmp_path)), tuned, tmp_path).folder == tmp_path
    with pytest.raises(UserError, match=r"evaluation\.base: no folder nowhere"):
        model_files.base(values(base="nowhere"), tuned, tmp_path)


@pytest.mark.parametrize("environment", ["demo", "prod"])
def test_the_model_that_stood_in_is_the_base(environment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rehearsal of prod trains a small model in the big one's place: comparing with the big one would be wrong."""
    from scripts.local.engine import smollm2 as stand_in

    asked: list[str] = []

    def smollm2(dtype: str) -> tuple[Path, float]:
        asked.append(dtype)
        return tmp_path, 0.0

    monkeypatch.setattr(stand_in, "weights", smollm2)
    tuned = model_dir(tmp_path / "tuned", base_model="azureml:Phi-4:8", stand_in="SmolLM2-135M-Instruct-bfloat16")
    assert model_files.base(values(environment), tuned, tmp_path).name == "SmolLM2-135M-Instruct"
    assert asked == ["bfloat16"]


def test_a_model_trained_in_the_cloud_comes_from_hub_or_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: str(tmp_path / name))
    tuned = model_dir(tmp_path / "tuned")
    assert model_files.base(values(), tuned, tmp_path).folder == tmp_path / "HuggingFaceTB/SmolLM2-135M-Instruct"
    monkeypatch.setattr(client_module, "registry", lambda _: Models())
    found = model_files.base(values("prod"), tuned, tmp_path / "runs" / "1")
    assert found.name == "Phi-4:8" and (found.folder / "MLmodel").is_file()

    def offline(name: str, **_: Any) -> str:
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(UserError, match=r"cannot be read from the Hugging Face hub: no network.*evaluation\.base"):
        model_files.base(values(), tuned, tmp_path)
