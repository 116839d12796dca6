"""Where an export goes: whole or not at all, whatever stops it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.errors import FILE, UserError

PART = ".export.part"  # in the folder: what is not ready yet, and what a killed run left there


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """Gives an empty folder to write to; what is in it at the end, and not hidden, is moved into `folder`.

    The largest first, so that nobody finds a small file that speaks of a large one which is not there.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is no folder; RESULT=<folder> names another", FILE)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / PART
    _delete(part)
    part.mkdir()
    try:
        yield part
        for ready in sorted(part.glob("[!.]*"), key=size, reverse=True):
            target = folder / ready.name
            if target.is_dir():  # no folder can be put in the place of one that holds something
                target.rename(part / f".{ready.name}.old")
            ready.replace(target)
    finally:
        _delete(part)


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
    if path.exists():
        shutil.rmtree(path)
