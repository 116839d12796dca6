"""Clusters, workspaces and the login through `az`: printed shapes, exit codes, texts."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.az_ml.__main__ import run
from scripts.files import ROOT


def test_compute(az, given):
    size = az.size()
    Path("compute.yml").write_text(given.compute.format(size=size))
    assert az("compute", "create", "-f", "compute.yml", "--no-wait", "--set", "name=other") == ""
    given.shape(az("compute", "create", "-f", "compute.yml"), "compute", size=size)
    given.shape(az("compute", "show", "-n", "gpu-cluster"), "compute", size=size)
    # flags win over --set, which wins over the file; "0" counts as given; a second create is an update
    more = ["--min-instances", "0", "--set", "min_instances=1", "max_instances=3"]
    found = az.json("compute", "create", "-f", "compute.yml", *more)
    assert (found["min_instances"], found["max_instances"]) == (0, 3)
    found = az.json("compute", "update", "-n", "gpu-cluster", "--set", "max_instances=2", "--max-instances", "1")
    assert found["max_instances"] == 1
    az("compute", "update", "-n", "gpu-cluster", "--set", "max_nodes=1", code=1)
    assert az.err.startswith("ERROR: --set max_nodes: unknown key (did you mean '"), az.err
    assert "gpu-cluster" in az("compute", "list", "--query", "[].name", "-o", "tsv").split()
    assert az("compute", "list", "-o", "table").split()[:2] == ["Enable_node_public_ip", "Idle_time_before_scale_down"]
    sizes = az.json("compute", "list-sizes", "--query", f"[?name=='{size}'].{{Name:name, Gpus:gpus}}")
    assert sizes == [{"Gpus": sizes[0]["Gpus"], "Name": size}]
    usage = az.json("compute", "list-usage")[0]
    columns = {"aml_workspace_location", "current_value", "id", "limit", "name", "type", "unit"}
    assert usage.keys() - {"resourceGroup"} == columns and usage["name"].keys() == {"localized_value", "value"}
    whole = az.json("compute", "list-sizes", "--query", f"[?name=='{size}'] | [0]")
    columns = {"low_priority_capable", "max_resource_volume_mb", "memory_gb", "os_vhd_size_mb", "premium_io", "v_cp_us"}
    assert whole.keys() == columns | {"family", "gpus", "name", "supported_compute_types"}
    assert whole["v_cp_us"] > 0 and "'AmlCompute'" in whole["supported_compute_types"]
    az("compute", "show", "-n", "nosuch", code=3)
    assert re.match(r"ERROR: \((Resource)?NotFound\) .*\nCode: \w+\nMessage: ", az.err), az.err
    az("compute", "create", "-f", "compute.yml", "--size", "Standard_NoSuch", "-n", "wrong", code=1)
    az("compute", "delete", "-n", "other", code=1)
    assert "Unable to prompt for confirmation as no tty available. Use --yes." in az.err
    assert az("compute", "delete", "-n", "other", "--yes") == "" and az.err == ""


def test_the_workspace_and_the_login(az, monkeypatch):
    name = az.where[-1]
    found = json.loads(az.anywhere("workspace", "show", "-n", name, *az.where[:4]))
    assert found["name"] == name and found["resourceGroup"] == az.where[3]
    az.anywhere("workspace", "show", "-n", "nosuch", *az.where[:4], code=3)
    for where in (az.where[:2], az.where[:4]):
        assert name in json.loads(az.anywhere("workspace", "list", *where, "--query", "[].name"))
    monkeypatch.setenv("AZURE_DEFAULTS_GROUP", az.where[3])
    monkeypatch.setenv("AZURE_DEFAULTS_WORKSPACE", name)
    az.anywhere("job", "list", "-r", "1", *az.where[:2])
    az.capsys.readouterr()
    assert run(["account", "show", *az.where[:2], "--query", "id", "-o", "tsv"]) == 0
    assert az.capsys.readouterr().out == f"{az.where[1]}\n"
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    az("job", "list", code=1)
    assert az.err.splitlines()[-1].startswith("ERROR: Azure refused the service principal")


@pytest.mark.slow
def test_no_proxy_is_a_sentence(az, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    az("job", "list", code=1)
    assert "cannot be reached through the proxy http://127.0.0.1:1" in az.err


def test_as_a_process(az, emulator):
    line = [sys.executable, "-m", "scripts.az_ml", "ml", "compute", "list", *az.where, "-o", "json"]
    done = subprocess.run(line, cwd=ROOT, env=emulator.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and isinstance(json.loads(done.stdout), list)
