"""The last line of a target that ended well, where something bills on: what, how much an hour, what ends it."""

import os
import subprocess
import sys

import pytest

from scripts import state
from scripts.chain.rendered import Rendered
from scripts.chain.standing import standing
from scripts.files import ROOT
from scripts.targets import COSTS, command_on

ENDPOINT = "bills 6.98 USD an hour (1 x Standard_NC40ads_H100_v5) until make undeploy ENV=dev"
JOB = "job dev-1 bills 6.98 USD an hour (1 x Standard_NC40ads_H100_v5) while it is at work; make cancel ENV=dev ends it"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv(COSTS, raising=False)
    state.write(tmp_path, "job", "dev-1")
    return tmp_path


def told(target, folder):
    return standing(target, Rendered("dev"), folder)


@pytest.mark.parametrize("target", "all answers apply chat chat-web deploy invoke loadtest rollback traffic".split())
def test_what_was_used_is_there(folder, target):
    assert ENDPOINT in told(target, folder)


@pytest.mark.parametrize("target", "preflight plan data register undeploy reap lock metrics compute cancel".split())
def test_what_leaves_nothing_says_nothing(folder, target):
    assert told(target, folder) == ""


@pytest.mark.parametrize("target", ["finetune", "await"])
def test_a_job_that_goes_on_is_named_until_it_has_ended(folder, target):
    assert told(target, folder) == JOB
    state.write(folder, "status", "Running")
    assert told(target, folder) == JOB
    state.write(folder, "status", "Completed")
    assert told(target, folder) == ""


def test_a_cluster_that_keeps_nodes_is_named(folder, tmp_path):
    name = Rendered("dev").file("pipelines", "compute.yml").relative_to(ROOT)
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text((ROOT / name).read_text().replace("min_instances: 0", "min_instances: 2"))
    said = standing("compute", Rendered("dev", tmp_path), folder)
    assert said == (
        "cluster gpu-cluster always keeps 2 nodes, which bills 13.96 USD an hour (2 x Standard_NC40ads_H100_v5) until "
        "make reap ENV=dev NAME=gpu-cluster"
    )


def test_what_nobody_can_say_may_bill(folder, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert f" may {ENDPOINT.replace('bills', 'bill')}" in told("promote", folder)


def test_on_localhost_it_says_nothing(folder, monkeypatch):
    monkeypatch.setenv(COSTS, "nothing")
    assert not any(told(target, folder) for target in ("deploy", "finetune", "promote"))


@pytest.mark.parametrize(("inner", "code", "lines"), [("true", 0, 1), ("false", 1, 0)])
def test_of_several_the_last_one_says_it_and_one_that_failed_does_not(folder, inner, code, lines):
    watch = [sys.executable, "-m", "scripts.chain.watch", "--env", "dev", "--folder", str(folder)]
    done = subprocess.run([*watch, "apply", "--", *watch, "deploy", "--", inner], cwd=ROOT, env=os.environ, text=True,
                          capture_output=True, timeout=60)  # fmt: skip
    assert done.returncode == code and done.stdout.count("still billed: ") == lines


@pytest.mark.parametrize("environment", ["demo", "dev"])
@pytest.mark.parametrize("backend", ["azure", "local"])
def test_the_command_for_a_backend_is_the_one_that_the_makefile_takes_for_it(environment, backend):
    words = command_on(backend, "status", environment).split()
    make = [words[0], "-n", "undeploy", *words[2:]]
    shown = subprocess.run(make, cwd=ROOT, text=True, capture_output=True, timeout=60)
    assert f".runs/{environment}/{backend}" in shown.stdout
    assert len(words) == 3 + ((environment == "demo") != (backend == "local"))
