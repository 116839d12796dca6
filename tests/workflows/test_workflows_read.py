"""The workflows as they are written: least privilege, pinned, and every target and switch that they call is there."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
import yaml

from scripts.azure import az_extension
from scripts.files import ROOT
from tests.workflows.steps import OLD, VENV, jobs, runs, workflows

MAY_WRITE = {"review.yml comment": {"pull-requests": "write"}}
LOG_IN, SET_UP = "$/.github/actions/log-in", "$/.github/actions/set-up"
ONLY_LOOK = {"plan", "drift", "lock-check", "await"}
CALLS = [
    (name, step["run"]) for name, job in jobs().items() for step in runs(job) if re.search(r"\bmake \w", step["run"])
]


def targets(script: str) -> set[str]:
    """Returns the targets that a script calls."""
    found = set()
    for call in re.findall(r"\bmake ([^|>;&\n]*)", script):
        found |= {word for word in call.split() if re.fullmatch(r"[a-z-]+", word)}
    return found


def uses(job: dict[str, Any]) -> set[str]:
    return {step["uses"] for step in job.get("steps", ()) if "uses" in step}


@pytest.mark.parametrize("file", workflows())
def test_a_workflow_may_read_and_no_more_unless_a_job_needs_it(file: str) -> None:
    found = workflows()[file]
    assert found["permissions"] == {"contents": "read"}
    triggers = found[True]  # YAML's `on`
    names = {triggers} if isinstance(triggers, str) else set(triggers)
    assert names <= {"pull_request", "push", "schedule", "workflow_dispatch", "workflow_call"}
    text = (ROOT / ".github/workflows" / file).read_text(encoding="utf-8")
    assert "secrets." not in text  # a federated login needs none


@pytest.mark.parametrize("name", jobs())
def test_a_job_has_the_rights_of_its_work(name: str) -> None:
    job = jobs()[name]
    logs_in = LOG_IN in uses(job) or "apply-environment.yml" in job.get("uses", "")
    allowed = {"contents": "read", "id-token": "write"} if logs_in else MAY_WRITE.get(name)
    assert job.get("permissions") == allowed
    assert "timeout-minutes" in job or "uses" in job
    if "pull-requests" in (allowed or {}):  # what may write runs nothing of the branch
        assert not any("checkout" in each or each == SET_UP for each in uses(job))
        assert not any(targets(step["run"]) for step in runs(job))


@pytest.mark.parametrize("name", [name for name, job in jobs().items() if LOG_IN in uses(job)])
def test_who_only_looks_logs_in_as_one_who_may_only_look(name: str) -> None:
    job = jobs()[name]
    called = set().union(*(targets(step["run"]) for step in runs(job)))
    looks = str(job["environment"]).endswith("}}-read")
    assert called and looks == (called <= ONLY_LOOK), called
    (login,) = [step for step in job["steps"] if step.get("uses") == LOG_IN]
    assert login["with"] == {
        key: f"${{{{ vars.AZURE_{key.upper().replace('-', '_')} }}}}"
        for key in ("client-id", "tenant-id", "subscription-id")
    }


@pytest.mark.parametrize(("name", "script"), CALLS, ids=[f"{name} {script[:30]}" for name, script in CALLS])
def test_every_target_and_switch_is_there(name: str, script: str) -> None:
    for call in re.findall(r"\bmake ([^|>;&\n]*)", script):
        filled = re.sub(r'"?\$(ENVIRONMENT|BASE)"?', lambda found: "dev" if found[1] == "ENVIRONMENT" else "main", call)
        words = [word.strip('"') for word in filled.split()]
        shown = subprocess.run(
            ["make", "-n", "--no-print-directory", f"VENV={VENV}", *OLD.split(), *words],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert shown.returncode == 0, f"{name}: {call}: {shown.stderr}"


def test_a_script_takes_no_expression_into_its_text() -> None:
    """What GitHub fills in comes by a variable: in a script it would be run."""
    for path in (ROOT / ".github").rglob("*.yml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        steps = [step for job in content.get("jobs", {}).values() for step in job.get("steps", ())]
        steps += content.get("runs", {}).get("steps", ())
        assert [step["run"] for step in steps if "${{" in step.get("run", "")] == [], path


def test_the_login_asks_for_every_scope_and_adds_the_extension_that_was_tried() -> None:
    (step,) = runs(yaml.safe_load((ROOT / ".github/actions/log-in/action.yml").read_text(encoding="utf-8"))["runs"])
    for host in ("management.azure.com", "ml.azure.com", "storage.azure.com"):
        assert host in step["run"]
    assert f"--name ml --version {az_extension.TRIED} " in step["run"]


def test_another_label_or_environment_ends_no_rehearsal_that_runs() -> None:
    concurrency = workflows()["rehearse.yml"]["concurrency"]
    assert concurrency["cancel-in-progress"] and "github.event.label.name" in concurrency["group"]
    assert "inputs.environment" in concurrency["group"]
