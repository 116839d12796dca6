"""Child processes: training, commands and scoring servers. Each has its own group and dies with the emulator.

The child's standard input is a pipe that the emulator holds open: its end means that the emulator is gone, however it
went. What a killed emulator left behind is also ended by the next one, by the id and start time kept in the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from scripts.files import ROOT

GRACE = 10.0  # seconds between asking a process to end and ending it
PROXY_WORDS = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")


class Child:
    """A running child process; `identity` is what the store keeps to recognise it after a restart."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        import psutil

        self.process = process
        started = 0.0
        with contextlib.suppress(psutil.Error):
            started = psutil.Process(process.pid).create_time()
        self.identity = {"pid": process.pid, "started": started}

    async def stop(self, grace: float = GRACE) -> None:
        """Asks the process group to end, then ends it; returns when the process is gone."""
        if self.process.returncode is None:
            _signal(self.process.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.process.wait()), grace)
        _signal(self.process.pid, signal.SIGKILL)  # what the child itself may have left in its group
        await self.process.wait()


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


async def spawn(arguments: list[str], log: Path, environment: dict[str, str] | None = None, cwd: Path = ROOT) -> Child:
    """Starts a program with our Python (`-m module …`), its output appended to a log file."""
    variables = {key: value for key, value in os.environ.items() if key.upper() not in PROXY_WORDS}
    variables |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    variables |= environment or {}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=file,
            stderr=asyncio.subprocess.STDOUT,
            cwd=cwd,
            env=variables,
            start_new_session=True,
        )
    return Child(process)


def tail(log: Path, lines: int) -> str:
    """Returns the last lines of a log, or an empty text."""
    try:
        return "\n".join(log.read_text(errors="replace").rstrip().splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def end_stray(identity: dict[str, Any] | None) -> None:
    """Ends a process that an earlier emulator started, if it still is that process, and what is in its group."""
    import psutil

    if not identity:
        return
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(identity["pid"])
        if abs(process.create_time() - identity["started"]) < 1:
            _signal(identity["pid"], signal.SIGKILL)
            process.wait(GRACE)
