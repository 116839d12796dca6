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
# How deep: make runs who watches, that one the step, and the step az. None is all of them at once.
MAKE, WATCH, STEP, AZ, EMULATOR = 0, 1, 2, 3, "the emulator"
VICTIMS = (WATCH, STEP, AZ, EMULATOR, MAKE, None)


def kill(chain, words, victim, seconds, when=lambda: False):
    """Calls a target and kills somebody some seconds later, or as soon as it is time (`when`).

    Tells whether there was somebody to kill.
    """
    process = subprocess.Popen(
        chain.words(*words, "ENV=demo"), cwd=chain.project, env=chain.env, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None and not when():
        time.sleep(0.01)
    met = process.poll() is None
    if victim is None and met:
        os.killpg(process.pid, signal.SIGKILL)
    elif met:
        found = emulator(chain) if victim == EMULATOR else below(process.pid, victim)
        met = bool(found)
        for each in found[-1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
    process.wait(120)
    return met


def below(pid, depth):
    """The processes so many steps below one."""
    found = [psutil.Process(pid)]
    for _ in range(depth):
        with contextlib.suppress(psutil.NoSuchProcess):
            found = [child for each in found for child in each.children()]
    return found


def emulator(chain):
    with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
        return [psutil.Process(int((chain.home / "serve.lock").read_text()))]
    return []


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
        met += kill(chain, words, victim, chance.uniform(0.2, 3.0))
        shown = chain.make(words[0], "ENV=demo", code=None)
        assert "\nmake: ***" not in shown and "Traceback" not in shown, (number, words, victim, shown)
    return met


def test_one_repeat_is_enough_sixty_times(fast):
    fast.make("data", "compute", "ENV=demo")
    cases = [(words, VICTIMS[(number + round) % len(VICTIMS)])
             for round in range(14) for number, words in enumerate(TARGETS)]  # fmt: skip
    assert campaign(fast, cases, seed=2) >= 60
    assert_nothing_is_there_twice(fast)


def assert_nothing_is_there_twice(chain):
    jobs = chain.az("job", "list", "--query", "[].name", "-o", "tsv").split()
    of_models = [job for _, job in chain.versions()]
    assert len(jobs) == len(set(jobs)) and len(of_models) == len(set(of_models)) and set(of_models) <= set(jobs)
    endpoints = chain.az("online-endpoint", "list", "--query", "[].name", "-o", "tsv").split()
    assert len(endpoints) <= 1
