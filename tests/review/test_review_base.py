"""What a review takes of the base: limits wherever they lie, no link out of the clone; no order to a terminal."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from scripts.review import __main__ as command
from scripts.review import base, shown
from scripts.review.inert import inert
from tests.review.conftest import Tree, reviewed
from tests.review.test_review_command import git


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A clone of one commit, with a folder of its own around it."""
    made = Tree(tmp_path / "around" / "clone")
    git(made.root, "init", "-q")
    return made


@pytest.mark.parametrize("where", ["platform/limits.yaml", "../limits.yaml", "vendored/limits.yaml"])
def test_limits_of_a_file_are_those_of_each_side(tree: Tree, where: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each side has its own where git holds it; of a submodule (here: ignored), or beside it, the one here."""
    path = tree.root / where
    path.parent.mkdir(exist_ok=True)
    path.write_text("limits: {max_job_cost: 500}\n")
    (tree.root / ".gitignore").write_text("/vendored/\n")
    tree.set("environments/dev.yaml", limits_from=where)
    tree.render("dev")
    git(tree.root, "add", "--all")
    git(tree.root, "commit", "-qm", "limits")
    tree.set("environments/dev.yaml", deployment__instance_count=2)
    tree.render("dev")
    assert command.run(["--base", "HEAD"], tree.root) == 2
    said = capsys.readouterr().out
    assert "cannot be told" not in said and "deployment.instance_count: 1 -> 2" in said
    path.write_text(yaml.safe_dump({"limits": {"max_job_cost": 1}}))
    command.run(["--base", "HEAD"], tree.root)
    fails = "FAIL limit-job" in " ".join(capsys.readouterr().out.split())
    assert fails == where.startswith("platform")  # where git holds it, it is the change that tightens it


def test_a_link_out_of_the_clone_is_left_out(tree: Tree, tmp_path: Path) -> None:
    (tree.root / "environments" / "far.yaml").symlink_to("/etc/hostname")
    (tree.root / "environments" / "up.yaml").symlink_to("../../../../x.yaml")
    git(tree.root, "add", "--all")
    git(tree.root, "commit", "-qm", "links")
    base.extract("HEAD", tmp_path / "base" / "clone", tree.root)
    there = {path.name for path in (tmp_path / "base" / "clone" / "environments").iterdir()}
    assert "dev.yaml" in there and not there & {"far.yaml", "up.yaml"}


def test_a_value_gives_a_terminal_no_order(tree: Tree) -> None:
    tree.set("environments/dev.yaml", tags={"note": "a\x1b[2J\u202eb"})
    for told in (shown.text(list(reviewed(tree).values()), "main"), inert("a\x1b[2J\u202eb")):
        assert not {*"\x1b\u202e"} & {*told} and "a\ufffd" in told


def test_nodes_that_wait_are_in_the_sum_at_the_top(tree: Tree) -> None:
    tree.set("environments/dev.yaml", compute__min_instances=1)
    tree.render("dev")
    head = shown.text(list(reviewed(tree).values()), "main").splitlines()[1]
    assert head == "idle nodes, a day: +167.52 USD"  # 24 hours at 6.98


def test_a_comment_that_is_cut_names_every_environment(tree: Tree) -> None:
    tree.set("environments/dev.yaml", tags={"note": "x"})
    (one,) = reviewed(tree).values()
    many = [dataclasses.replace(one, environment=f"dev{number}") for number in range(99)]
    told = shown.markdown(many, "origin/`x`").splitlines()
    assert len("\n".join(told)) < shown.LONGEST + 100 and told[-3].startswith("The rest is too long")
    assert "dev0, dev1, " in told[-1] and "dev98; every other" in told[-1] and "`x`" not in told[-1]
