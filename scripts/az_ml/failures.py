"""From whatever the SDK raises to a sentence and the exit code of the official CLI: 3 for any 404, else 1."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, TextIO

from scripts.az_ml import session
from scripts.azure import answers, schema_faults
from scripts.errors import FAILED, UserError

NOT_FOUND = 3  # az's own: the service answered 404

_UNKNOWN_TYPE = ("Unsupported job type: ", "Unknown compute type: ")
_NOT_A_MAPPING = ("Error while parsing yaml file", "Expect dict but get")


class PlainStream:
    """A stderr that is no terminal: without the colours, and empty lines around them, that the SDK writes anyway."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._at_start = True

    def write(self, text: str) -> int:
        """Writes what is left of the text."""
        shown = answers.ANSI.sub("", text)
        shown = shown.lstrip("\n") if self._at_start else shown
        if shown:
            self._stream.write(shown)
            self._at_start = shown.endswith("\n")
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def report(sentence: str, code: int) -> int:
    """Prints an error as az does, on stderr and without colours, and returns the exit code."""
    sys.stdout.flush()
    print(f"ERROR: {answers.plain(sentence)}", file=sys.stderr)
    return code


def explain(error: Exception, arguments: argparse.Namespace | None = None) -> tuple[str, int]:
    """Returns (what to tell the user, exit code) for an exception that a verb let through."""
    status = answers.status_of(error)
    if status is not None:
        return answers.told(error), NOT_FOUND if status == 404 else FAILED
    return _of_what_was_written(error, arguments or argparse.Namespace()), FAILED


def _of_what_was_written(error: Exception, arguments: argparse.Namespace) -> str:
    """A line for each thing that is wrong in the file, the flags or the --set; else the error's own words."""
    written = _Written(arguments)
    kind = session.kind(arguments) if hasattr(arguments, "command") else ""
    faults = schema_faults.faults(error, kind, written.value)
    if faults:
        return "\n".join(f"{written.place(key)}: {fault}" for key, fault in faults.items())
    text = answers.told(error)
    if text.startswith(_NOT_A_MAPPING) and written.unreadable:
        return written.unreadable
    if text == "Target yaml file is empty":
        return f"{arguments.file}: the file is empty"
    if text.startswith(_UNKNOWN_TYPE):
        return f"{written.place('type')}: {text}"
    blocked = written.blocked() if isinstance(error, AttributeError) else ""
    return blocked or text + "; --debug shows where" * isinstance(error, answers.PROGRAM_FAULTS)


class _Written:
    """What the user wrote: --set wins over flags, and those over the file."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        import yaml

        from scripts import strict_yaml  # not for a call for help, which reads no YAML

        self._nearest, self._value_at = strict_yaml.nearest, strict_yaml.value_at
        self._arguments = arguments
        self._sets: dict[str, str] = getattr(arguments, "set", None) or {}
        self._file = getattr(arguments, "file", None)
        self._document: dict[str, Any] = {}
        self._lines: dict[str, int] = {}
        self.unreadable = ""
        if self._file:
            try:
                self._document, self._lines = strict_yaml.read_yaml(Path(self._file), yaml.SafeLoader, self._file)
            except (UserError, OSError) as error:
                self.unreadable = str(error)

    def value(self, key: str) -> Any:
        """Returns what was written at a dotted key."""
        return self._sets.get(key) or self._flag(key) or self._value_at(self._document, key)

    def place(self, key: str) -> str:
        """Returns where: the option, or file and line of the key (or of the nearest one above it) and the key."""
        if key in self._sets:
            return f"--set {key}"
        if self._flag(key):
            return f"--{key.replace('_', '-')}"
        above = self._nearest(self._lines, key)
        return (f"{self._file}:{self._lines[above]}: " if above else f"{self._file}: " * bool(self._file)) + key

    def blocked(self) -> str:
        """Returns a sentence for a --set whose path goes through a plain value, such as instance_count.x; else ""."""
        for path in self._sets:
            parent = path
            while parent := parent.rpartition(".")[0]:
                held = self._value_at(self._document, parent)
                if held is not None and not isinstance(held, dict):
                    return f"--set {path}: {parent} is {held!r} in {self._file}, a plain value that has no keys"
        return ""

    def _flag(self, key: str) -> str:
        given = None if key in ("file", "command") else getattr(self._arguments, key, None)
        return given if isinstance(given, str) else ""
