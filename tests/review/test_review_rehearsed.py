"""What a rehearsal showed is part of a review, where it is of the YAML under review."""

import dataclasses

import pytest

from scripts.chain.rendered import Rendered
from scripts.rehearse import record
from scripts.review import __main__ as command
from scripts.review import rehearsed, shown
from tests.rehearse.told import told
from tests.review.conftest import TODAY, Tree


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "after")


def keep(tree, **more):
    made = dataclasses.replace(told(), environment="dev", yaml=Rendered("dev", tree.root).fingerprint(), **more)
    folder = tree.root / ".runs/dev/rehearsal"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / record.FILE).write_text(made.as_json())


def test_without_one_nothing_is_said(tree):
    assert rehearsed.lines("dev", tree.root) == []


def test_one_of_this_yaml_is_told_and_one_of_other_yaml_only_named(tree, tmp_path):
    keep(tree, outcome=record.PASSED)
    said = rehearsed.lines("dev", tree.root)
    assert said[0].startswith("passed in ") and said[-1] == "more in .runs/dev/rehearsal/rehearsal.md"
    tree.set("environments/dev.yaml", deployment__instance_count=2)
    tree.render("dev")
    (other,) = rehearsed.lines("dev", tree.root)
    assert other.startswith("of other YAML than this: passed in ") and "make rehearse ENV=dev" in other
    (review,) = command.review(Tree(tmp_path / "before").root, tree.root, today=TODAY)
    assert review.rehearsal == [other] and "\nRehearsal\n  of other YAML" in shown.text([review], "main")
    keep(tree)
    (review,) = command.review(tmp_path / "before", tree.root, today=TODAY)
    assert "**Rehearsal**" in shown.markdown([review], "main")
