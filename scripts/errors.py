"""The one way this project says that something is wrong: a sentence, and an exit code.

A user reads the sentence and knows what to do; a script reads the exit code. A traceback shown to a user is a bug,
so every entry point wraps its work in `main`.
"""

from __future__ import annotations

import difflib
import errno
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, TextIO, cast

from scripts import terminal

# Exit codes. 0 and 1 mean what they mean everywhere; 2 is also what argparse returns for a wrong option.
FAILED = 1  # a check, a comparison or a run failed
USAGE = 2  # the command line is wrong
INVALID = 4  # values, templates, data or rendered YAML are wrong
UNREACHABLE = 5  # Azure ML (or what answers for it) could not be asked
MISSING = 6  # something that an earlier step makes is not there yet
FILE = 7  # a file or folder is not what it should be: no permission, a folder where a file belongs, no space left
WAITING = 8  # a limit of `waiting` was reached: what was waited for goes on without us
CHANGES = 2  # of a comparison (plan, drift, review), behind `compared`: something differs, and nothing failed
INTERRUPTED = 130  # Ctrl-C, as shells number it


class UserError(Exception):
    """Something that the user can put right; `str(error)` is the sentence (or a sentence a line)."""

    def __init__(self, sentence: str, code: int = INVALID) -> None:
        super().__init__(sentence)
        self.code = code


class CouldNotAskError(UserError):
    """Azure (or what answers for it) could not be asked: nobody answers, no login, a refusal to say.

    `what` was asked for; without it the reason is the whole sentence.
    """

    def __init__(self, reason: str, what: str = "") -> None:
        super().__init__(f"could not ask for {what}: {reason}" if what else reason, UNREACHABLE)
        self.what = what


class MayNotAskError(CouldNotAskError):
    """Azure does not let this login ask, or has no such answer: nobody knows, and `todo` is how a person finds out."""

    def __init__(self, reason: str, what: str, todo: str) -> None:
        super().__init__(reason, what)
        self.todo = todo


def one_line(text: object) -> str:
    """Returns a text on one line and not longer than a sentence; Azure's errors are pages long."""
    words = " ".join(str(text).split())
    return words if len(words) <= 300 else f"{words[:300]}…"


def suggest(word: object, allowed: Iterable[object]) -> str:
    """Returns `" (did you mean 'x'?)"` for the allowed word nearest to `word`, or an empty string."""
    words = {str(each).lower(): str(each) for each in allowed}
    near = difflib.get_close_matches(str(word).lower(), words, n=1, cutoff=0.6)
    return f" (did you mean '{words[near[0]]}'?)" if near else ""


def complain(sentence: str) -> None:
    """Prints what is wrong on stderr: on one line for a log, broken between words for a terminal."""
    told = f"error: {sentence}"
    print(terminal.wrapped(told, "  ", "") if terminal.is_shown(sys.stderr) else told, file=sys.stderr)


def compared(work: Callable[[], int]) -> int:
    """Runs a comparison, whose 2 says that something differs: a wrong command line ends with 1 there."""
    try:
        return work()
    except UserError as error:
        if error.code != USAGE:
            raise
        raise UserError(str(error), FAILED) from None
    except SystemExit as error:  # argparse's
        if error.code != USAGE:
            raise
        raise SystemExit(FAILED) from None


def main(work: Callable[[], int | None]) -> None:
    """Runs `work` as a program: its return value is the exit code, and a `UserError` is printed as one sentence."""
    _open_what_was_closed()
    sys.stdout, sys.stderr = (cast(TextIO, _Heard(stream)) for stream in (sys.stdout, sys.stderr))
    try:
        code = work() or 0
        sys.stdout.flush()
    except UserError as error:
        for sentence in str(error).split("\n"):
            complain(sentence)
        code = error.code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:  # the reader went away, as `… | head` does; not our failure
        _silence(sys.stdout)
        code = 0
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:  # the network's: who asks has to say what that means
            raise
        said = error.strerror or str(error)
        reason = said[:1].lower() + said[1:]
        print(f"error: {error.filename or 'output'}: {reason}; put that right and run this again", file=sys.stderr)
        code = FILE
        if error.filename is None:
            _silence(sys.stdout)
    sys.exit(code)


def _open_what_was_closed() -> None:
    """Puts the null device where stdin, stdout or stderr was closed: else the next file that is opened goes there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115, PTH123  # to the end of the program
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def _silence(stream: TextIO) -> None:
    """Sends what is still to be written to nowhere, so that no writing fails a second time."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class _Heard:
    """stdout or stderr. Whoever read it may go away (`… | head`, a Ctrl-C that ends `… | tee` too): that stops nothing.

    Else a deletion that was begun would be left undone, and a check that failed would end well.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes as the stream does, or to nobody."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            _silence(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flushes as the stream does, or to nobody."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            _silence(self._stream)
