"""What this machine and login lack: every check that refuses something, and one that lets it through beside it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from scripts.azure import permissions
from scripts.azure.subscription import Subscription
from scripts.doctor import __main__ as doctor
from scripts.doctor import account, machine
from scripts.errors import CouldNotAskError
from scripts.files import ROOT
from scripts.preflight.finding import FAIL, PASS, SKIPPED, WARN
from tests.azure import fake_arm
from tests.preflight.conftest import made
from tests.preflight.live_answers import Answers, asked, has

GROUP, NAME = "g", "w"
NAMED = [f"azure.subscription_id={fake_arm.SUBSCRIPTION}", f"azure.resource_group={GROUP}", f"azure.workspace={NAME}"]
PERMISSIONS = (
    f"{fake_arm.ROOT}/resourceGroups/{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/{NAME}"
    "/providers/Microsoft.Authorization/permissions"
)
ML = "Microsoft.MachineLearningServices/workspaces"
SCIENTIST = {  # the built-in role's own words
    "actions": [f"{ML}/*/read", f"{ML}/*/action", f"{ML}/*/delete", f"{ML}/*/write"],
    "notActions": [f"{ML}/delete", f"{ML}/write", f"{ML}/computes/*/write", f"{ML}/computes/*/delete"],
}
AZ = """#!/bin/sh
case "$1" in
  version) echo '{{"azure-cli": "{cli}", "extensions": {{"ml": "{ml}"}}}}';;
  account) {account};;
esac
"""


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts an Azure CLI into the PATH that says what it is told to."""

    def put(cli: str = "2.91.0", ml: str = "2.41.1", account: str = "exit 1") -> str:
        program = tmp_path / "az"
        program.write_text(AZ.format(cli=cli, ml=ml, account=account))
        program.chmod(0o700)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return "az"

    return put


@pytest.mark.parametrize(
    ("program", "found", "status", "words"),
    [
        ("Python", "3.10.9", FAIL, "older than 3.11"),
        ("Python", "3.13.7", PASS, "Python 3.13.7"),
        ("Python", "3.14.0", PASS, "tried: 3.11.7, 3.12.1, 3.13.0"),
        ("GNU make", "3.80", FAIL, "xcode-select"),
        ("GNU make", "3.81", PASS, "tried: 4.3"),
        ("azure-cli", "2.60.0", FAIL, "az upgrade"),
    ],
)
def test_versions(program: str, found: str, status: str, words: str) -> None:
    has(machine.judged(program, found), status, words)


def test_the_programs_of_this_machine() -> None:
    for check in (machine.python, machine.make, machine.git, machine.torch):
        assert check(made("demo")).status == PASS


def test_a_program_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    has(machine.git(made("demo")), FAIL, "there is no git", "install git")
    (tmp_path / "make").write_text("#!/bin/sh\necho bmake\n")
    (tmp_path / "make").chmod(0o700)
    has(machine.make(made("demo")), WARN, "is no GNU make")


@pytest.mark.parametrize(("free", "status"), [(0.5e9, FAIL), (2e9, PASS)])
def test_disk(monkeypatch: pytest.MonkeyPatch, free: float, status: str) -> None:
    usage = namedtuple("usage", "total used free")(1e12, 1e12 - free, free)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage)
    has(machine.disk(made("demo")), status, "GB free")


def test_the_local_azure_ml_is_asked_and_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZUREML_LOCAL_HOME", str(tmp_path))
    has(machine.local(made("demo")), PASS, "does not run")
    assert not (tmp_path / "emulator.json").exists()


def test_a_running_local_azure_ml_is_seen(emulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZUREML_LOCAL_HOME", str(emulator.home))
    found = machine.local(made("demo"))  # other tests may have left endpoints in it
    has(found, PASS, f"process {emulator.record['pid']}, ")
    assert re.search(r", \d+ endpoints?\b", found.sentence)


@pytest.mark.parametrize(
    ("there", "check", "status", "words"),
    [
        ({}, "cli", PASS, "extension ml 2.41.1"),
        ({"cli": "2.50.0"}, "cli", FAIL, "az upgrade"),
        ({"ml": ""}, "cli", FAIL, "az extension add"),
        ({"ml": "2.38.0"}, "cli", WARN, "az ml model create"),
        ({"account": """echo '{"user": {"name": "me@x"}}'"""}, "cli_login", PASS, "me@x"),
        ({"account": "echo 'Please run az login' >&2; exit 1"}, "cli_login", FAIL, "az login"),
    ],
    ids=str,
)
def test_the_azure_cli(az: Any, there: dict[str, str], check: str, status: str, words: str) -> None:
    has(getattr(account, check)(made("dev", az=az(**there))), status, words)


def test_no_azure_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    has(account.cli(made("dev", az="az")), FAIL, "there is no az", "AZ='.venv/bin/python -m scripts.az_ml'")
    has(account.cli(made("dev", az="python -m scripts.az_ml")), SKIPPED, "answers to az")


def test_the_placeholders() -> None:
    has(account.workspace_named(made("dev")), FAIL, "environments/dev.yaml:5: azure.subscription_id", "write your")
    has(account.workspace_named(made("dev", *NAMED)), PASS, "workspace w in g")


@pytest.mark.parametrize(
    ("permission", "status", "words"),
    [
        ([{"actions": ["*"]}], PASS, "all that the chain does"),
        ([SCIENTIST, {"actions": [f"{ML}/computes/write"]}], PASS, "all"),
        ([SCIENTIST], WARN, "Compute Operator"),
        ([{"actions": ["*/read"]}], FAIL, "lacks 8 of 9"),
        ([], FAIL, "lacks 9 of 9"),
    ],
    ids=str,
)
def test_permissions(permission: list[dict[str, Any]], status: str, words: str) -> None:
    found = account.may(asked("dev", *NAMED, arm={PERMISSIONS: (200, {"value": permission})}))
    has(found, status, words)
    assert "unverified" in found.details[-1]


def test_an_action_that_one_role_takes_away_and_another_gives_is_there() -> None:
    roles = [{"actions": ["*"], "notActions": ["A/b/Write"]}, {"actions": ["a/B/*"]}]
    assert permissions.grants(roles, "A/b/write") and not permissions.grants(roles[:1], "A/b/write")


@pytest.mark.parametrize(
    ("ahead", "status", "words"),
    [
        (0, PASS, " s "),
        (-300, WARN, "ahead of Azure's"),
        (3600, FAIL, "behind Azure's"),
        (-3600, FAIL, "set the clock"),
    ],
)
def test_the_clock(ahead: float, status: str, words: str) -> None:
    arm, table = fake_arm.arm(fake_arm.all_is_well())
    table.ahead = ahead
    context = asked("dev", *NAMED)
    live = type("Live", (), {"subscription": Subscription(fake_arm.SUBSCRIPTION, arm)})()
    context.live = live
    has(account.clock(context), status, words)


def test_the_workspace_and_the_registry() -> None:
    has(account.workspace(asked("dev", *NAMED)), PASS, "workspace w answers; it is in eastus")
    has(account.workspace(asked("dev", *NAMED, region="westeurope")), FAIL, "set azure.region: westeurope")
    has(account.registry(asked("dev", *NAMED)), PASS, "registry azureml can be read")
    has(account.registry(asked("dev", *NAMED, newest=None)), FAIL, "shows no component")


class Nobody(Answers):
    """A machine without a login."""

    @property
    def subscription(self) -> Any:
        raise CouldNotAskError("not logged in to Azure: log in with `az login`", "the login's token")


def examined(live: Any, *sets: str) -> dict[str, str]:
    found = doctor.examine(made("dev", *sets, az="python"), live)
    return {result.check: result.finding.status for result in found}


def test_what_could_not_be_answered_is_not_asked() -> None:
    live = {check.name for check in doctor.LIVE}
    offline, unnamed = examined(None), examined(Answers)
    assert {name for name, status in offline.items() if status == SKIPPED} >= live | {"az", "values", "login"}
    assert unnamed["values"] == FAIL and unnamed["login"] == unnamed["workspace"] == SKIPPED
    logged_out = examined(Nobody, *NAMED)
    assert logged_out["login"] == FAIL and {logged_out[name] for name in live} == {SKIPPED}
    assert (
        FAIL
        not in examined(lambda: Answers(arm={PERMISSIONS: (200, {"value": [{"actions": ["*"]}]})}), *NAMED).values()
    )


def test_the_command_offline_as_json(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.doctor", "--env", "demo", "--offline", "-o", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    assert (done.returncode, said["exit_code"], said["environment"]) == (0, 0, "demo"), done.stderr
    assert {"check", "group", "status", "sentence", "todo", "details", "unasked"} == set(said["checks"][0])
    assert [each["check"] for each in said["checks"]][:3] == ["python", "make", "git"]
