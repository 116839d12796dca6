"""Where rows come from: finds the files of a folder, a file, a glob or a hub repository, and sorts them into splits."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from scripts.dataset.archives import zipped
from scripts.dataset.checks import printable
from scripts.dataset.file import HEAD_BYTES, READ, ZIP, File, Unused, kind_of, not_read, told
from scripts.dataset.split_names import split_of
from scripts.errors import FILE, MISSING, UserError
from scripts.files import ROOT

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_ADDRESS = re.compile(r"([a-z][a-z0-9+]+):(?://)?(.*)", re.DOTALL)
_ON_HUB = re.compile(r"(?:huggingface\.co/)?datasets/([\w.-]+/[\w.-]+)")


@dataclass
class Source:
    """A set of splits, each a list of files. `identity` is what has to change for the rows to change."""

    asked: str
    kind: str  # hub, folder or files
    splits: dict[str, list[File]]
    identity: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    fallback: dict[str, str] | None = None
    unused: list[Unused] = field(default_factory=list)  # what was found and is not read


def is_hub_id(source: str) -> bool:
    """Tells a hub id (owner/name) from a path: it has one slash, and nothing of that name lies here."""
    return bool(HUB_ID.fullmatch(source)) and _here(source) is None and kind_of(source) == (None, None)


def local(source: str) -> Source:
    """Finds the files of a folder, a file or a glob; a `UserError` says what is missing."""
    if source != source.encode("utf-8", "replace").decode():
        raise UserError(f"dataset.source: {printable(source)}: a path that is not UTF-8; rename it", FILE)
    path = _here(source)
    unused: list[Unused] = []
    if path is not None and path.is_dir():
        found = list(_walk(path, unused))
    elif path is not None:
        found = [(path, printable(path.name))]
    else:
        found = _matching(source, unused)
    files: list[File] = []
    for place, label in found:
        if place.is_file():
            files += _files(place, label, unused)
    if not files:
        raise _nothing(source, path, unused)
    splits: dict[str, list[File]] = {}
    for file in files:
        splits.setdefault(split_of(file.label), []).append(file)
    for name, some in splits.items():  # an empty shard; what is a split of its own is checked for its rows
        if empty := [file for file in some if not file.size]:
            splits[name] = [file for file in some if file.size] or empty
            unused += [Unused(file.label, "it is empty") for file in empty if file not in splits[name]]
    kind = "folder" if path is not None and path.is_dir() else "files"
    stamps = {file.label: [file.size, Path(file.path).stat().st_mtime_ns] for file in files}
    return Source(source, kind, splits, {"kind": kind, "asked": source, "files": stamps}, unused=unused)


def is_there(source: str) -> bool:
    """Tells whether a path is that of something, or a glob matches."""
    return _here(source) is not None or bool(_glob(source))


def _here(source: str) -> Path | None:
    """Returns the path of something that exists: relative to the working folder, else to the project."""
    for path in (Path(os.path.expanduser(source)), ROOT / source):  # noqa: PTH111  # pathlib's raises for nobody's ~
        try:
            if source and path.exists():
                return path
        except PermissionError as error:
            _unreadable(error)
        except (OSError, ValueError):  # too long a name, a null in it
            return None
    return None


def _nothing(source: str, path: Path | None, unused: list[Unused]) -> UserError:
    if path is not None and not path.is_dir():
        return UserError(f"dataset.source: {source}: is neither a file nor a folder; save its rows in one", MISSING)
    if path is not None:
        seen = f"there is {unused[0].label}: {unused[0].reason}" if unused else f"expected {READ}"
        return UserError(f"dataset.source: {source}: no data file in this folder; {seen}", MISSING)
    what = "no file matches it" if glob.has_magic(source) else "there is no such file or folder"
    return UserError(
        f"dataset.source: {source}: {what}; give a hub id (owner/name), a folder, a file or a glob", MISSING
    )


def _walk(top: Path, unused: list[Unused]) -> Iterator[tuple[Path, str]]:
    """Yields the files below a folder that may hold rows, links followed, each once; the others go to `unused`."""

    def label_of(path: str | Path) -> str:
        return printable(Path(path).relative_to(top).as_posix())

    folders, files = {top.resolve(): "."}, dict[Path, str]()
    for at, below, names in os.walk(top, followlinks=True, onerror=_unreadable):
        for name in sorted(below):
            path = Path(at, name)
            real, label = path.resolve(), f"{label_of(path)}/"
            if name.startswith("."):
                unused.append(Unused(label, "a hidden folder"))
            elif real in folders:
                unused.append(Unused(label, f"the same folder as {folders[real]}"))
            else:
                folders[real] = label
                continue
            below.remove(name)
        below.sort()
        for name in sorted(names):
            path = Path(at, name)
            label = label_of(path)
            if reason := not_read(name, with_zips=True):
                unused.append(Unused(label, reason))
            elif not path.is_file():
                unused.append(Unused(label, "no file" if path.exists() else "a link to what is not there"))
            elif path.resolve() in files:
                unused.append(Unused(label, f"the same file as {files[path.resolve()]}"))
            else:
                files[path.resolve()] = label
                yield path, label


def _matching(source: str, unused: list[Unused]) -> list[tuple[Path, str]]:
    """Returns the files that a glob matches, labelled from its first folder that is no pattern on."""
    _refuse_address(source)
    if not glob.has_magic(source):
        return []
    paths = _glob(source)
    parts = Path(os.path.expanduser(source)).parts  # noqa: PTH111
    fixed = Path(*parts[: next(at for at, part in enumerate(parts) if glob.has_magic(part))])
    found = []
    is_any_known = any(not_read(path.name, with_zips=True) is None for path in paths)
    for path in paths:
        label = printable(path.relative_to(fixed).as_posix())
        if path.is_dir():
            unused += [] if "**" in source else [Unused(f"{label}/", "a folder, and the glob asks for files")]
        elif is_any_known and (reason := not_read(path.name, with_zips=True)):
            unused.append(Unused(label, reason))
        else:
            found.append((path, label))
    return found


def _glob(source: str) -> list[Path]:
    pattern = os.path.expanduser(source)  # noqa: PTH111
    return sorted(Path(each) for each in glob.glob(pattern, recursive=True))  # noqa: PTH207


def _unreadable(error: OSError) -> NoReturn:
    raise UserError(f"dataset.source: {error.filename}: cannot be read ({error.strerror})", FILE) from None


def _files(path: Path, label: str, unused: list[Unused]) -> list[File]:
    """Returns a file as one of rows, or the files that a zip holds."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        _unreadable(error)
    form, compression = told(label, head, *kind_of(label))
    if form == ZIP:
        files, others = zipped(path, label)
        unused += others
        return files
    return [File(str(path), label, path.stat().st_size, form, compression, lambda: path.open("rb"))]


def _refuse_address(source: str) -> None:
    """Refuses what is an address and no path, with the way to get at the data behind it."""
    match = _ADDRESS.fullmatch(source)
    if match is None:
        return
    scheme, rest = match.groups()
    rest = rest.rstrip("/")
    at = f"dataset.source: {source}"
    if scheme in ("http", "https", "hf") and (hub := _ON_HUB.match(rest)):
        raise UserError(f"{at}: an address of the hub; give the data set's id: {hub[1].partition('@')[0]}")
    name = rest.partition("?")[0].rpartition("/")[2] or "data"
    commands = {
        "http": f"curl -LO '{source}'", "https": f"curl -LO '{source}'", "ftp": f"curl -O '{source}'",
        "s3": f"aws s3 cp --recursive '{source}' data-in", "gs": f"gcloud storage cp -r '{source}' data-in",
    }  # fmt: skip
    if scheme in commands:
        given = "data-in" if scheme in ("s3", "gs") else name
        raise UserError(
            f"{at}: an address, and only files here are read; download it, `{commands[scheme]}`, and give {given}"
        )
    if scheme == "azureml":
        raise UserError(
            f"{at}: data of the workspace, which only a job can read; set dataset.where: azureml, which prepares it in "
            "the pipeline, or download it (`az ml data show` tells its path) and give the file"
        )
    if scheme in ("abfs", "abfss", "wasb", "wasbs", "adl"):
        raise UserError(
            f"{at}: an Azure storage address, and only files here are read; download it with azcopy and give the file, "
            f"or register it (`az ml data create --name chat-data --version 1 --type uri_file --path '{source}'`) and "
            "set dataset.source: azureml:chat-data:1 with dataset.where: azureml"
        )
    if scheme == "file":
        raise UserError(f"{at}: give the path without file: '{rest}'")
    if "//" in source:
        raise UserError(f"{at}: {scheme}: is an address that is not read; download it, and give the file or folder")
