"""The files of one preparation: written beside their place by a thread, hashed on the way, moved in together."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

PARTIAL = ".partial-"
_DEPTH = 8  # writes that wait for the thread, at most


@dataclass
class _File:
    stream: BinaryIO
    sha256: Any
    rows: int = 0
    size: int = 0

    def append(self, data: bytes) -> None:
        self.stream.write(data)
        self.sha256.update(data)


class Writer:
    """The output files, in a folder of their own under `folder` until `place` moves them in."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        self._folder = folder
        self.partial = Path(tempfile.mkdtemp(prefix=f"{PARTIAL}{os.getpid()}-", dir=folder))
        self._files: dict[str, _File] = {}
        self._thread = ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()

    def path(self, part: str) -> Path:
        """Returns where the file of `part` lies until it is moved."""
        return self.partial / f"{part}.jsonl"

    def open(self, part: str) -> None:
        """Begins the file of `part`, so that it exists even if no row comes."""
        if part not in self._files:
            self._files[part] = _File(self.path(part).open("wb"), hashlib.sha256())

    def write(self, part: str, lines: list[bytes]) -> None:
        """Hands lines to the writing thread; raises what went wrong there, a full disk for one."""
        self.open(part)
        data = b"".join(lines)
        file = self._files[part]
        file.rows += len(lines)
        file.size += len(data)
        if len(self._waiting) == _DEPTH:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(file.append, data))

    def close(self) -> dict[str, dict[str, Any]]:
        """Waits until all is written; returns rows, bytes and SHA-256 of each file."""
        for written in self._waiting:
            written.result()
        self._finish()
        return {
            part: {"rows": file.rows, "bytes": file.size, "sha256": file.sha256.hexdigest()}
            for part, file in self._files.items()
        }

    def place(self, manifest: str) -> None:
        """Moves every file to its place. The manifest goes first and comes last: with it, all files are of one run."""
        (self._folder / manifest).unlink(missing_ok=True)
        for path in sorted(self.partial.iterdir(), key=lambda path: path.name == manifest):
            path.replace(self._folder / path.name)
        self.partial.rmdir()

    def abandon(self) -> None:
        """Removes what was written so far: nothing of it has reached its place."""
        self._finish()
        shutil.rmtree(self.partial, ignore_errors=True)

    def _finish(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        for file in self._files.values():
            file.stream.close()


def sweep(folder: Path) -> None:
    """Removes what runs that were killed have left in `folder`; a run that is still going keeps its files."""
    for path in folder.glob(f"{PARTIAL}*"):
        process = path.name.removeprefix(PARTIAL).partition("-")[0]
        if process.isdigit() and not _alive(int(process)):
            shutil.rmtree(path, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return process != os.getpid()
