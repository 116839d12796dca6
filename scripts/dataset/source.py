"""Where rows come from: finds the files of a folder, a file, a glob or a hub repository, and sorts them into splits."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from scripts.dataset.settings import CUT, is_cut
from scripts.errors import MISSING, UserError, suggest
from scripts.files import ROOT

FORMATS = {".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "csv",
           ".arrow": "arrow"}  # fmt: skip  # .arrow is what `datasets` saves with save_to_disk
COMPRESSIONS = {".gz": "gz", ".zst": "zst"}
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_SHARD = re.compile(r"^(?P<split>.*?)[-_.]?\d+-of-\d+.*$")
_ANONYMOUS = re.compile(r"^(?:part|shard|chunk|data|file|batch)?[-_.]?\d*$")
_NOT_ROWS = re.compile(r"^(?:dataset_infos?|dataset_dict|state|manifest|package|package-lock|config)\.json$|^\.")


@dataclass(frozen=True)
class File:
    """One file of rows: where it lies, what messages call it, and how to read it."""

    path: str
    label: str
    size: int
    format: str
    compression: str | None
    open: Callable[[], BinaryIO] = field(compare=False, repr=False)
    remote: bool = False


@dataclass
class Source:
    """A set of splits, each a list of files. `identity` is what has to change for the rows to change."""

    asked: str
    kind: str  # hub, folder or files
    splits: dict[str, list[File]]
    identity: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    fallback: dict[str, str] | None = None


def kind_of(name: str) -> tuple[str | None, str | None]:
    """Returns the format and the compression that a file's name tells, each None if it tells none."""
    path = Path(name)
    compression = COMPRESSIONS.get(path.suffix.lower())
    if compression:
        path = path.with_suffix("")
    return FORMATS.get(path.suffix.lower()), compression


def is_hub_id(source: str) -> bool:
    """Tells a hub id (owner/name) from a path: it has one slash, and nothing of that name lies here."""
    return bool(HUB_ID.fullmatch(source)) and _here(source) is None and kind_of(source) == (None, None)


def local(source: str) -> Source:
    """Finds the files of a folder, a file or a glob; a `UserError` says what is missing."""
    path = _here(source)
    if path is not None and path.is_dir():
        files = [
            _file(each, each.relative_to(path).as_posix())
            for each in sorted(path.rglob("*"))
            if each.is_file() and kind_of(each.name)[0] and not _NOT_ROWS.search(each.name)
            and not any(part.startswith(".") for part in each.relative_to(path).parts)
        ]  # fmt: skip
        if not files:
            expected = f"{', '.join(FORMATS)}, plain, .gz or .zst"
            raise UserError(f"dataset.source: {source}: no data file in this folder; expected {expected}", MISSING)
        return _source(source, "folder", files)
    found = [path] if path else sorted(Path(each) for each in glob.glob(source, recursive=True))  # noqa: PTH207
    files = [_file(each, each.name) for each in found if each.is_file()]
    if not files:
        what = "no file matches it" if glob.has_magic(source) else "there is no such file or folder"
        raise UserError(
            f"dataset.source: {source}: {what}; give a hub id (owner/name), a folder, a file or a glob", MISSING
        )
    return _source(source, "files", files)


def split_of(label: str) -> str:
    """Returns the split that a file's path tells: `data/train_sft-00000-of-00003.parquet` is of train_sft."""
    path = Path(label)
    stem = path.name
    while kind_of(stem) != (None, None):
        stem = Path(stem).stem
    shard = _SHARD.match(stem)
    name = shard["split"] if shard else stem
    if _ANONYMOUS.match(name) and path.parent.name not in ("", "data"):
        return path.parent.name
    return name or "train"


def choose(
    source: Source, splits: dict[str, str | float | None], foreign: bool = False
) -> dict[str, str | float | None]:
    """Binds train, validation, test and heldout to splits that the source has, or to fractions of train.

    A hub set or a folder must have what the values name. Plain files, a fallback and a `foreign` source, which the
    values were not written for, have their own names: there the split of the same kind is taken, or a cut, and a note
    says so.
    """
    names = list(source.splits)
    lenient = foreign or source.kind == "files" or source.fallback is not None
    bound: dict[str, str | float | None] = {}
    for part, wanted in splits.items():
        if lenient and is_cut(wanted) and isinstance(own := _nearest(part, names, source), str):
            bound[part] = own
            source.notes.append(
                f"{source.asked} has its own split '{own}': {part} takes it, and nothing is cut from train"
            )
        elif wanted is None or is_cut(wanted) or wanted in names:
            bound[part] = wanted
        elif not lenient:
            raise UserError(
                f"dataset.splits.{part}: {source.asked} has no split '{wanted}'{suggest(wanted, names)}; "
                f"it has {', '.join(names)}; name one of them, or a fraction to cut from train"
            )
        else:
            bound[part] = _nearest(part, names, source)
            if part != "heldout" or bound[part] is not None:
                instead = f"{100 * CUT:g} % of train" if is_cut(bound[part]) else bound[part] or "every row"
                source.notes.append(f"{source.asked} has no split '{wanted}': {part} takes {instead}")
    if bound["train"] is None and len(names) > 1:
        others = {name for name in bound.values() if isinstance(name, str)}
        left = [name for name in names if name not in others]
        named = [name for name in left if name.startswith("train")]
        bound["train"] = named[0] if named else None
        if not named and (others or source.kind != "files"):
            raise UserError(f"dataset.splits.train: {source.asked} has {', '.join(names)}; name the one to train on")
    return bound


def _nearest(part: str, names: list[str], source: Source) -> str | float | None:
    starts = {
        "train": ("train",),
        "validation": ("val", "dev", "eval"),
        "test": ("test",),
        "heldout": ("test_gen", "heldout"),
    }
    if source.kind == "files" and len(names) == 1:
        near = []
    else:
        near = sorted((name for name in names if name.startswith(starts[part])), key=lambda name: "gen" in name)
    if near:
        return near[0]
    return None if part in ("train", "heldout") else CUT


def _here(source: str) -> Path | None:
    """Returns the path of something that exists: relative to the working folder, else to the project."""
    for path in (Path(source).expanduser(), ROOT / source):
        if source and path.exists():
            return path
    return None


def _file(path: Path, label: str) -> File:
    form, compression = kind_of(path.name)
    return File(str(path), label, path.stat().st_size, form or "jsonl", compression, lambda: path.open("rb"))


def _source(asked: str, kind: str, files: list[File]) -> Source:
    splits: dict[str, list[File]] = {}
    for file in files:
        splits.setdefault(split_of(file.label), []).append(file)
    stamps = {file.label: [file.size, Path(file.path).stat().st_mtime_ns] for file in files}
    return Source(asked, kind, splits, {"kind": kind, "asked": asked, "files": stamps})
