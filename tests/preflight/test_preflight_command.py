"""The command: what it prints, writes and exits with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from scripts import render
from scripts.preflight import __main__ as command
from scripts.preflight import results
from scripts.preflight.finding import FAIL, PASS, SKIPPED, Finding, Result
from scripts.values.read import environments

ROOT = Path(__file__).parents[2]


def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Runs the command."""
    command = [sys.executable, "-m", "scripts.preflight", "--today", "2026-11-23", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **more)


@pytest.mark.parametrize("size", ["Standard_NC6s_v3", "Standard_ND40rs_v2", "Standard_NC24", "Standard_NC24ad_A100_v4"])
def test_the_notebooks_sizes_stop_dev_and_name_the_way_out(size: str) -> None:
    ended = run("--env", "reference", "--offline", "--set", f"compute.size={size}")
    assert ended.returncode == 1
    lines = [line for line in ended.stdout.splitlines() if line.startswith("FAIL")]
    assert any("finetune-size" in line for line in lines)
    flat = " ".join(ended.stdout.split())
    assert "take one of Standard_NC24ads_A100_v4" in flat
    assert "make gpu ENV=reference" in flat


def test_prod_passes_offline() -> None:
    ended = run("--env", "prod", "--offline")
    assert ended.returncode == 0, ended.stdout


def test_offline_imports_no_azure() -> None:
    code = (
        "import sys; from scripts.preflight.__main__ import run; run(['--env', 'prod', '--offline']); "
        "print([name for name in sys.modules if name.partition('.')[0] in ('azure', 'torch', 'pandas', 'requests')])"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip().endswith("[]")


def test_warn_goes_on_and_the_record_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(render, "require_fresh", lambda values: None)
    record = tmp_path / "runs" / "preflight.json"
    words = ["--env", "reference", "--offline", "--set", "compute.size=Standard_NC6s_v3", "--warn"]
    assert command.run([*words, "--record", str(record)]) == 0
    assert "PREFLIGHT=warn" in capsys.readouterr().err
    written = json.loads(record.read_text())
    assert written["overridden"] is True
    assert written["exit_code"] == 1


def test_machines_read_json_and_junit(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "preflight.xml"
    ended = run(
        "--env", "reference", "--offline", "-o", "json", "--junit", str(file), "--set", "compute.size=Standard_NC6s_v3"
    )
    found = json.loads(ended.stdout)
    assert found["exit_code"] == ended.returncode == 1
    by_name = {each["check"]: each for each in found["checks"]}
    assert by_name["finetune-size"]["status"] == "fail"
    assert by_name["gpu-memory"]["details"]
    assert set(by_name["quota-serving"]) == {"check", "group", "status", "sentence", "todo", "details", "unasked"}
    suite = ElementTree.parse(file).getroot()
    assert int(suite.get("failures", "0")) == sum(each["status"] == "fail" for each in found["checks"])
    assert int(suite.get("tests", "0")) == len(found["checks"])
    failure = suite.find("testcase[@name='finetune-size']/failure")
    assert failure is not None
    assert "Standard_NC24ads_A100_v4" in (failure.text or "")


def test_brief_leaves_out_what_is_well_but_memory_and_money() -> None:
    text = run("--env", "prod", "--offline", "--brief").stdout
    shown = [
        line.split()[1] for line in text.splitlines() if line.split() and line.split()[0] in ("pass", "WARN", "FAIL")
    ]
    assert set(shown) == {"gpu-memory", "time-and-cost", "endpoint-cost"}  # and no warning, where nobody could act
    assert not {"cluster-nodes", "finetune-size", "learning-rate", "numbers"} & set(shown)


@pytest.mark.parametrize("environment", environments())
def test_the_shipped_environments_have_no_warning_and_no_line_is_too_long(environment: str) -> None:
    here = {"AZUREML_CHAIN_COSTS": "nothing"} if environment == "demo" else {}  # its backend is localhost
    lines = run("--env", environment, "--offline", env=os.environ | here).stdout.splitlines()
    assert [line for line in lines if line.startswith(("WARN", "FAIL"))] == []
    assert max(map(len, lines)) <= 80


def test_on_localhost_there_is_no_money_in_what_stands_before_a_run() -> None:
    text = run("--env", "demo", "--offline", "--brief", env=os.environ | {"AZUREML_CHAIN_COSTS": "nothing"}).stdout
    assert "training fits" in text and "USD" not in text and "endpoint" not in text


def test_the_last_line_is_why_it_stops() -> None:
    ended = run("--env", "reference", "--offline", "--set", "compute.size=Standard_NC6s_v3")
    assert ended.stdout.startswith("FAIL")
    assert ended.stderr.startswith("error: finetune-size") and " more above)" in ended.stderr


def test_what_stands_before_a_run_refuses_yaml_that_is_older_than_the_values(tmp_path: Path) -> None:
    record = tmp_path / "preflight.json"
    ended = run("--env", "dev", "--offline", "--set", "finetune.learning_rate=0.5", "--record", str(record))
    assert ended.returncode == 4 and ended.stdout == "" and not record.exists()
    assert ended.stderr == (
        "error: pipelines/dev/finetune.yml: is not what SET=finetune.learning_rate=0.5 gives; make render ENV=dev with "
        "the same SET writes it, or leave SET out; nothing was run\n"
    )


def test_exit_codes() -> None:
    ok, bad = Finding(PASS, "", ""), Finding(FAIL, "", "")
    asked = Result("a", "g", ok)
    unasked = Result("b", "g", Finding(SKIPPED, "could not ask", ""), unasked=True)
    assert results.exit_code([asked]) == 0
    assert results.exit_code([asked, unasked]) == 5
    assert results.exit_code([asked, unasked, Result("c", "g", bad)]) == 1
