"""Every internal name of MLflow that is used, in the pinned version: what fails here names what went away."""

from __future__ import annotations

import re

import pytest

from scripts import mlflow_private
from scripts.errors import UserError
from scripts.files import ROOT
from scripts.private_names import look_up


@pytest.mark.parametrize("path", [*mlflow_private.PATHS.values(), *mlflow_private.STORES])
def test_is_there(path: str) -> None:
    look_up(mlflow_private.PACKAGE, path)


def test_the_variable_is_the_one_that_the_server_reads() -> None:
    name = look_up(mlflow_private.PACKAGE, "mlflow.server.constants:ARTIFACT_ROOT_ENV_VAR")
    assert name == mlflow_private.ARTIFACT_ROOT_VARIABLE


def test_a_name_is_looked_up_when_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.mlflow_private import RestStore

    assert RestStore.__module__ == "mlflow.store.tracking.rest_store"
    monkeypatch.setitem(mlflow_private.PATHS, "RestStore", "mlflow.store.tracking.rest_store:Gone")
    with pytest.raises(UserError, match=r"^mlflow-skinny [0-9.]+ has no mlflow\.store\.tracking\.rest_store:Gone "):
        mlflow_private.RestStore  # noqa: B018
    with pytest.raises(AttributeError):
        mlflow_private.never_listed  # noqa: B018


def test_they_are_used_nowhere_else() -> None:
    pattern = re.compile(r"\bmlflow\.(store|server|utils)\b")
    users = [path for path in (ROOT / "scripts").rglob("*.py") if pattern.search(path.read_text())]
    assert [path.name for path in users] == ["mlflow_private.py"]
