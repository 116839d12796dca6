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

# Exit codes. 0 and 1 mean what they mean everywhere; 2 is also what argparse returns for a wrong option.
FAILED = 1  # a check, a comparison or a run failed
USAGE = 2  # the command line is wrong
INVALID = 4  # values, templates, data or rendered YAML are wrong
UNREACHABLE = 5  # Azure ML (or what answers for it) could not be asked
MISSING = 6  # something that an earlier step makes is not there yet
FILE = 7  # a file or folder is not what it should be: no permission, a folder where a file belongs, no space left
WAITING = 8  # a limit of `waiting` was reached: what was waited for goes on without us
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


def main(work: Callable[[], int | None]) -> None:
    """Runs `work` as a program: its return value is the exit code, and a `UserError` is printed as one sentence."""
    try:
        code = work() or 0
        sys.stdout.flush()
    except UserError as error:
        for sentence in str(error).split("\n"):
            print(f"error: {sentence}", file=sys.stderr)
        code = error.code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:  # the reader went away, as `… | head` does; not our failure
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:  # the network's: who asks has to say what that means
            raise
        said = error.strerror or str(error)
        reason = said[:1].lower() + said[1:]
        print(f"error: {error.filename or 'output'}: {reason}; put that right and run this again", file=sys.stderr)
        code = FILE
    sys.exit(code)
