"""PyTorch without CUDA where nothing could run it: pip itself, with folders as indexes and tiny wheels in them."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from scripts import torch_wheels
from scripts.errors import UserError
from tests.test_repository import direct

(PIN,) = [each for each in direct("torch") if each.name == "torch"]
VERSION = str(PIN.specifier).removeprefix("==")
TOLD = torch_wheels.told_an_index
NOBODY = "http://127.0.0.1:9/whl"


def index(folder: Path, *versions: str) -> str:
    """Makes an index as PyPI's, with wheels of nothing, and returns its address."""
    page = folder / "torch" / "index.html"
    page.parent.mkdir(parents=True)
    for version in versions:
        wheel = page.with_name(f"torch-{version}-py3-none-any.whl")
        info = f"torch-{version}.dist-info"
        with zipfile.ZipFile(wheel, "w") as file:
            file.writestr("torch/version.py", f"__version__ = '{version}'\n")
            file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
            file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            file.writestr(f"{info}/RECORD", "")
    page.write_text("".join(f'<a href="{each.name}">{each.name}</a>' for each in page.parent.glob("*.whl")))
    return folder.as_uri()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without a GPU, whose pip installs into a folder and finds the usual wheel by itself."""
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", index(tmp_path / "usual", VERSION))  # in PyPI's place
    monkeypatch.setattr(torch_wheels, "told_an_index", lambda: False)
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "here"))
    monkeypatch.setattr(torch_wheels, "GPUS", (str(tmp_path / "gpu"),))
    monkeypatch.setattr(torch_wheels, "CPU_WHEELS", index(tmp_path / "cpu", f"{VERSION}+cpu"))
    monkeypatch.setattr(torch_wheels.sys, "platform", "linux")
    return tmp_path


def installed(machine: Path) -> str:
    """Returns the version that is there."""
    return (machine / "here" / "torch" / "version.py").read_text().split("'")[1]


def test_without_a_gpu_the_cpu_wheel_is_taken_and_said_in_a_line(machine, capfd):
    assert torch_wheels.run([]) == 0
    assert installed(machine) == f"{VERSION}+cpu"
    said = capfd.readouterr().out.splitlines()
    assert len(said) == 1 and "CPU wheels" in said[0] and "TORCH=pip" in said[0] and len(said[0]) <= 80


@pytest.mark.parametrize("why", ["gpu", "macOS", "TORCH=pip", "index of the user's"])
def test_elsewhere_pip_finds_it_by_itself(machine, monkeypatch, capfd, why):
    if why == "gpu":
        (machine / "gpu").touch()
    elif why == "macOS":
        monkeypatch.setattr(torch_wheels.sys, "platform", "darwin")
    elif why == "index of the user's":
        monkeypatch.setattr(torch_wheels, "told_an_index", TOLD)
    assert torch_wheels.run([] if why != "TORCH=pip" else ["--index=pip"]) == 0
    assert installed(machine) == VERSION and capfd.readouterr().out == ""


@pytest.mark.parametrize("lack", ["nobody answers", "another version"])
def test_where_the_index_has_none_pips_own_is_taken_and_said(machine, monkeypatch, capfd, lack):
    monkeypatch.setattr(torch_wheels, "CPU_WHEELS", NOBODY if lack == "nobody answers" else index(machine / "x", "1.0"))
    assert torch_wheels.run([]) == 0
    assert installed(machine) == VERSION
    assert "not to be had there; taking pip's own, with CUDA" in capfd.readouterr().out


@pytest.mark.parametrize("variable", ["INDEX_URL", "NO_INDEX", "EXTRA_INDEX_URL", "FIND_LINKS"])
def test_pip_was_told_of_another_source(machine, monkeypatch, variable):
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_INDEX_URL")
    assert not TOLD()
    monkeypatch.setenv(f"PIP_{variable}", "1")
    assert TOLD()


@pytest.mark.parametrize("place", ["address", "folder"])
def test_another_index_may_be_named(machine, capfd, place):
    address = index(machine / "mine", f"{VERSION}+mine")
    assert torch_wheels.run([f"--index={address if place == 'address' else machine / 'mine' / 'torch'}"]) == 0
    assert installed(machine) == f"{VERSION}+mine" and "PyTorch: from " in capfd.readouterr().out


def test_one_that_was_named_and_does_not_have_it_is_no_detour(machine, tmp_path, capfd):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"TORCH=.*empty: PyTorch could not be installed from there"):
        torch_wheels.run([f"--index={tmp_path / 'empty'}"])
    assert not (machine / "here").exists()
