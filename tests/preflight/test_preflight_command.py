"""The command: what it prints, writes and exits with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from scripts.preflight import results
from scripts.preflight.finding import FAIL, PASS, SKIPPED, Finding, Result

ROOT = Path(__file__).parents[2]


def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Runs the command."""
    command = [sys.executable, "-m", "scripts.preflight", "--today", "2026-11-23", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **more)


@pytest.mark.parametrize("size", ["Standard_NC6s_v3", "Standard_ND40rs_v2", "Standard_NC24", "Standard_NC24ad_A100_v4"])
def test_the_notebooks_sizes_stop_dev_and_name_the_way_out(size: str) -> None:
    ended = run("--env", "dev", "--offline", "--set", f"compute.size={size}")
    assert ended.returncode == 1
    lines = [line for line in ended.stdout.splitlines() if line.startswith("FAIL")]
    assert any("finetune-size" in line for line in lines)
    flat = " ".join(ended.stdout.split())
    assert "take one of Standard_NC24ads_A100_v4" in flat
    assert "make gpu ENV=dev" in flat


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


def test_warn_goes_on_and_the_record_says_so(tmp_path: Path) -> None:
    record = tmp_path / "runs" / "preflight.json"
    ended = run(
        "--env", "dev", "--offline", "--set", "compute.size=Standard_NC6s_v3", "--warn", "--record", str(record)
    )
    assert ended.returncode == 0
    assert "PREFLIGHT=warn" in ended.stderr
    written = json.loads(record.read_text())
    assert written["overridden"] is True
    assert written["exit_code"] == 1


def test_machines_read_json_and_junit(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "preflight.xml"
    ended = run(
        "--env", "dev", "--offline", "-o", "json", "--junit", str(file), "--set", "compute.size=Standard_NC6s_v3"
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
    assert {"lock", "checkpointing", "deepspeed-stage", "gpu-memory", "endpoint-cost"} <= set(shown)
    assert not {"cluster-nodes", "finetune-size", "learning-rate", "numbers"} & set(shown)


def test_exit_codes() -> None:
    ok, bad = Finding(PASS, "", ""), Finding(FAIL, "", "")
    asked = Result("a", "g", ok)
    unasked = Result("b", "g", Finding(SKIPPED, "could not ask", ""), unasked=True)
    assert results.exit_code([asked]) == 0
    assert results.exit_code([asked, unasked]) == 5
    assert results.exit_code([asked, unasked, Result("c", "g", bad)]) == 1
