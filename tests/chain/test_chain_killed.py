"""SIGKILL of anything in any target of the chain, at any moment: one repeat of the same command is enough.

The emulator's engine and scoring are the tests' own, which take no time, so that the kills meet the chain. One of them
is in the story of test_chain_again.py.
"""

import contextlib
import os
import random
import signal
import subprocess
import time

import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.long]
# What is called and killed; what is called then, where it is not the same.
TARGETS = (("data",), ("compute",), ("finetune", "AGAIN=1"), ("register",), ("deploy",), ("undeploy",))
# Whose command line has which words, the first that is found; None is make itself, with all that it started.
VICTIMS = ("scripts.chain.watch", "scripts.chain --env", "scripts.az_ml", "scripts.local serve", "make", None)


def kill(chain, words, victim, seconds, at=None):
    """Calls a target and kills somebody some seconds later, or as soon as a program with some words (`at`) runs.

    Tells whether there was somebody to kill.
    """
    process = subprocess.Popen(
        chain.words(*words, "ENV=demo"), cwd=chain.project, env=chain.env, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if at and any(at in command_line(each) for each in processes(chain, process.pid)):
            break
        time.sleep(0.02)
    met = process.poll() is None
    if victim is None and met:
        os.killpg(process.pid, signal.SIGKILL)
    elif met:
        found = [each for each in processes(chain, process.pid) if victim in command_line(each)]
        met = bool(found)
        for each in found[-1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
    process.wait(120)
    return met


def processes(chain, pid):
    """What the call runs, and the emulator that it runs on."""
    found = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
        found.append(psutil.Process(int((chain.home / "serve.lock").read_text())))
    return found


def command_line(process):
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def prepare(chain, target):
    """Makes that a target has something to do."""
    if target == "data":
        for path in (chain.project / "data" / "demo").iterdir():
            path.unlink()
    elif target == "compute":
        chain.az("compute", "delete", "-n", "gpu-cluster", "--yes")


def campaign(chain, cases, seed):
    chance, met = random.Random(seed), 0
    for number, (words, victim) in enumerate(cases):
        prepare(chain, words[0])
        met += kill(chain, words, victim, chance.uniform(0.3, 4.0))
        shown = chain.make(words[0], "ENV=demo", code=None)
        assert "\nmake: ***" not in shown and "Traceback" not in shown, (number, words, victim, shown)
    return met


def test_one_repeat_is_enough_sixty_times(fast):
    fast.make("data", "compute", "ENV=demo")
    cases = [(words, VICTIMS[(number + round) % len(VICTIMS)])
             for round in range(12) for number, words in enumerate(TARGETS)]  # fmt: skip
    assert campaign(fast, cases, seed=2) >= 60
    assert_nothing_is_there_twice(fast)


def assert_nothing_is_there_twice(chain):
    jobs = chain.az("job", "list", "--query", "[].name", "-o", "tsv").split()
    of_models = [job for _, job in chain.versions()]
    assert len(jobs) == len(set(jobs)) and len(of_models) == len(set(of_models)) and set(of_models) <= set(jobs)
    endpoints = chain.az("online-endpoint", "list", "--query", "[].name", "-o", "tsv").split()
    assert len(endpoints) <= 1
