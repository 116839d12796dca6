"""The program that answers to `az`: what it is asked, what it is told to do, and what its exit codes mean."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Any

from scripts import programs
from scripts.chain.alone import held
from scripts.chain.patience import Patience
from scripts.errors import MISSING, CouldNotAskError, UserError, one_line

NOT_FOUND = 3  # the exit code of az for every answer of 404
# What Azure Resource Manager and Entra ID call a login that is none any more.
_LOGIN_ENDED = r"\b(ExpiredAuthenticationToken|InvalidAuthenticationToken\w*|AuthenticationFailed|AADSTS\d+)\b"
_END_SECONDS = 10  # for a program to end after it was told to


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it wrote; `err` is empty where it went to the terminal."""

    code: int
    out: str
    err: str

    @property
    def reason(self) -> str:
        """Its error in a line: the first that az marks as one."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        marked = [line.removeprefix("ERROR:") for line in lines if line.startswith("ERROR:") and line != "ERROR:"]
        said = one_line((marked or lines or [f"it ended with code {self.code}"])[0])
        login = re.search(_LOGIN_ENDED, self.err) and "az login" not in said
        return f"{said}; az login signs in anew" if login else said


def _tell(stream: IO[str], tell: Callable[[str], None]) -> None:
    with contextlib.suppress(ValueError):  # closed, as it is when the program was stopped
        for line in stream:
            tell(line.rstrip("\n"))


class Az:
    """A group of `az`, such as `ml`, for one workspace (`--subscription … --resource-group … --workspace-name …`)."""

    def __init__(self, program: Sequence[str], workspace: Sequence[str], group: str = "ml") -> None:
        self._program, self._workspace, self._group = list(program), list(workspace), group
        self._loaded = False

    def monitor(self) -> Az:
        """Returns `az monitor` for the workspace's resource group."""
        return Az(self._program, self._workspace[:4], "monitor")

    def run(self, *words: str) -> Answer:
        """Runs a short command and returns how it ended."""
        with self._start(words, shown=False) as process:
            out, err = process.communicate()
        return Answer(process.wait(), out, err)

    def ask(self, what: str, *words: str) -> Any:
        """Returns what a command prints as JSON, None for what is not there; a CouldNotAskError where nobody can say.

        Whatever is not a 404 says nothing about what was asked: no network, an expired login, a missing role.
        """
        answer = self.run(*words, "-o", "json")
        if answer.code == NOT_FOUND:
            return None
        if answer.code:
            raise CouldNotAskError(answer.reason, what)
        try:
            return json.loads(answer.out) if answer.out.strip() else []
        except ValueError:
            raise CouldNotAskError(f"az printed no JSON: {one_line(answer.out)}", what) from None

    def wait(
        self, patience: Patience, *words: str, shown: bool = False, tell: Callable[[str], None] | None = None
    ) -> Answer:
        """Runs a command that takes long, saying now and then what is waited for; `shown`: it writes to the terminal.

        `tell` gets the lines that it prints, as they come. At the limit, and at Ctrl-C, the command is ended; what it
        waited for goes on.
        """
        process = self._start(words, shown, told=tell is not None)
        telling = threading.Thread(target=_tell, args=(process.stdout, tell), daemon=True)
        try:
            if tell:
                telling.start()
            while True:
                try:
                    if tell:
                        code = process.wait(timeout=patience.next_look())
                        telling.join(_END_SECONDS)
                        return Answer(code, "", "")
                    out, err = process.communicate(timeout=patience.next_look())
                    return Answer(process.wait(), out or "", err or "")
                except subprocess.TimeoutExpired:
                    patience.look()
        except KeyboardInterrupt:
            self._end(process, signal.SIGINT)
            raise
        finally:
            self._end(process, signal.SIGTERM)

    def _start(self, words: Sequence[str], shown: bool, told: bool = False) -> subprocess.Popen[str] | programs.Forked:
        if not self._loaded:
            programs.load(self._program)
            self._loaded = True
        command = [*self._program, self._group, *words, *self._workspace]
        try:
            return programs.start(command, capture=not (shown or told), told=told, talks=False, held=held())
        except FileNotFoundError:
            raise UserError(
                f"{self._program[0]}: no such program; install the Azure CLI and its extension ml, or take this "
                'project\'s verbs: AZ=".venv/bin/python -m scripts.az_ml"',
                MISSING,
            ) from None

    @staticmethod
    def _end(process: subprocess.Popen[str] | programs.Forked, number: int) -> None:
        if process.poll() is None:
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
