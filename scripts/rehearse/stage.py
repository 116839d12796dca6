"""The stage of a rehearsal: a local Azure ML and a state of its own, and targets whose words go into a log.

So a rehearsal meets no cluster, job, model or fault that was there before, touches none of the user's, and leaves none.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts import programs, state
from scripts.chain.alone import held
from scripts.chain.job import PROGRESS
from scripts.chain.whole import Whole
from scripts.errors import INTERRUPTED, UserError, one_line
from scripts.files import ROOT, append_private, private_folder, read_text, write_private

HOME = "AZUREML_LOCAL_HOME"
SWITCH = "REHEARSAL=1"  # with it a target works on this stage
LOG, SETTINGS, FAULTS, MODELS = "log.txt", "settings.yaml", "faults.yaml", "models"
_OF_MAKE = re.compile(r"make(\[\d+\])?: ")
# Where az prints the service's own words: within others, as a job's error, as a whole.
_OF_AZURE = tuple(re.compile(words, re.M) for words in
                  (r"^Exception Details:\s*(.+)", r'^\s+"message": "(.+)",?$', r"^ERROR: (.+)"))  # fmt: skip
_SHARE = re.compile(r" *\d+ %, ")  # how far an evaluation is
_GOES_ON = " " * 9  # how a line of a job's log begins that is the rest of the one before
_LOOK_SECONDS = 0.2  # between two looks at what a target has printed


@dataclass(frozen=True)
class Ran:
    """How a target ended, and what it printed."""

    target: str
    code: int
    seconds: float
    said: str

    @property
    def reason(self) -> str:
        """The sentence with which it stopped, or the last that it said; an empty text where all went well."""
        lines = [line.strip() for line in self.said.splitlines() if line.strip() and not _OF_MAKE.match(line)]
        errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        return plain((errors or lines or ["it said nothing"])[-1]) if self.code else ""

    @property
    def of_azure(self) -> str:
        """What the service said against it, as az prints that; an empty text where it said nothing."""
        found = (words.search(self.said) for words in _OF_AZURE) if self.code else ()
        return next((one_line(match[1]) for match in found if match), "")


def plain(sentence: str) -> str:
    """Returns a sentence with the commands that a run on Azure ML would name."""
    return sentence.replace(f" {SWITCH}", "")


def folder_of(environment: str) -> Path:
    """Returns the folder of an environment's rehearsal."""
    return ROOT / ".runs" / environment / "rehearsal"


class Stage:
    """Runs targets and programs for one environment; `make` are the words that call make."""

    def __init__(self, environment: str, make: list[str]) -> None:
        self.environment, self._make = environment, make
        self.folder = folder_of(environment)
        self._home = self.folder / "home"
        self._users_home = Path(os.environ.get(HOME) or ROOT / ".local").absolute()
        os.environ[HOME] = str(self._home)  # of all that is started from here

    def open(self, **training: int) -> None:
        """Begins on an empty home and state, with the user's settings (but for `training`) and converted models."""
        self.close()
        for path in self.folder.glob("*"):
            if path.is_file() and path.name != LOG:
                path.unlink()
        for folder in (self._users_home, self._users_home / MODELS, self._home):
            private_folder(folder)
        (self._home / MODELS).symlink_to(self._users_home / MODELS)
        given = read_text(self._users_home / SETTINGS, "put it right, or delete it and it is made anew")
        if training:
            settings = yaml.safe_load(given or "") or {}
            settings["training"] = {**(settings.get("training") or {}), **training}
            given = yaml.safe_dump(settings)
        if given is not None:
            write_private(self._home / SETTINGS, given)

    def close(self) -> None:
        """Stops the local Azure ML with all that runs on it, and deletes it; a second Ctrl-C does not stop that.

        What its jobs left in runs/ goes as well: their names have a time in them, so that they are nobody else's.
        """
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            if (self._home / "serve.lock").exists():
                self.program("scripts.local", "down", led=False)
            shutil.rmtree(self._home, ignore_errors=True)
            if job := state.kept(self.folder, "job"):
                for path in (ROOT / "runs").glob(f"{job}*"):
                    shutil.rmtree(path, ignore_errors=True)
        finally:
            signal.signal(signal.SIGINT, before)

    def run(self, *targets: str, words: tuple[str, ...] = (), shown: bool = False) -> Ran:
        """Runs targets in turn until one fails; `shown`: a job's progress is printed. KeyboardInterrupt for Ctrl-C."""
        begun, log = time.monotonic(), self.folder / LOG
        with _written(log) as out, _followed(log, out if shown else None) as start:
            code = Whole([*self._make, f"ENV={self.environment}", *words]).targets(*targets)
        with log.open("rb") as file:
            file.seek(start)
            said = file.read().decode(errors="replace")
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        return Ran(targets[-1], code, time.monotonic() - begun, said)

    def program(self, module: str, *arguments: str, led: bool = True) -> str:
        """Returns what a program of this project prints, `led` to the local Azure ML; a UserError where it fails."""
        words = [sys.executable, "-m", module, *arguments]
        if led:
            words = [sys.executable, "-m", "scripts.local", "run", "--env", self.environment, "--", *words]
        process = programs.start(words, capture=True, talks=False, held=held())
        out, err = process.communicate()
        if process.wait():
            last = (err.strip() or out.strip() or f"it ended with code {process.wait()}").splitlines()[-1]
            raise UserError(f"{module} {' '.join(arguments[:2])}: {one_line(last.removeprefix('error: '))}")
        return out

    def json(self, module: str, *arguments: str, led: bool = True) -> Any:
        """Returns what a program of this project prints as JSON."""
        return json.loads(self.program(module, *arguments, led=led))

    def fault(self, name: str) -> None:
        """Makes a fault happen once."""
        self.program("scripts.local", "fault", name, "--times", "1", led=False)

    def is_set(self, name: str) -> bool:
        """Tells whether a fault has not happened yet."""
        text = read_text(self._home / FAULTS, "delete it") or ""
        return name in (yaml.safe_load(text) or {})

    def clear(self) -> None:
        """Ends every fault."""
        self.program("scripts.local", "fault", "--clear", led=False)


@contextlib.contextmanager
def _written(log: Path) -> Iterator[Callable[[str], None]]:
    """Sends what this process and those that it starts print into a file; yields what prints where it went before."""
    streams = (sys.stdout, sys.stderr)
    for stream in streams:
        stream.flush()
    saved = [os.dup(number) for number in (1, 2)]
    private_folder(log.parent)
    with append_private(log) as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)

    def out(line: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(saved[0], f"{line}\n".encode())

    try:
        yield out
    finally:
        for number, stream, descriptor in zip((1, 2), streams, saved, strict=True):
            stream.flush()
            os.dup2(descriptor, number)
            os.close(descriptor)


@contextlib.contextmanager
def _followed(log: Path, out: Callable[[str], None] | None) -> Iterator[int]:
    """Gives `out` the lines of a job's progress as they are written; yields where the file ended before."""
    start, done = log.stat().st_size, threading.Event()

    def follow() -> None:
        with log.open(encoding="utf-8", errors="replace") as file:
            file.seek(start)
            rest, ended, told = "", False, False
            while not ended:
                ended = done.wait(_LOOK_SECONDS)
                *lines, rest = (rest + file.read()).split("\n")
                for line in lines:
                    told = bool(PROGRESS.match(line) or _SHARE.match(line)) or (told and line.startswith(_GOES_ON))
                    if out and told:
                        out(line)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield start
    finally:
        done.set()
        thread.join()
