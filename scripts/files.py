"""Where the project is, and the one way to write a file: whoever reads it meanwhile sees the old one or the new one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent


def write(path: Path, content: str | bytes, mode: int = 0o666) -> None:
    """Writes a file (text as UTF-8) beside its place and moves it there; its folder is made where it is not there.

    `mode` is what the file may be used for, less the user's umask. A device such as /dev/stdout is written to as it is.
    """
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parts[:2] == ("/", "dev") or (path.exists() and not path.is_file()):
        path.write_bytes(data)
        return
    part = path.with_name(f".{path.name[:60]}.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
        part.replace(path)
    except OSError as error:  # the user knows the file, not what lies beside it
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):  # on a disk that can only be read
            part.unlink(missing_ok=True)


def write_private(path: Path, content: str | bytes) -> None:
    """Writes a file that only its owner may read."""
    write(path, content, 0o600)


def private_folder(path: Path) -> None:
    """Makes a folder that only its owner may enter, also where it was there before and others could."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)


def append_private(path: Path) -> IO[bytes]:
    """Opens a file to read and append to; one that was not there only its owner may read."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "a+b")
