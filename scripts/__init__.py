"""The programs of this project: `python -m scripts.NAME`."""

import sys
from types import TracebackType

_others = sys.excepthook


def _without_a_traceback(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Says in a word that Ctrl-C came while a program was still being loaded, before `errors.main` takes it."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
    else:
        _others(kind, error, traceback)


sys.excepthook = _without_a_traceback
