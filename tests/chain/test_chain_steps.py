"""The steps as the Makefile calls them: what they ask for and order, what they keep, and what a refusal means."""

import os
import signal
import subprocess
import sys

import pytest

from scripts import state
from scripts.chain import data, job
from scripts.chain.alone import alone, held
from scripts.chain.rendered import Rendered
from scripts.chain.whole import switches
from scripts.errors import FAILED, UNREACHABLE, UserError
from scripts.files import ROOT
from scripts.rollout import rolling
from tests.chain.world import Answers, refused

HOLDS = """
import pathlib, sys, time
from scripts.chain.alone import alone, held
with alone(pathlib.Path(sys.argv[1]), "make all ENV=demo"):
    print("mine", flush=True)
    time.sleep(float(sys.argv[2]))
"""
EXPIRED = {"code": 1, "err": "ERROR: (ExpiredAuthenticationToken) The access token expiry UTC time is earlier.\n"}


@pytest.fixture
def with_data(world):
    """A project with prepared data, as the version file says."""
    world.prepared("abc")
    return world


def test_the_splits_are_registered_once(with_data):
    for _ in range(2):
        data.register(with_data.run)
    assert with_data.calls() == ["data create"] * 3
    (first, *_) = with_data.words("data create")
    assert first[first.index("--set") + 1 :][:2] == ["name=azureml-chat-train", "version=abc"]
    assert state.kept(with_data.folder, "data-version") == "abc"


def test_a_login_that_ended_is_no_missing_asset_and_names_the_way_out(with_data):
    with_data.say("data show", EXPIRED)
    code, said = refused(data.register, with_data.run)
    assert code == UNREACHABLE and said.endswith("; az login signs in anew") and with_data.calls() == []


@pytest.mark.parametrize("came", [True, False])
def test_a_request_that_a_killed_run_had_sent_is_found(with_data, prepared, came):
    """Its answer got lost, and the second one is refused: what is asked for is there all the same."""
    name = state.job_name(prepared.folder, "demo", root=prepared.run.root)
    there = {f"job/{name}": {"status": "Running"}} if came else {}
    prepared.say("job create", {"code": 1, "err": "ERROR: (Conflict) there already\n", "set": there})
    if came:
        job.submit(prepared.run)
    else:
        code, sentence = refused(job.submit, prepared.run)
        assert code == FAILED and f"job {name} was not submitted; make finetune ENV=demo" in sentence


def test_a_deployment_gets_all_traffic_and_says_what_it_costs(registered, capfd):
    rolling.deploy(registered.run, Answers())
    assert registered.calls() == ["online-deployment create", "online-endpoint update"]
    assert capfd.readouterr().out.endswith(": all traffic to demo\n")


def test_a_model_that_is_not_registered_leaves_no_endpoint(world):
    assert "make register" in refused(rolling.deploy, world.run, Answers())[1] and world.calls() == []


def test_a_second_run_waits_for_the_first_and_a_killed_ones_lock_is_no_obstacle(tmp_path):
    command = [sys.executable, "-c", HOLDS, str(tmp_path / "demo" / "local")]
    options = {"cwd": ROOT, "stdout": subprocess.PIPE, "text": True}
    first = subprocess.Popen([*command, "60"], **options)
    assert first.stdout.readline() == "mine\n"
    second = subprocess.Popen([*command, "0"], **options)
    waits = f"make all ENV=demo (process {first.pid}) is at work in this environment; waiting until it ends\n"
    assert second.stdout.readline().endswith(waits)
    first.send_signal(signal.SIGKILL)
    assert second.communicate(timeout=20)[0] == "mine\n" and second.returncode == 0
    first.communicate()


def test_the_data_of_a_run_is_not_replaced_under_it(tmp_path):
    folder = tmp_path / "demo" / "local"
    command = [
        sys.executable,
        "-m",
        "scripts.chain.watch",
        "--env",
        "demo",
        "--folder",
        str(folder),
    ]
    options = {"cwd": ROOT, "stdout": subprocess.PIPE, "text": True}
    with alone(folder, "make all ENV=demo"):
        second = subprocess.Popen([*command, "prepare", "--", "echo", "prepared"], **options)
        assert "make all ENV=demo" in second.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(0.5)
        own = subprocess.run([*command, "prepare", "--", "echo", "mine"], pass_fds=held(), timeout=30, **options)
        assert own.stdout == "mine\n"  # a step of the run itself
    assert second.communicate(timeout=30)[0] == "prepared\n"


def test_what_lies_in_the_place_of_a_lock_is_named(tmp_path):
    os.mkfifo(tmp_path / "running")
    with pytest.raises(UserError, match="running: is no file; delete it"), alone(tmp_path / "local", "make data"):
        pass


@pytest.mark.parametrize("left", ["", "name:\n", "name: [a]\n"])
def test_rendered_yaml_without_a_name_is_named(tmp_path, left):
    path = tmp_path / "endpoints" / "demo" / "endpoint.yml"
    path.parent.mkdir(parents=True)
    path.write_text(left)
    with pytest.raises(UserError, match=r"endpoints/demo/endpoint\.yml: gives no name; make render ENV=demo"):
        Rendered("demo", tmp_path).name("endpoints", "endpoint.yml")


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        (" -- SET=a\\ --\\ b ENV=prod", "-- SET=a\\ --\\ b ENV=prod"),
        ("k --no-print-directory -- ENV=prod", "-- ENV=prod"),
        ("SET=a=b ENV=prod", "-- SET=a=b ENV=prod"),  # GNU make 3.81
        *(
            (own, "")
            for own in ("", "k", "kw", " --no-print-directory", " -j2 --jobserver-auth=3,4", "w --jobserver-fds=3,4 -j")
        ),
    ],
)
def test_what_was_set_on_the_command_line_reaches_every_step_of_the_chain(flags, kept):
    assert switches(flags) == kept
