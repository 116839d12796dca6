"""What happens to files: power cuts, full disks, editors, merges, other versions, and other things in their place."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ODD: list[Any] = [None, True, False, 0, -1, 7, 1.5, 10**40, "", "x", "a\nb", "\x00", [], {}, [[]], {"x": 1}, ["x"] * 3]


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _huge(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(2**33)  # without a block on the disk


PLACES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "no text": lambda path: path.write_bytes(b"\xff\xfe" + path.read_bytes()),
    "folder": _folder,
    "pipe": _pipe,
    "loop": _loop,
    "huge": _huge,
}


def mutated(content: bytes, chance: random.Random, structure: str = "") -> bytes:
    """Returns a file's content in one of many kinds of disrepair; that of `structure` (json, yaml) in its data too."""
    if structure and chance.random() < 0.6:
        data = _changed(json.loads(content) if structure == "json" else yaml.safe_load(content), chance)
        return (json.dumps(data) if structure == "json" else yaml.safe_dump(data)).encode()
    at = chance.randrange(len(content) + 1)
    to = min(len(content), at + chance.randrange(1, 40))
    return chance.choice((
        lambda: content[:at],
        lambda: content[at:],
        lambda: content[:at] + content[to:],
        lambda: content[:at] + content[at:to] * chance.randrange(2, 9) + content[to:],
        lambda: content[:at] + bytes(to - at) + content[to:],
        lambda: content[:at] + chance.randbytes(to - at) + content[to:],
        lambda: content + content,
        lambda: chance.randbytes(len(content)),
        lambda: content[:at] + b"<<<<<<< ours\n" + content[at:to] + b"\n=======\n" + content[to:],
        lambda: content.replace(b"\n", b"\r\n"),
        lambda: b"\xef\xbb\xbf" + content,
        lambda: content[:at] + chance.choice((b"[", b"{", b'{"a":')) * 5000 + content[at:],
        lambda: content.replace(content[at:to] or b"x", b"\\ud800"),
    ))()  # fmt: skip


def _changed(data: Any, chance: random.Random) -> Any:
    """Returns data with one place of it changed: another type, a key less, a key more, a key of another name."""
    if not isinstance(data, dict | list) or not data or chance.random() < 0.1:
        return chance.choice(ODD)
    places = list(data) if isinstance(data, dict) else range(len(data))
    place = chance.choice(places)
    if isinstance(data, list):
        return [_changed(each, chance) if at == place else each for at, each in enumerate(data)]
    if chance.random() < 0.6:
        return {**data, place: _changed(data[place], chance)}
    rest = {key: value for key, value in data.items() if key != place}
    return chance.choice((rest, {**data, "of_a_newer_version": chance.choice(ODD)}, {**rest, f"{place}_": data[place]}))
