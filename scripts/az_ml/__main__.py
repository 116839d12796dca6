"""Runs one `az` command line: parse, do the verb, print what it answers, return the exit code of the official CLI."""

from __future__ import annotations

import contextlib
import importlib
import sys
import traceback
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Any

from scripts import errors
from scripts.az_ml import command_line, failures, online_verbs, output, session, verbs
from scripts.az_ml.failures import PlainStream
from scripts.azure import client


def load() -> None:
    """Imports what nearly every verb needs: for who runs many of them in copies of one process."""
    client.import_sdk()
    importlib.import_module("azure.identity")


def verb_of(words: Sequence[str]) -> Callable[[Namespace], Any]:
    """Returns the function of a command: `az ml online-endpoint show` is `online_verbs.online_endpoint_show`."""
    name = "_".join(words).replace("-", "_")
    verb: Callable[[Namespace], Any] = getattr(online_verbs if name.startswith("online_") else verbs, name)
    return verb


def run(words: list[str]) -> int:
    """Does what the command line asks and returns its exit code; every failure becomes a sentence on stderr."""
    quiet = contextlib.nullcontext() if sys.stderr.isatty() else contextlib.redirect_stderr(PlainStream(sys.stderr))
    with quiet:
        return _run(words)


def _run(words: list[str]) -> int:
    arguments = None
    try:
        arguments = command_line.parse(words)
        if arguments is None:  # it was a call for help, which is printed
            return 0
        session.listen(arguments)
        if arguments.command.ml:
            client.import_sdk()
        output.write(verb_of(arguments.command.words)(arguments), arguments)
    except errors.CouldNotAskError as error:  # which has no code of its own in the official CLI
        return failures.report(str(error), errors.FAILED)
    except errors.UserError as error:
        return failures.report(str(error), error.code)
    except BrokenPipeError:  # the reader went away, as `… | head` does: `errors.main` knows what to do
        raise
    except Exception as error:  # whatever the SDK raises has to end as a sentence, and never as a traceback
        if "--debug" in words:
            traceback.print_exc()
        sentence, code = failures.explain(error, arguments)
        return failures.report(sentence, code)
    return 0


if __name__ == "__main__":
    errors.main(lambda: run(sys.argv[1:]))
