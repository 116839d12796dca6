"""A promotion is a commit: the lock has it with its figures, the deployment names it, a revert takes it back."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from scripts import lock, new, promote, render
from scripts.azure import lock_file
from scripts.errors import UserError
from scripts.evaluate.evaluation import Evaluation, Measure
from scripts.evaluate.statistics import Estimate
from scripts.files import ROOT
from scripts.preflight import checklist, context
from scripts.values import facts
from scripts.values.read import Values, load
from tests.evaluate.test_evaluate_evaluation import made

MODEL = "Phi-4-ultrachat-200k"
LOCK = "environments/prod.lock.yaml"
BOTH = Measure("perplexity", "lower", 2, "", base=Estimate(24.899, 20, 30, 9), tuned=Estimate(1.344, 1, 2, 9),
               difference=Estimate(-23, -24, -22, 9), change_percent=Estimate(-90, -92, -80, 9))  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("values.yaml", "values.schema.json"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("environments", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def prod(project: Path, *sets: str) -> Values:
    only = ["rouge_l_above_base", "question_gain_kept", "no_more_empty_answers", "no_more_refusals"]
    off = [
        *(f"evaluation.require.{each}=false" for each in only),
        "evaluation.require.general_answers_lost_at_most=null",
    ]
    return load("prod", [*off, *sets], project)


def evaluated(version: str) -> Evaluation:
    return made(model=MODEL, version=version, measures={"perplexity": BOTH})


def promoted(project: Path, version: str) -> str:
    return promote.commit(prod(project), evaluated(version), f"prod-abc-{version}", project)


def deployment(project: Path, *sets: str) -> dict[str, Any]:
    return dict(yaml.safe_load(render.render(prod(project, *sets), project)["endpoints/prod/deployment.yml"]))


def test_a_promotion_is_committed_and_a_revert_takes_it_back(project: Path) -> None:
    assert "model" not in deployment(project)
    said = promoted(project, "3")
    assert said == f"{LOCK}: {MODEL}:3; make render ENV=prod, and commit both: make deploy ENV=prod takes it then"
    first = (project / LOCK).read_bytes()
    assert yaml.safe_load(first)["promoted"] == {
        "model": MODEL, "version": "3", "job": "prod-abc-3", "evaluation": evaluated("3").hash,
        "data_version": "data-1", "measures": {"perplexity": {"base": 24.9, "tuned": 1.34}},
    }  # fmt: skip
    assert deployment(project)["model"] == f"azureml:{MODEL}:3"
    promoted(project, "4")
    assert deployment(project)["model"] == f"azureml:{MODEL}:4"
    (project / LOCK).write_bytes(first)  # as git revert does
    assert deployment(project)["model"] == f"azureml:{MODEL}:3"


def test_the_yaml_of_another_version_is_stale_and_is_not_run(project: Path) -> None:
    values = prod(project)
    render.write(render.render(values, project), "prod", project)
    promoted(project, "3")
    with pytest.raises(UserError, match=r"^endpoints/prod/deployment\.yml: is not what"):
        render.require_fresh(values, project)


def test_what_was_promoted_of_another_model_is_named_nowhere(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    promoted(project, "3")
    other = "dataset.name=other"
    assert "model" not in deployment(project, other)
    values = prod(project, other)
    (said,) = render.not_named(values, facts.load(values, project), project)
    assert said.startswith(
        f"{LOCK}: the model that was promoted is {MODEL}, not Phi-4-other, so the deployment names no"
    )


def test_a_lock_that_only_promotes_pins_nothing(project: Path) -> None:
    before = facts.load(prod(project), project)
    promoted(project, "3")
    after = facts.load(prod(project), project)
    assert (after.origin, after.lock, after.model) == ("catalog", None, before.model) and after.promoted
    found = checklist.named("lock").work(context.build(prod(project), root=project))
    assert found.sentence.startswith("no lock: facts are the shipped catalog's")


def test_pinning_anew_keeps_the_promotion(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    promoted(project, "3")
    pinned = {
        "seen": "2026-11-27",
        "component": {"component": "c", "version": "1", "inputs": {}, "outputs": {}},
        "sizes": {},
    }
    monkeypatch.setattr(lock, "pin", lambda *_: (dict(pinned), []))
    arguments: Any = (prod(project), None, None, "")
    with pytest.raises(UserError, match="not there yet"):
        lock.write(*arguments, check=True, root=project)
    assert lock.write(*arguments, check=False, root=project) == 0
    found = lock_file.read("prod", project)
    assert found and found.seen and found.promoted and found.promoted.version == "3"
    assert lock.write(*arguments, check=True, root=project) == 0
    promoted(project, "4")
    found = lock_file.read("prod", project)
    assert found and found.seen and found.promoted and found.promoted.version == "4"
    (project / LOCK).write_text("[")
    capsys.readouterr()
    assert lock.write(*arguments, check=False, root=project) == 0
    assert "written anew, without a promotion that stood there" in capsys.readouterr().err


@pytest.mark.parametrize("old, new, said", [
    ("version: '3'", "version: 3", "promoted.version: expected a version, a number in quotes, found 3"),
    ("version: '3'", "version: latest", "promoted.version: expected a version, a number in quotes, found 'latest'"),
    ("evaluation: ", "evaluation: z", "promoted.evaluation: expected the evaluation's 12 hexadecimal digits, found 'z"),
    ("  job: prod-abc-3\n", "", "promoted: expected a job's name, found nothing"),
])  # fmt: skip
def test_a_promotion_that_was_edited_is_named(project: Path, old: str, new: str, said: str) -> None:
    promoted(project, "3")
    text = (project / LOCK).read_text()
    assert old in text
    (project / LOCK).write_text(text.replace(old, new, 1))
    with pytest.raises(UserError) as caught:
        lock_file.read("prod", project)
    assert said.rpartition(": ")[2] in str(caught.value) and str(caught.value).startswith(LOCK)
    assert "restore it from git, or delete the section: make promote ENV=prod writes it anew" in str(caught.value)


def test_another_environment_starts_unpromoted(project: Path) -> None:
    promoted(project, "3")
    new.create("staging", "prod", project)
    assert not lock_file.lock_path("staging", project).exists()
    (project / LOCK).write_text((project / LOCK).read_text() + "seen: '2026-11-27'\n")
    new.create("second", "prod", project)
    lock = lock_file.read("second", project)
    assert lock and lock.seen and not lock.promoted
    assert "model:" not in (project / "endpoints/staging/deployment.yml").read_text()


@pytest.mark.parametrize(("stand_in", "tags", "version"), [
    (False, None, "3"),
    (True, None, "9"),  # a workspace that has no such version
    (True, {"promoted": "another"}, "9"),
    (True, {"promoted": evaluated("3").hash}, "3"),
])  # fmt: skip
def test_what_is_checked_is_what_will_be_deployed(
    project: Path, monkeypatch: pytest.MonkeyPatch, stand_in: bool, tags: dict[str, str] | None, version: str
) -> None:
    promoted(project, "3")
    monkeypatch.setattr(promote.facts, "load", lambda values, load=facts.load: load(values, project))
    held = None if tags is None else SimpleNamespace(tags=tags)
    monkeypatch.setattr(promote.answers, "ask", lambda _, get, *words: get(*words))
    client = SimpleNamespace(models=SimpleNamespace(get=lambda name, version: held))
    monkeypatch.setattr(promote.model_version, "from_arguments", lambda *_: SimpleNamespace(version="9"))
    options = argparse.Namespace(stand_in=stand_in)
    assert promote.to_deploy(options, prod(project), client) == version
