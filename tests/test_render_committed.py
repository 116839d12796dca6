"""The rendered job names the data whose facts are committed, and none where these are of other values."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import render
from scripts.errors import UserError
from scripts.files import ROOT
from scripts.values import data_facts, facts
from scripts.values.data_facts import DataFacts, Split
from scripts.values.read import Values, load

JOB = "pipelines/dev/finetune.yml"
SPLIT = Split(200, 24_000, 250, (), "exact")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("values.yaml", "values.schema.json", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("environments", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def dev(project: Path, *sets: str) -> Values:
    return load("dev", sets, project)


def commit(project: Path, version: str) -> None:
    values = dev(project)
    data = dict.fromkeys(("train", "validation", "test"), SPLIT)
    made = DataFacts(version, str(values.data["dataset"]["source"]), "main", "c" * 40, 0.1, data_facts.settings(values),
                     data)  # fmt: skip
    data_facts.write(made, "dev", project)


def inputs(files: dict[str, str]) -> dict[str, Any]:
    found = yaml.safe_load(files[JOB])["inputs"]
    return {name: each["path"] for name, each in found.items() if name.endswith("_file_path")}


def test_the_job_names_the_data_that_are_committed(project: Path) -> None:
    before = render.render(dev(project), project)
    assert inputs(before)["train_file_path"] == "../../data/dev/train.jsonl" and "with --set" in before[JOB]
    commit(project, "123456789012")
    after = render.render(dev(project), project)
    assert inputs(after) == {
        f"{split}_file_path": f"azureml:ultrachat-200k-{split}:123456789012"
        for split in ("train", "validation", "test")
    }
    assert "environments/dev.data.yaml tells of" in after[JOB] and "with --set" not in after[JOB]
    assert {name for name in before if before[name] != after[name]} == {JOB}
    assert render.render(dev(project), project, "") == before


@pytest.mark.parametrize("change", ["dataset.percent=1", "dataset.seed=1", "model.name=Phi-3.5-mini-instruct"])
def test_facts_of_other_values_name_nothing_and_that_is_said(project: Path, change: str) -> None:
    commit(project, "0123456789ab")
    values = dev(project, change)
    assert inputs(render.render(values, project))["train_file_path"].startswith("../../data")
    assert list(render.not_named(values, facts.load(values, project), project)) == [
        "environments/dev.data.yaml: is of other values, so the job names no data; make data ENV=dev writes it anew"
    ]


def test_data_that_a_step_prepares_are_named_by_nobody(project: Path) -> None:
    commit(project, "0123456789ab")
    values = dev(project, "dataset.where=azureml")
    assert inputs(render.render(values, project)) == {}
    assert list(render.not_named(values, facts.load(values, project), project)) == []


def test_yaml_that_leaves_its_data_open_may_run_and_yaml_that_names_others_may_not(project: Path) -> None:
    values = dev(project)
    render.write(render.render(values, project), "dev", project)
    commit(project, "0123456789ab")  # as the first `make data` does, in the middle of `make all`
    render.require_fresh(values, project)
    assert render.stale(render.render(values, project), "dev", project) == [JOB]  # what render-check says
    render.write(render.render(values, project), "dev", project)
    render.require_fresh(values, project)
    commit(project, "ba9876543210")
    with pytest.raises(UserError, match=rf"^{JOB}: is not what the values give by now; make render ENV=dev"):
        render.require_fresh(values, project)


def test_a_job_that_names_its_data_has_no_fault(project: Path) -> None:
    from scripts.validate.__main__ import validate as findings

    commit(project, "0123456789ab")
    render.write(render.render(dev(project), project), "dev", project)
    assert findings(dev(project), project) == []


def test_damaged_facts_stop_rendering_with_a_sentence(project: Path) -> None:
    (project / "environments" / "dev.data.yaml").write_text("version: x\n")
    with pytest.raises(
        UserError, match=r"^environments/dev\.data\.yaml: .*; make data ENV=dev writes it anew, or delete"
    ):
        render.render(dev(project), project)


@pytest.mark.parametrize("facts_file", [None, "", "<<<<<<< HEAD\n", "version: 1\n"])
def test_who_prepares_the_data_needs_no_facts_of_them(project: Path, facts_file: str | None) -> None:
    commit(project, "123456789012")
    render.write(render.render(dev(project), project), "dev", project)
    commit(project, "abcdefabcdef")  # the source moved
    assert render.lag(dev(project), project).startswith(JOB) and not render.lag(dev(project), project, any_data=True)
    place = project / data_facts.file_name("dev")
    place.unlink()
    if facts_file is not None:
        place.write_text(facts_file)
    assert not render.lag(dev(project), project, any_data=True)
    assert render.lag(dev(project, "finetune.seed=9"), project, any_data=True).startswith(JOB)
