"""Deleting several things: one that is not deleted hinders no other, and gives the exit code; what a stop says."""

import pytest

from scripts.chain.left import left
from scripts.chain.rendered import Rendered
from scripts.errors import FAILED, UserError
from scripts.status import deletion


def test_one_that_is_not_deleted_hinders_no_other(monkeypatch, tmp_path, capsys):
    tried = []

    def delete(made, kind, name):
        tried.append((kind, name))
        if name == "locked":
            raise UserError("endpoint locked was not deleted", FAILED)

    monkeypatch.setattr(deletion, "_delete", delete)
    words = ["--env", "dev", "--folder", str(tmp_path / "state"), "--az", "none"]
    things = ["endpoint:locked", "endpoint:chat", "deployment:chat/blue", "cluster:gpu"]
    assert deletion.run([*words, *things]) == FAILED
    assert tried == [("endpoint", "locked"), ("endpoint", "chat"), ("deployment", "chat/blue"), ("cluster", "gpu")]
    assert capsys.readouterr().err == "error: endpoint locked was not deleted\n"


@pytest.mark.parametrize("target", ["reap", "undeploy-all"])
def test_stopped_it_names_no_environment_that_nobody_named(tmp_path, target, monkeypatch):
    monkeypatch.setenv("AZUREML_CHAIN_CALL", "ENV=dev BACKEND=local")  # as the Makefile has it where ENV is not given
    assert left(target, Rendered("dev"), tmp_path).endswith("; the same command goes on")
