"""`python -m scripts.local.jobs.guard COMMAND`: runs a shell command and ends it when the emulator is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def watch() -> None:
    """Waits for the end of standard input, which the emulator holds open, then ends our process group."""
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


def main() -> int:
    """Runs the command and returns its exit code."""
    child = subprocess.Popen(["/bin/sh", "-c", sys.argv[1]], stdin=subprocess.DEVNULL)
    threading.Thread(target=watch, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
