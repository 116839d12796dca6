"""The files of one preparation: written beside their place by a thread, hashed on the way, moved in together."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from scripts.errors import FILE, UserError

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
        self._folder = folder
        try:
            self.partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=folder))
        except OSError as error:  # the user knows the folder, not what is made in it
            raise OSError(error.errno, error.strerror, str(folder)) from None
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

    def place(self, manifest: str, text: str) -> None:
        """Writes the manifest beside the other files, and moves all of them to their place."""
        whole = self.partial / f"{manifest}.part"
        whole.write_text(text, encoding="utf-8")
        whole.replace(self.partial / manifest)  # from here on `recover` goes on where a killed run has stopped
        _move(self.partial, self._folder, manifest)

    def abandon(self) -> None:
        """Removes what was written so far: nothing of it has reached its place."""
        with contextlib.suppress(OSError):  # what a full disk did not take
            self._finish()
        shutil.rmtree(self.partial, ignore_errors=True)

    def _finish(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        with contextlib.ExitStack() as files:
            for file in self._files.values():
                files.callback(file.stream.close)


def _move(partial: Path, folder: Path, manifest: str) -> None:
    """The old manifest goes first and the new one comes last: with a manifest, all files are of one run."""
    paths = sorted(partial.iterdir(), key=lambda path: path.name == manifest)
    for path in paths:
        if (folder / path.name).is_dir():
            raise UserError(f"{folder / path.name}: is a folder, and a file belongs there; move it away", FILE)
    (folder / manifest).unlink(missing_ok=True)
    for path in paths:
        path.replace(folder / path.name)
    partial.rmdir()


def is_littered(folder: Path) -> bool:
    """Tells whether something lies there that a run works on, or has left behind."""
    return any(folder.glob(f"{PARTIAL}*"))


def recover(folder: Path, manifest: str) -> None:
    """Puts in place what a run had ready that was killed while it moved it, and removes what others have left."""
    for path in sorted(folder.glob(f"{PARTIAL}*")):
        if (path / manifest).exists():
            _move(path, folder, manifest)
        else:
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def alone(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Holds `folder` for this process; says so where another one has it, and waits until that one is done."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # conversations
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{folder}: another run prepares data there; waiting until it is done")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:  # a file system without locks, as some network shares are
            pass
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def room(folder: Path) -> Iterator[None]:
    """Makes a sentence of a disk, or a quota, that is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        what = "no space is left on the disk" if error.errno == errno.ENOSPC else "the disk quota is used up"
        raise UserError(f"{folder}: {what}; make room and run this again, what was there is whole", FILE) from None
