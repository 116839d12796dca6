"""Where the project is, and the one way to write a file and to read it again.

Whoever reads a file while it is written sees the old one or the new one. Whoever reads one that was damaged since (a
power cut, a full disk, an editor, another program) gets a sentence with the file, what it holds, and what to do.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, NoReturn, TypeVar

from scripts.errors import FILE, INVALID, UserError, one_line
from scripts.shape import shaped

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 2**26  # bytes: nothing that this project keeps for itself, and holds in memory whole, is near this
T = TypeVar("T")


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


@contextmanager
def opened(path: Path, todo: str, name: str = "") -> Iterator[BinaryIO]:
    """Opens a file to be read; a `UserError` that ends with `todo` for all that is no file, or cannot be read.

    `name` is what the sentence calls the file. A pipe is not waited for. FileNotFoundError: there is none.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                refuse(name or path, "is no file", todo, FILE)
            yield file
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        refuse(name or path, f"cannot be read ({reason[:1].lower()}{reason[1:]})", todo, FILE)


def read(path: Path, todo: str, name: str = "", most: int = LARGEST) -> bytes | None:
    """Returns what a file holds, None where there is none; a `UserError` as `opened`, or where it holds too much."""
    try:
        with opened(path, todo, name) as file:
            large = os.fstat(file.fileno()).st_size > most
            content = b"" if large else file.read(most + 1)
    except FileNotFoundError:
        return None
    if large or len(content) > most:
        refuse(name or path, f"is larger than {most / 2**20:g} MiB, so it is not what belongs there", todo, FILE)
    return content


def read_text(path: Path, todo: str, name: str = "", most: int = LARGEST) -> str | None:
    """Returns the text of a file as `read` does."""
    content = read(path, todo, name, most)
    if content is None:
        return None
    try:
        text = content.decode().removeprefix("\ufeff")  # as editors on Windows begin
    except UnicodeDecodeError as error:
        refuse(name or path, f"not UTF-8 text (byte {error.start})", todo)
    if "\0" in text:
        refuse(name or path, "holds zeros, as where the power was lost", todo)
    return text


def read_json(path: Path, todo: str, kind: type[T], name: str = "", foreign: bool = False) -> T | None:
    """Returns the JSON of a file as `kind` (see `shape.shaped`), None where there is no file."""
    text = read_text(path, todo, name)
    if text is None:
        return None
    try:
        data = json.loads(text)
        if "\\u" in text:  # half of a pair of surrogates is no character, and could not be written again
            json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        refuse(name or path, f"is not JSON ({one_line(error) if text.strip() else 'it is empty'})", todo)
    return checked(path, todo, kind, data, name, foreign)


def checked(path: Path, todo: str, kind: type[T], data: Any, name: str = "", foreign: bool = False) -> T:
    """Returns the data of a file as `kind`; a `UserError` that ends with `todo` where it is something else."""
    try:
        return shaped(kind, data, foreign)
    except ValueError as error:
        refuse(name or path, str(error), todo)


def refuse(name: Path | str, found: str, todo: str, code: int = INVALID) -> NoReturn:
    """Raises the sentence about a file that is not what was written there, and what it holds may be unprintable."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in found)
    raise UserError(f"{name}: {shown}; {todo}", code) from None
