"""The tags of a run: what they say of commit, tree and person; that a changed one is known by its name."""

import dataclasses
import getpass

import pytest

from scripts.chain import tags
from scripts.chain.az import Az
from scripts.chain.run import Run
from scripts.values.read import load
from tests.provenance.conftest import EMAIL, clone, git


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return clone(tmp_path_factory.mktemp("clone"))


@pytest.fixture
def run(root, tmp_path, monkeypatch):
    for name in ("GITHUB_ACTIONS", "GITHUB_ACTOR"):
        monkeypatch.delenv(name, raising=False)
    yield Run(Az(["none"], []), load("demo", root=root), tmp_path / "state", root)
    git(root, "reset", "-q", "--hard")
    git(root, "clean", "-qfd")


def test_of_a_clean_tree(run):
    found = tags.of(run, job="j", data="", files="")
    assert (found["tree"], found["lock"], found["by"], found["job"]) == ("clean", "none", EMAIL, "j")
    assert len(found["commit"]) == 40 and found["yaml"] == run.rendered.fingerprint()
    assert found["data"] == "none" and "files" not in found
    assert tags.of(run, job="j") == found and tags.broken(found) == []
    assert set(found) <= {*tags.NAMES, tags.FILES, tags.SEAL}
    assert all(0 < len(text) <= tags.LONGEST for text in found.values())


@pytest.mark.parametrize(
    "name", ["values.yaml", "environments/demo.data.yaml", "pipelines/demo/x", "scripts/x.py", "templates/x"]
)
def test_of_a_tree_with_changes_that_it_reads(run, name):
    (run.root / "README.md").write_text("no run reads this")
    (run.root / "environments/prod.yaml").write_text("nor another environment's")
    assert tags.of(run)["tree"] == "clean"
    with (run.root / name).open("a") as file:
        file.write("\n")
    assert tags.of(run)["tree"] == "dirty"


def test_what_is_set_on_the_command_line_is_in_no_commit(run):
    other = dataclasses.replace(run, values=load("demo", ["request.max_new_tokens=8"], root=run.root))
    before, after = tags.of(run), tags.of(other)
    assert (after["tree"], after["commit"]) == ("dirty", before["commit"]) and after["values"] != before["values"]


def test_without_git_there_is_no_commit_and_the_login_is_who(run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(run.folder))
        found = tags.of(run)
    assert (found["commit"], found["tree"], found["by"]) == ("none", "none", getpass.getuser())


def test_in_a_workflow_it_is_who_began_it(run, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTOR", "octocat")
    assert tags.who(run.root) == EMAIL
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert tags.who(run.root) == "octocat"


def test_a_text_is_bounded_and_gives_no_order(run):
    found = tags.of(run, job="a\x1b[2J" + "b" * 300)
    assert "\x1b" not in found["job"] and len(found["job"]) == tags.LONGEST and tags.broken(found) == []


@pytest.mark.parametrize("name", [*tags.NAMES, tags.FILES])
def test_a_changed_tag_is_known_by_its_name(run, name):
    found = tags.of(run, job="j", data="d", files="f")
    assert tags.broken({**found, name: found[name] + "x"}) == [name]
    assert tags.broken({key: text for key, text in found.items() if key != name}) == [name]
    assert tags.words({name: "a=b c"}) == ("--set", f"tags.{name}=a=b c")
