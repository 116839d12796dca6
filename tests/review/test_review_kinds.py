"""A review of the other type of job, and of autoscaling: what costs the same, and what a hand wrote."""

from __future__ import annotations

from pathlib import Path

from scripts.review.seen import DAY, JOB
from tests.review.conftest import Tree, original, reviewed, text

PROD = "environments/prod.yaml"
RULE = {"metric": "CpuUtilizationPercentage", "minutes": 5, "by": 1}


def test_another_type_of_job_is_said_and_costs_the_same(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.set(PROD, job__kind="finetuning", dataset__splits__heldout=None)
    tree.render()
    found = reviewed(tree)
    assert set(found) == {"prod"}
    assert "job.kind: pipeline -> finetuning" in text(found) and "experimental" in text(found)
    assert found["prod"].parameters == []
    assert tree.look()["prod"].amounts[JOB] == original()["prod"].amounts[JOB]
    tree.edit("pipelines/prod/finetune.yml", 'num_train_epochs: "1"', 'num_train_epochs: "2"')
    (changed,) = reviewed(tree)["prod"].parameters
    assert (changed.name, changed.before, changed.after) == ("num_train_epochs", 1, 2)
    assert tree.look()["prod"].amounts[JOB].likely > original()["prod"].amounts[JOB].likely


def test_autoscaling_has_a_price_from_the_fewest_to_the_most_machines(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    rules = {"min": 1, "max": 3, "scale_out": {**RULE, "above": 70}, "scale_in": {**RULE, "below": 25}}
    tree.set(PROD, deployment__autoscale=rules)
    tree.render()
    day, before = tree.look()["prod"].amounts[DAY], original()["prod"].amounts[DAY]
    assert (day.low, day.likely, day.high) == (before.likely, before.likely, 3 * before.likely)
    assert "deployment.autoscale.max" in text(reviewed(tree))
