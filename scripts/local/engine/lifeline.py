"""How trainer and scoring server end when the emulator that started them says so, or is gone."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading

CANCELLED = 143  # 128 + SIGTERM, as shells number it


def end_on_terminate() -> None:
    """Turns SIGTERM into SystemExit, so that `finally` blocks run and nothing half-written keeps its final name."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(CANCELLED))


def end_with_parent() -> None:
    """Ends this process at once when stdin, a pipe that the parent holds open, is closed: the parent died."""
    kind = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        return  # started by hand, from a terminal or with /dev/null

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
