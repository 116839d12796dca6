"""The workflows' own steps in a fresh clone, with the local Azure ML as the workspace; it only seems to train."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from scripts.files import ROOT
from scripts.review.shown import MARKER
from tests.chain.conftest import Chain
from tests.local.conftest import FAKES
from tests.workflows.steps import Runner, jobs, runs

pytestmark = pytest.mark.slow
STATE = ".runs/demo/local"  # of demo on localhost; the workflow's artifact holds .runs/<env>/azure


def git(clone: Path, *words: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *words], cwd=clone, check=True, capture_output=True)


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    made = Chain(tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("home"), FAKES)
    (made.project / "tests").symlink_to(ROOT / "tests")
    yield made
    made.emulated.down()


@pytest.fixture
def runner(chain, tmp_path):
    return Runner(chain.project, tmp_path / "runner", chain.env)


def test_a_pull_request_is_checked_and_reviewed(chain, tmp_path):
    """As on the runner: the branch is checked out, and main lies beside it as origin/main."""
    clone = tmp_path / "clone"
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".runs", ".local")
    shutil.copytree(chain.project, clone, symlinks=True, ignore=ignored)
    git(clone, "init", "-q")
    git(clone, "add", "values.yaml", "values.schema.json", "environments", "templates", "pipelines", "endpoints",
        "pyproject.toml", "scripts/azure/catalog", "scripts/estimate/known_sources.json")  # fmt: skip
    git(clone, "commit", "-qm", "base")
    git(clone, "update-ref", "refs/remotes/origin/main", "HEAD")
    runner = Runner(clone, tmp_path / "runner", chain.env, backend="")
    (find,) = runs(jobs()["review.yml find"])
    runner.run(find)
    assert json.loads(runner.output("all")) == ["demo", "dev", "prod", "reference"]
    (check,) = runs(jobs()["review.yml preflight"])
    for name in json.loads(runner.output("all")):
        runner.run(check, ENVIRONMENT=name)
    review, summary = runs(jobs()["review.yml review"])
    runner.run(review, BASE="origin/main")
    assert (clone / "review.md").read_text() == ""  # and so there is no comment
    values = clone / "environments/dev.yaml"
    values.write_text(values.read_text().replace("num_train_epochs: 1", "num_train_epochs: 2"))
    subprocess.run(["make", "render", "ENV=dev"], cwd=clone, env=chain.env, check=True, capture_output=True)
    runner.run(review, BASE="origin/main")
    runner.run(summary)
    said = (clone / "review.md").read_text()
    assert said.startswith(f"{MARKER}\n\n### dev: changed") and said in runner.summary.read_text()
    touched, chosen = runs(jobs()["rehearse.yml find"])
    runner.run(touched, BASE="origin/main")
    runner.run(chosen, NAME="")
    assert runner.output("environments") == '["dev"]'
    (clone / "review.json").unlink()
    runner.run(chosen, NAME='a "b')
    assert json.loads(runner.output("environments")) == ['a "b']
    runner.run(review, BASE="origin/gone", code=2)


def test_a_merge_is_planned_trained_and_applied_by_jobs_of_their_own(chain, runner, tmp_path):
    """Each job has a clone without state; what one hands on is what the workflow uploads."""
    kept = tmp_path / "artifacts"
    kept.mkdir()

    def fresh():
        for name in (".runs", "data", "plan.json", "plan.txt"):
            path = chain.project / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def job(name, restored=(), code=0):
        fresh()
        for artifact in restored:
            source, target = kept / artifact, chain.project / (STATE if artifact == "state" else artifact)
            target.parent.mkdir(parents=True, exist_ok=True)
            _ = shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        return [runner.run(step, ENVIRONMENT="demo") for step in runs(jobs()[f"apply-environment.yml {name}"])]

    job("plan")
    assert (runner.output("changes"), runner.output("trains")) == ("true", "true")
    assert "Plan: 8 to create" in runner.summary.read_text()
    shutil.copy(chain.project / "plan.json", kept)
    with chain.training():
        job("submit")
    shutil.copytree(chain.project / STATE, kept / "state")
    job("wait", ["state"])
    said = job("apply", ["state", "plan.json"])
    assert "Applied: all of demo is as its YAML says" in said[-1]
    assert len(chain.versions()) == 1  # nothing was trained twice
    job("plan")
    assert (runner.output("changes"), runner.output("trains")) == ("false", "false")
    fresh()
    drift = runs(jobs()["drift.yml drift"])[0]
    assert "No drift of demo" in runner.run(drift, ENVIRONMENT="demo")


def test_only_environments_with_a_workspace_of_their_own_are_applied(chain, tmp_path):
    from scripts import workspace

    project = tmp_path / "project"
    for name in ("environments", "values.yaml", "values.schema.json"):
        source = chain.project / name
        project.mkdir(exist_ok=True)
        _ = shutil.copytree(source, project / name) if source.is_dir() else shutil.copy(source, project)
    assert workspace.listed(project).splitlines()[1] == "azure=[]"
    path = project / "environments/prod.yaml"
    content = yaml.safe_load(path.read_text())
    content["azure"] = {
        "subscription_id": "00000000-0000-0000-0000-000000000001",
        "resource_group": "g",
        "workspace": "own",
    }
    path.write_text(yaml.safe_dump(content))
    assert workspace.listed(project).splitlines()[1] == 'azure=["prod"]'
    path.write_text(f"{path.read_text()}wrong: 1\n")  # said by the review, which needs the list, too
    assert workspace.listed(project).splitlines()[1] == 'azure=["prod"]'
