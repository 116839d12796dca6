"""`python -m scripts.local.jobs.guard COMMAND FILE`: runs a shell command, and ends it when the emulator is gone.

What the command prints goes to standard output, which is the job's log, and to the file, which is the step's alone.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path


def watch() -> None:
    """Waits for the end of standard input, which the emulator holds open, then ends our process group."""
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


def main() -> int:
    """Runs the command and returns its exit code."""
    command, file = sys.argv[1:]
    shell = shutil.which("bash") or "/bin/sh"  # official samples are written for bash
    child = subprocess.Popen(
        [shell, "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    threading.Thread(target=watch, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    copying = threading.Thread(target=copy, args=(child, Path(file)), daemon=True)
    copying.start()
    code = child.wait()
    copying.join(1)  # what the command left behind may hold the pipe open for ever
    return code if code >= 0 else 128 - code


def copy(child: subprocess.Popen[bytes], file: Path) -> None:
    """Passes on what the command prints, as it comes."""
    assert child.stdout is not None
    with file.open("wb", buffering=0) as own:
        while part := os.read(child.stdout.fileno(), 65536):
            own.write(part)
            sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
