"""Where an export goes: whole or not at all, whatever stops it; what somebody else has there stays."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.errors import FILE, UserError

PART = ".export.part"  # in the folder: what is not ready yet, and what a killed run left there
SIGNS = {"README.md": b": a fine-tuned chat model, with its chat template, ", "Modelfile": b"\nPARAMETER num_ctx "}


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """Gives an empty folder to write to; what is in it at the end, and not hidden, is moved into `folder`.

    The largest first, so that nobody finds a small file that speaks of a large one which is not there. A second one
    waits until the first is done.
    """
    with suppress(FileExistsError, NotADirectoryError):
        folder.mkdir(parents=True, exist_ok=True)
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder; RESULT=<folder> names another", FILE)
    with _alone(folder):
        part = folder / PART
        _delete(part)
        part.mkdir()
        try:
            yield part
            ready = sorted(part.glob("[!.]*"), key=size, reverse=True)
            refuse_others(folder, *([each.name for each in ready if each.is_dir() == kind] for kind in (False, True)))
            for each in ready:
                target = folder / each.name
                if target.is_dir():  # no folder can be put in the place of one that holds something
                    target.rename(part / f".{each.name}.old")
                each.replace(target)
        finally:
            _delete(part)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Says what numpy's errors mean, which have no number and no file where a disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno:
            raise
        raise UserError(f"{path}: not all was written ({error}); make room on the disk", FILE) from None


def refuse_others(folder: Path, files: Iterable[str] = (), folders: Iterable[str] = ()) -> None:
    """Raises a `UserError` where one of these names is taken in a folder by what no export wrote."""
    for path in (folder / name for name in files):
        sign = SIGNS.get(path.name)
        _refuse_other(path, path.is_file() and (not sign or sign in path.read_bytes()))
    for path in (folder / name for name in folders):
        _refuse_other(path, (path / "config.json").is_file())


def _refuse_other(path: Path, own: bool) -> None:
    if not own and (path.exists() or path.is_symlink()):
        raise UserError(f"{path}: no export wrote it, and none replaces it; RESULT=<folder> names another folder", FILE)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"{folder}: another export is at work there; waiting until it ends", flush=True)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def size(path: Path) -> int:
    """Returns how many bytes a file holds, or all files of a folder."""
    return sum(each.stat().st_size for each in [path, *path.rglob("*")] if each.is_file())


def require_room(folder: Path, needed: int) -> None:
    """Raises a `UserError` where so many bytes do not fit on the disk of a folder."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{folder}: {needed / 1e9:.2f} GB do not fit into the "
            f"{free / 1e9:.2f} GB that are free; make room, or RESULT=<folder> names one on another disk",
            FILE,
        )


def _delete(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
