"""What holds for every step: an answer that nobody can give, Ctrl-C, no program."""

import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from scripts import state
from scripts.chain import cluster, endpoint, job, model
from scripts.errors import MISSING, UNREACHABLE
from scripts.files import ROOT
from tests.chain.world import NOT_KNOWN, refused


@pytest.mark.parametrize(
    ("command", "step"),
    [
        ("compute show", lambda run: cluster.ensure(run, "finetune")),
        ("online-endpoint show", endpoint.ensure),
        ("online-endpoint show", endpoint.undeploy),
        ("job show", job.submit),
        ("model list", model.register),
    ],
)
def test_what_nobody_can_say_is_not_taken_for_missing(world, command, step):
    state.write(world.folder, "data-version", "1")
    state.write(world.folder, "job", "demo-1")
    state.write(world.folder, "status", "Completed")
    world.say(command, NOT_KNOWN)
    code, said = refused(step, world.run)
    assert code == UNREACHABLE and "could not ask for" in said and "(AuthorizationFailed)" in said
    assert world.calls() == []


@pytest.mark.parametrize(
    ("command", "step", "left"),
    [
        ("job stream", "await", "job demo-1 goes on, and its machine is billed; make await ENV=demo goes on waiting"),
        ("online-deployment create", "deployment", "may be there and billed; make deploy ENV=demo goes on with it"),
        ("online-endpoint delete", "undeploy", "may still be there and billed; make undeploy ENV=demo goes on"),
    ],
)
def test_ctrl_c_says_what_is_left(registered, command, step, left):
    if step == "deployment":
        registered.thing(registered.on, "Succeeded")
    registered.has(**{"job__demo-1": {"status": "Running"}})
    registered.say(command, {"seconds": 60})
    words = [sys.executable, "-m", "scripts.chain", step, "--env", "demo", "--folder", str(registered.folder)]
    program = subprocess.Popen(
        [*words, "--az", shlex.join(registered.program)], cwd=ROOT, env=os.environ, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not registered.words(command) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    os.killpg(program.pid, signal.SIGINT)
    _, err = program.communicate(timeout=30)
    assert program.returncode == 130
    assert "error: interrupted; " in err and left in err
    assert err.count("Traceback") <= 1  # of the fake, which knows no Ctrl-C


def test_a_program_that_is_not_there_is_named(world):
    world.run.az._program[:] = ["no-such-az"]
    code, said = refused(cluster.ensure, world.run, "finetune")
    assert code == MISSING and said.startswith("no-such-az: no such program")
