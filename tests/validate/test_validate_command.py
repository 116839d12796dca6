"""What is committed is valid; files that are missing, not YAML, or of another kind are named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.errors import UserError
from scripts.files import ROOT
from scripts.validate.__main__ import notes, run, validate
from scripts.values.read import environments, load
from tests.validate.conftest import COMPUTE, DATA, DEPLOYMENT, JOB, MODEL, Broken


@pytest.mark.parametrize("environment", environments())
def test_what_is_committed_is_valid(environment: str) -> None:
    assert validate(load(environment)) == []


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        (JOB, "    type: mlflow_model\n    mode", "outputs.trained_model.type: found None, expected mlflow_model"),
        (MODEL, "type: mlflow_model\n", "type: found None, expected mlflow_model"),
        (DATA, "type: uri_file\n", "type: found None, expected uri_file"),
        (COMPUTE, "size: Standard_NC24ads_A100_v4", "size: missing; add it"),
        (DEPLOYMENT, "instance_count: 1\n", "instance_count: missing; add it"),
    ],
)  # fmt: skip
def test_what_the_sdk_fills_in_otherwise_is_asked_for(broken: Broken, name: str, line: str, said: str) -> None:
    after = "    mode" if line.endswith("mode") else "#\n"
    assert any(said in each for each in broken(name, line, after))


@pytest.mark.parametrize("section", ["inputs", "outputs", "settings", "jobs"])
@pytest.mark.parametrize("value", ["3", "text", "[a]", "true"])
def test_no_section_of_another_kind_is_too_much(project: Path, section: str, value: str) -> None:
    lines = (project / JOB).read_text().splitlines()
    start = lines.index(f"{section}:")
    end = next((n for n in range(start + 1, len(lines)) if lines[n][:1].strip()), len(lines))
    (project / JOB).write_text("\n".join([*lines[:start], f"{section}: {value}", *lines[end:]]) + "\n")
    assert any(f"{JOB}:{start + 1}: {section}: found" in str(each) for each in validate(load("reference"), project))


def test_broken_and_missing_files_are_named(project: Path) -> None:
    (project / JOB).write_text("type: [\n")
    with pytest.raises(UserError, match=r"finetune\.yml:2: not valid YAML"):
        validate(load("reference"), project)
    (project / JOB).unlink()
    with pytest.raises(UserError, match="run make render ENV=reference"):
        validate(load("reference"), project)


def test_an_environment_that_sets_nothing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It may be meant so; it may also be all that a full disk or an editor left."""
    (tmp_path / "environments").mkdir()
    for name in ("values.yaml", "values.schema.json"):
        shutil.copy(ROOT / name, tmp_path)
    for text, said in (
        ("", True),
        ("# nothing\n", True),
        ("azure: {}\n", True),
        ("compute: {max_instances: 2}\n", False),
    ):
        (tmp_path / "environments" / "dev.yaml").write_text(text)
        assert bool(notes(load("dev", ["finetune.seed=7"], root=tmp_path))) == said, text
    assert notes(load("demo")) == []
    assert run(["--env", "dev"]) == 0
    assert capsys.readouterr().err == ""
