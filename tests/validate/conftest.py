"""Fixtures of the validation's tests: a copy of the rendered YAML, and one fault in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.files import ROOT
from scripts.validate.__main__ import validate
from scripts.values.read import load

JOB, MODEL, COMPUTE = (
    "pipelines/reference/finetune.yml",
    "pipelines/reference/model.yml",
    "pipelines/reference/compute.yml",
)
ENDPOINT, DEPLOYMENT, DATA = (
    "endpoints/reference/endpoint.yml",
    "endpoints/reference/deployment.yml",
    "pipelines/reference/data.yml",
)
Broken = Callable[[str, str, str], list[str]]
Fault = Callable[[str, str, str, str, str], None]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the rendered YAML, to be broken."""
    for folder in ("pipelines", "endpoints"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


@pytest.fixture
def broken(project: Path) -> Broken:
    """Replaces a text in one file and returns what validation then says."""

    def breaks(name: str, before: str, after: str) -> list[str]:
        path = project / name
        text = path.read_text()
        assert before in text, f"{before!r} does not stand in {name}: the test is out of date"
        path.write_text(text.replace(before, after, 1))
        return [str(each) for each in validate(load("reference"), project)]

    return breaks


@pytest.fixture
def is_said(project: Path, broken: Broken) -> Fault:
    """Breaks one file and expects a sentence at the line of the key, with these words."""

    def expect(name: str, before: str, after: str, key: str, said: str) -> None:
        found = broken(name, before, after)
        matching = [each for each in found if said in each]
        assert matching, found
        where, at = matching[0].split(": ")[:2]
        assert where.startswith(f"{name}:")
        assert at.endswith(key)
        line = (project / name).read_text().splitlines()[int(where.rpartition(":")[2]) - 1]
        assert key.rpartition(".")[2] in line, (where, line)

    return expect
