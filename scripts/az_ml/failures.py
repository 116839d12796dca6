"""From whatever the SDK raises to a sentence and the exit code of the official CLI: 3 for any 404, else 1."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import Any, TextIO

from scripts.az_ml import schema_errors
from scripts.errors import FAILED

NOT_FOUND = 3  # az's own: the service answered 404

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_POINT = re.compile(r"\(x\) (.+?)(?=\n\s*\n|\n\s*Resolutions|\Z)", re.DOTALL)  # the SDK's "(x) what is wrong" blocks


class PlainStream:
    """A stderr that is no terminal: without the colours, and empty lines around them, that the SDK writes anyway."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._at_start = True

    def write(self, text: str) -> int:
        """Writes what is left of the text."""
        shown = _ANSI.sub("", text)
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
    print(f"ERROR: {plain(sentence)}", file=sys.stderr)
    return code


def plain(text: str) -> str:
    """The text without terminal colours: the SDK puts them into messages even when nothing shows them."""
    return _ANSI.sub("", text).strip()


def explain(error: Exception, arguments: argparse.Namespace | None = None) -> tuple[str, int]:
    """Returns (what to tell the user, exit code) for an exception that a verb let through."""
    kind = {each.__name__ for each in type(error).__mro__}
    if "HttpResponseError" in kind:
        return _service(error), NOT_FOUND if getattr(error, "status_code", None) == 404 else FAILED
    if {"ServiceRequestError", "ServiceResponseError"} & kind:
        return _unreachable(error), FAILED
    if "MarshmallowError" in kind:
        return schema_errors.explain(error, arguments), FAILED
    file = getattr(arguments, "file", None)
    told = None
    if "ValidationException" in kind and file:
        told = schema_errors.unreadable(error, file)
    elif isinstance(error, AttributeError) and getattr(arguments, "set", None):
        told = schema_errors.blocked_override(arguments)
    return told or _message(error), FAILED


def _service(error: Exception) -> str:
    """The service's own error, as az prints it; of a failed deployment all details, not only the first."""
    parsed = getattr(error, "error", None)
    if parsed is not None and getattr(parsed, "code", None):
        return str(error)
    response = getattr(error, "response", None)
    try:
        return (response.text() if response is not None else "") or str(error)
    except Exception:  # the body was a stream and is gone
        return str(error)


def _unreachable(error: Exception) -> str:
    text = _message(error)
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    if "CERTIFICATE_VERIFY_FAILED" in text:
        bundle = os.environ.get("REQUESTS_CA_BUNDLE")
        known = f"REQUESTS_CA_BUNDLE is {bundle}" if bundle else "REQUESTS_CA_BUNDLE is not set"
        return f"the certificate that Azure (or the proxy {proxy}) shows is not trusted; {known}"
    if proxy and "proxy" in text.lower():
        return f"Azure cannot be reached through the proxy {proxy} (HTTPS_PROXY): {_reason(text)}"
    return f"Azure cannot be reached: {_reason(text)}"


def _reason(text: str) -> str:
    """The innermost words of a connection error, without the objects that it is wrapped in."""
    found = re.findall(r"\[Errno -?\d+\] [^'\")\]>]+|Tunnel connection failed: [^'\")\]>]+", text)
    return found[-1] if found else text


def _message(error: Exception) -> str:
    text = plain(str(error)) or type(error).__name__
    points = [" ".join(point.split()) for point in _POINT.findall(text)]
    if points:
        return "\n".join(points)
    if isinstance(error, (KeyError, AttributeError, TypeError, IndexError)):  # a fault of a program, not a message
        return f"unexpected {type(error).__name__}: {text}; --debug shows where"
    return text
