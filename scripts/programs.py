"""Starts programs. Those of this project, run by this Python, go on in a copy of this process: nothing is loaded twice.

Their words, output, signals and exit codes are those of a program that was started; every other one is started.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import io
import os
import runpy
import select
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, NoReturn

from scripts.errors import FAILED
from scripts.files import ROOT

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def _can_fork() -> bool:
    """Tells whether a process can go on as two: macOS' own libraries do not bear it, and its Python has no pidfd."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


FORKS = _can_fork()


def own(words: Sequence[str]) -> list[str]:
    """Returns module and arguments of `<this Python> -m scripts.… …`, called in this project; nothing for another."""
    ours = len(words) > 2 and words[1] == "-m" and words[2].partition(".")[0] == __name__.partition(".")[0]
    same = ours and os.path.abspath(words[0]) == os.path.abspath(sys.executable)  # noqa: PTH100 - follows no link
    return list(words[2:]) if same and Path.cwd() == ROOT else []


def load(words: Sequence[str]) -> None:
    """Imports what the programs of this project among the words need, where many of their kind are to be started."""
    for at in range(len(words)) if FORKS else ():
        if own(words[at:]):
            name = words[at + 2]
            module = importlib.import_module(name)
            if hasattr(module, "__path__"):
                module = importlib.import_module(f"{name}.__main__")
            getattr(module, "load", lambda: None)()


def start(
    words: Sequence[str],
    *,
    capture: bool = False,
    told: bool = False,
    talks: bool = True,
    held: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str] | Forked:
    """Starts a program. `capture`: its output is kept for `communicate`; `told`: `stdout` has its lines as they come.

    `talks`: it has our standard input; `held`: descriptors that it is to hold as well.
    """
    if FORKS and own(words):
        return Forked(own(words), capture, told, talks, held, environment)
    stream = subprocess.PIPE if capture else None
    stdin, stdout = None if talks else subprocess.DEVNULL, subprocess.PIPE if told else stream
    return subprocess.Popen(words, stdin=stdin, stdout=stdout, stderr=stream, text=True, pass_fds=held, env=environment)


def become(words: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Goes on as another program."""
    if not own(words):
        os.execvpe(words[0], list(words), dict(environment))
    _run(own(words), environment)
    sys.exit(0)


class Forked:
    """A program in a copy of this process: of `subprocess.Popen` what is asked for here."""

    def __init__(
        self,
        words: list[str],
        capture: bool,
        told: bool,
        talks: bool,
        held: Sequence[int],
        environment: Mapping[str, str] | None,
    ) -> None:
        self.returncode: int | None = None
        self.stdout: IO[str] | None = _memory() if capture else None
        self.stderr: IO[str] | None = _memory() if capture else None
        writes: IO[str] | None = self.stdout
        if told:
            ends = os.pipe()
            self.stdout, writes = os.fdopen(ends[0], encoding="utf-8", errors="replace"), os.fdopen(ends[1], "w")
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)  # a signal to the copy waits until it is a program
        try:
            self.pid = os.fork()
            if not self.pid:
                descriptors = (None if talks else os.open(os.devnull, os.O_RDONLY), writes, self.stderr)
                self._go_on(words, descriptors, held, environment, mask)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if told and writes:
            writes.close()
        self._end = os.pidfd_open(self.pid)

    @staticmethod
    def _go_on(
        words: list[str],
        streams: Sequence[int | IO[str] | None],
        held: Sequence[int],
        environment: Mapping[str, str] | None,
        mask: set[signal.Signals | int],
    ) -> NoReturn:
        """Is the copy: runs the program and ends, and never returns into what it is a copy of."""
        code = FAILED
        try:
            for stop in STOPPING:
                if callable(signal.getsignal(stop)):  # it was ours, and no program's; what is ignored stays so
                    signal.signal(stop, signal.default_int_handler if stop == signal.SIGINT else signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for number, stream in enumerate(streams):
                if stream is not None:
                    os.dup2(stream if isinstance(stream, int) else stream.fileno(), number)
            for descriptor in held:
                os.set_inheritable(descriptor, True)
            try:
                _run(words, environment)
            finally:
                atexit._run_exitfuncs()  # what the packages would do at the end of a program, such as to tidy up
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else FAILED
            if end.code is not None and not isinstance(end.code, int):
                print(end.code, file=sys.stderr)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            for text in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):
                    text.flush()
            os._exit(code)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits until the program ended, and returns what it wrote; `subprocess.TimeoutExpired` as `wait`."""
        self.wait(timeout)
        said = []
        for stream in (self.stdout, self.stderr):
            with stream or io.StringIO() as kept:
                kept.seek(0)
                said.append(kept.read())
        return said[0], said[1]

    def wait(self, timeout: float | None = None) -> int:
        """Waits until the program ended, and returns its exit code."""
        if self.poll() is None and not select.select([self._end], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a program of this project", timeout or 0.0)
        code = self.poll()
        assert code is not None
        return code

    def poll(self) -> int | None:
        """Returns the exit code, less than 0 where a signal ended it, None where it goes on."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
                os.close(self._end)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it, whatever it does."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.wait()


def _memory() -> IO[str]:
    return os.fdopen(os.memfd_create("output"), "r+", encoding="utf-8", errors="replace")


def _run(words: list[str], environment: Mapping[str, str] | None) -> None:
    """Runs a module of this project as `python -m` does."""
    if environment is not None:
        os.environ.clear()
        os.environ.update(environment)
    sys.argv = words
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")  # that it was imported before
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)
