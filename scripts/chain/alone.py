"""One run at a time in an environment: a lock that goes with the processes that hold it, whatever killed them.

Whatever a run starts holds the lock too, so that a program which outlived its killed parents is waited for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from scripts.errors import FILE as FILE_WRONG
from scripts.files import refuse

FILE = "running"
HELD = "AZUREML_CHAIN_LOCK"  # the descriptor of the lock that this process was started with


@contextlib.contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Holds the environment of a run's folder; says so where another run has it, and waits until that one is done."""
    path = folder.parent / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    if _is_held(path):
        yield
        return
    if path.exists() and not path.is_file():
        refuse(path, "is no file", "delete it, and run this again", FILE_WRONG)
    with path.open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            who = lock.read().strip() or "another run"
            print(f"{path}: {who} is at work in this environment; waiting until it ends", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:  # a file system without locks, as some network shares are
            yield
            return
        lock.truncate(0)
        lock.write(f"{what} (process {os.getpid()})\n")
        lock.flush()
        os.environ[HELD] = str(lock.fileno())
        try:
            yield
        finally:
            del os.environ[HELD]
            lock.truncate(0)
            fcntl.flock(lock, fcntl.LOCK_UN)  # what somebody left running in the background holds it no longer


def held() -> tuple[int, ...]:
    """Returns the descriptors that a program has to be started with so that it holds the lock, too."""
    number = os.environ.get(HELD, "")
    return (int(number),) if number.isdecimal() and _is_open(int(number)) else ()


def _is_held(path: Path) -> bool:
    """Tells whether this process was started by a run that holds the lock, whatever a variable says."""
    return path.exists() and any(os.path.samestat(os.fstat(number), path.stat()) for number in held())


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
