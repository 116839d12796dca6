"""What git says of a clone, and of a folder that is none."""

import subprocess

import pytest

from scripts import git
from scripts.errors import UserError


def test_the_commit_and_what_differs_from_it(tmp_path):
    assert (git.head(tmp_path), git.changed(tmp_path), git.has(tmp_path, "HEAD")) == ("", [], False)
    command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "kept").write_text("1")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        subprocess.run([*command, *words], check=True)
    head = git.head(tmp_path)
    assert len(head) == 40 and git.changed(tmp_path) == []
    (tmp_path / "kept").write_text("2")
    (tmp_path / "new one").write_text("3")
    assert git.changed(tmp_path) == ["kept", "new one"] and git.changed(tmp_path, "new one", "none") == ["new one"]
    subprocess.run([*command, "mv", "-f", "kept", "moved"], check=True)
    assert git.changed(tmp_path)[0] == "moved" and git.head(tmp_path) == head
    git.extract(head, tmp_path / "before", tmp_path)
    assert (tmp_path / "before" / "kept").read_text() == "1" and git.has(tmp_path, head)
    with pytest.raises(UserError, match="git archive 0123"):
        git.extract("0123456", tmp_path / "none", tmp_path)


def test_without_git_nothing_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (git.head(tmp_path), git.changed(tmp_path)) == ("", [])
