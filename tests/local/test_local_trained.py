"""What `make register` looks at first, fetched by the SDK from a job's output on Azure ML on localhost."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scripts import trained
from scripts.errors import UserError


def test_only_small_files_of_a_jobs_output_are_fetched(local: Any, tmp_path: Path) -> None:
    job = local.submit()
    assert local.ended(job) == "Completed"
    trained.fetch(local.ml, job, "trained_model", tmp_path / "looked")
    assert [path.name for path in (tmp_path / "looked").rglob("*")] == ["MLmodel"]  # not model/weights.json
    (warning,) = trained.look(tmp_path / "looked")
    assert warning.startswith("conda.yaml: not there")


def test_a_job_without_such_an_output_is_named(local: Any, tmp_path: Path) -> None:
    job = local.submit({"seed": 2})
    assert local.ended(job) == "Failed"
    with pytest.raises(UserError, match=rf"output trained_model of job {job}: no files"):
        trained.fetch(local.ml, job, "trained_model", tmp_path)


def test_storage_that_cannot_be_read_is_no_reason_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine outside a private network registers a model that it cannot see; the service can."""
    from azure.core.exceptions import HttpResponseError

    from scripts.azure import client, sdk_private
    from scripts.values.read import load

    def forbidden(*_: Any) -> None:
        raise HttpResponseError("This request is not authorized to perform this operation.")

    jobs = SimpleNamespace(get=lambda _: SimpleNamespace(type="pipeline"))
    monkeypatch.setattr(client, "connect", lambda _: SimpleNamespace(jobs=jobs))
    monkeypatch.setattr(sdk_private, "output_files", forbidden)
    (tmp_path / "job").write_text("demo-1\n")
    (tmp_path / "status").write_text("Completed\n")
    assert trained.check(load("demo"), tmp_path) == 0
    assert "output trained_model of job demo-1" in capsys.readouterr().err
