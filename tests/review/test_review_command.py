"""`make review` as it is called: against a commit of a clone, in three formats, with its exit codes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from scripts.errors import FAILED, MISSING, USAGE, UserError
from scripts.review import __main__ as command
from scripts.review import base, other_catalog, seen, shown
from scripts.review.compare import Change
from scripts.review.inert import inert
from tests.review.conftest import TODAY, Tree, original, reviewed


def git(root: Path, *words: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def clone(tmp_path: Path) -> Tree:
    """A clone with a branch for a change, whose base has moved on since."""
    tree = Tree(tmp_path / "clone")
    git(tree.root, "init", "-q")
    git(tree.root, "add", "--all")
    git(tree.root, "commit", "-qm", "base")
    git(tree.root, "checkout", "-qb", "change")
    git(tree.root, "checkout", "-q", "main")
    tree.set("environments/prod.yaml", deployment__instance_count=5)
    git(tree.root, "commit", "-qam", "somebody else's")
    git(tree.root, "checkout", "-q", "change")
    return tree


def test_exit_codes_and_formats(clone: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(["--base", "main"], clone.root) == 0
    assert capsys.readouterr().out.startswith("no environment differs from main (")
    result = tmp_path / "review.md"
    assert command.run(["--base", "main", "--format", "markdown", "--result", str(result)], clone.root) == 0
    assert (result.read_text(), capsys.readouterr().out) == ("", "")
    clone.set("environments/dev.yaml", deployment__instance_count=2)
    clone.render("dev")
    assert command.run(["--base", "main"], clone.root) == 2  # of the working tree; nothing is committed
    assert capsys.readouterr().out.startswith("dev: changed (against main (")
    assert command.run(["--base", "main", "--format", "markdown", "--result", str(result)], clone.root) == 0
    lines = result.read_text().splitlines()
    assert lines[0] == shown.MARKER and lines[2] == "### dev: changed"
    assert "| endpoint, a day, USD | 167.52 | 335.04 | +167.52 |" in lines
    assert command.run(["--base", "main", "--format", "json"], clone.root) == 2
    (found,) = json.loads(capsys.readouterr().out)["environments"]
    assert (found["environment"], found["kind"]) == ("dev", "changed")
    assert {each["name"]: each["difference"] for each in found["money"]}[seen.DAY] == pytest.approx(167.52)
    assert command.run(["--base", "main", "--env", "prod"], clone.root) == 0
    with pytest.raises(UserError, match=r"ENV=prd: there is no such environment, nor was there .*'prod'") as refused:
        command.run(["--base", "main", "--env", "prd"], clone.root)
    assert refused.value.code == USAGE


def test_what_is_wrong_fails_and_the_others_are_told(clone: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    clone.edit("environments/dev.yaml", "num_train_epochs", "num_train_epoch")
    clone.set("environments/prod.yaml", deployment__instance_count=2)
    clone.render("prod")
    with pytest.raises(UserError, match="what is wrong with dev is said in the review") as refused:
        command.run(["--base", "main"], clone.root)
    assert refused.value.code == FAILED
    said = capsys.readouterr().out
    assert "dev: cannot be told" in said and "environments/dev.yaml:23: finetune.num_train_epoch: unknown" in said
    assert "prod: changed" in said


def test_a_base_that_was_wrong_is_a_note(clone: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    clone.edit("environments/dev.yaml", "num_train_epochs", "num_train_epoch")
    git(clone.root, "commit", "-qam", "wrong")
    clone.edit("environments/dev.yaml", "num_train_epoch", "num_train_epochs")
    assert command.run(["--base", "HEAD"], clone.root) == 2
    assert "the base cannot be told: environments/dev.yaml:23" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "told_of"),
    [
        (["--base", "origin/main"], "BASE=origin/main: there is no such commit here; git fetch origin main gets it"),
        (["--base", "--output=x"], "BASE=--output=x: there is no such commit here"),
        (["--base", "other"], "what it has in common with HEAD is not here"),
    ],
)
def test_a_base_that_is_not_here(clone: Tree, words: list[str], told_of: str) -> None:
    git(clone.root, "branch", "other", git(clone.root, "commit-tree", "-m", "no parent", "HEAD^{tree}").strip())
    name, value = words
    with pytest.raises(UserError) as refused:
        command.run([f"{name}={value}"], clone.root)
    assert told_of in str(refused.value) and refused.value.code == MISSING


def test_a_folder_that_is_no_clone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make review compares a clone"):
        base.commit("main", tmp_path)


def test_another_catalog_touches_whoever_uses_it(clone: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """The base is told by its own prices and known sources, in a process of its own."""
    prices = "scripts/azure/catalog/prices.json"
    clone.edit(prices, '"eastus": 6.98', '"eastus": 5.98')
    git(clone.root, "commit", "-qam", "dearer by and by")
    clone.edit(prices, '"eastus": 5.98', '"eastus": 6.98')
    assert command.run(["--base", "HEAD"], clone.root) == 2
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if "changed (" in line and "HEAD" in line] == [
        line for line in said.splitlines() if line.startswith(("dev: ", "prod: "))
    ]
    assert " ".join(said.split()).count("endpoint, a day, USD 143.52 167.52 +24.00") == 2


def test_a_catalog_that_todays_programs_cannot_read_is_none(clone: Tree) -> None:
    (clone.root / "scripts/azure/catalog/prices.json").write_text("{}")
    assert other_catalog.look(["dev"], clone.root, TODAY) is None
    (clone.root / "scripts/azure/catalog/prices.json").unlink()  # of a time before there was one
    assert other_catalog.look(["dev"], clone.root, TODAY) == {"dev": original()["dev"]}


def test_data_of_this_machine_change_nothing(clone: Tree) -> None:
    """Whoever has prepared more or other data than is committed gets the review that CI gets."""
    folder = clone.root / "data/dev"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("broken")
    assert reviewed(clone) == {}


def test_what_a_branch_writes_becomes_no_markup(clone: Tree) -> None:
    evil = "`x` | <img src=a> [l](http://a) @octo/team #12 *b*"
    clone.set("environments/dev.yaml", tags__team=evil)
    clone.render("dev")
    said = shown.markdown(list(reviewed(clone).values()), "main")
    (row,) = [line for line in said.splitlines() if line.startswith("| tags.team")]
    assert row.count("|") == 5
    assert [sign for sign in ("<img", "`", "[l]", "@octo", "#12 ", "*b*") if sign in row] == []
    assert inert("a\nb") == "a b" and len(inert("x" * 5000)) < 500


def test_a_comment_is_no_longer_than_github_takes(clone: Tree) -> None:
    clone.set("environments/dev.yaml", tags__team="a")
    clone.render("dev")
    (found,) = reviewed(clone).values()
    found.values = [Change(f"tags.t{number}", None, "v" * 300, "", "environment") for number in range(100)]
    said = shown.markdown([found] * 5, "main")
    assert 50_000 < len(said) < 65_536 and "and 40 more" in said
    assert "The rest is too long for a comment: `make review` shows it.\n\n<sub>Against main: dev, " in said
