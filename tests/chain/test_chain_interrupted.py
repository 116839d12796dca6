"""What holds for every step: an answer that nobody can give, Ctrl-C, no program."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time

import psutil
import pytest

from scripts import state
from scripts.chain import cluster, endpoint, job, model, watch
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


def children(pid):
    return psutil.Process(pid).children(recursive=True)


# Who is stopped: everybody, as a terminal's Ctrl-C does; the watching program alone; its child alone; or az.
STOPS = {
    "Ctrl-C": lambda program: os.killpg(program.pid, signal.SIGINT),
    "Ctrl-\\": lambda program: os.killpg(program.pid, signal.SIGQUIT),
    "SIGTERM to the first": lambda program: program.terminate(),
    "SIGHUP to the first": lambda program: program.send_signal(signal.SIGHUP),
    "SIGINT to the first": lambda program: program.send_signal(signal.SIGINT),
    "SIGINT to the step": lambda program: children(program.pid)[0].send_signal(signal.SIGINT),
    "SIGKILL of the step": lambda program: children(program.pid)[0].kill(),
}
PROGRAMS = {"deploy": "scripts.rollout", "traffic": "scripts.rollout"}
AT = [
    ("job stream", "await", "job demo-1 may be at work, and its machine billed; make finetune ENV=demo goes on"),
    ("online-deployment create", "deploy", "may be there and billed; make deploy ENV=demo goes on with it"),
    ("online-endpoint update", "traffic", "make traffic ENV=demo shows what endpoint azureml-chat-6aa76914 has"),
    ("online-endpoint delete", "undeploy", "may still be there and billed; make undeploy ENV=demo goes on"),
    (
        "compute create",
        "compute",
        "cluster gpu-cluster may be there (an idle one costs nothing); make compute",
    ),
]


@pytest.mark.parametrize(
    ("command", "step", "left", "how"),
    [(*AT[0], "Ctrl-C"), *((*each, "SIGINT to the step") for each in AT[2:]), *((*AT[1], how) for how in STOPS)],
)
def test_whoever_is_stopped_the_last_line_says_what_is_left(registered, command, step, left, how):
    if step in ("deploy", "traffic"):
        registered.thing(registered.on, "Succeeded")
        registered.thing("deployment/other", "Succeeded")
    registered.has(**{"job__demo-1": {"status": "Running"}})
    if step == "await":
        (registered.folder / "status").unlink()
    registered.say(command, {"seconds": 60})
    run = ["--env", "demo", "--folder", str(registered.folder)]
    target = [sys.executable, "-m", PROGRAMS.get(step, "scripts.chain")]
    words = [sys.executable, "-m", "scripts.chain.watch", *run, step, "--", *target]
    more = ["--traffic", "other=100"] if step == "traffic" else []
    program = subprocess.Popen(
        [*words, *run, "--az", shlex.join(registered.program), *more, step], cwd=ROOT, env=os.environ, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not registered.words(command) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    orphans = children(program.pid)
    STOPS[how](program)
    err = ""
    while line := program.stderr.readline():  # an az that outlives its killed step holds the pipe
        err += line
        if line.startswith("error: "):
            break
    assert program.wait(30) == {"SIGKILL of the step": 137, "Ctrl-\\": 131}.get(how, 130)
    assert err.splitlines()[-1].startswith(f"error: make {step} was ") and left in err.splitlines()[-1]
    assert err.count("Traceback") <= 1  # of the fake, which knows no Ctrl-C
    for each in orphans:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()


def test_a_program_that_is_not_there_is_named(world):
    world.run.az._program[:] = ["no-such-az"]
    code, said = refused(cluster.ensure, world.run, "finetune")
    assert code == MISSING and said.startswith("no-such-az: no such program")


def test_a_signal_that_comes_twice_takes_no_last_line(tmp_path, monkeypatch, capsys):
    """make sends one to the program that a terminal, or kill, has told already."""
    unheard = []

    def left(*_):
        os.kill(os.getpid(), signal.SIGTERM)
        return "the rest"

    monkeypatch.setattr(watch, "left", left)
    monkeypatch.setenv(watch.WITHIN, "all")
    before = signal.signal(signal.SIGTERM, lambda number, frame: unheard.append(number))
    try:
        words = ["--env", "demo", "--folder", str(tmp_path), "deploy", "--", "sh", "-c", "kill -TERM $$"]
        assert watch.run(words) == 128 + signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, before)
    assert unheard == []
    assert "make deploy was killed by signal 15; the rest" in capsys.readouterr().err
