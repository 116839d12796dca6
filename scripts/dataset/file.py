"""One file of rows: what it is called, and what it is, by the end of its name and by its first bytes, which win."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from scripts.errors import UserError

FORMATS = {".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "csv",
           ".arrow": "arrow"}  # fmt: skip  # .arrow is what `datasets` saves with save_to_disk
ZIP = "zip"
COMPRESSIONS = {".gz": "gz", ".zst": "zst", ".bz2": "bz2", ".xz": "xz", ".zip": ZIP}
READ = f"{', '.join(FORMATS)}, plain or with {', '.join(COMPRESSIONS)} behind it"
HEAD_BYTES = 64  # enough to tell what a file is
_TEXT = ("jsonl", "json", "csv")
_COMPRESSED = {b"\x1f\x8b": "gz", b"(\xb5/\xfd": "zst", b"BZh": "bz2", b"\xfd7zXZ\0": "xz"}
_ZIPPED = (b"PK\x03\x04", b"PK\x05\x06")
_REFUSED = {  # first bytes of what is no data here: what it is, and what to do
    b"\xff\xfe": ("UTF-16, expected UTF-8", "convert it with `iconv -f UTF-16 -t UTF-8`"),
    b"\xfe\xff": ("UTF-16, expected UTF-8", "convert it with `iconv -f UTF-16 -t UTF-8`"),
    b"version https://git-lfs": ("a pointer of Git LFS, not the data", "fetch the data with `git lfs pull`"),
    b"<!doctype html": ("a web page, not the data", "download the file itself, logged in where that is needed"),
    b"<html": ("a web page, not the data", "download the file itself, logged in where that is needed"),
    b"sqlite format 3": ("an SQLite database", "export the table as CSV or JSON Lines"),
    b"%pdf-": ("a PDF", "give the rows as JSON Lines"),
    b"7z\xbc\xaf'\x1c": ("a 7z archive", "unpack it, and give the folder"),
    b"rar!": ("a RAR archive", "unpack it, and give the folder"),
    b"\xd0\xcf\x11\xe0": ("an old Office document", "save the sheet as CSV (UTF-8)"),
}
_BY_NAME = {  # endings of what is known and not read
    ".tar": "a tar archive: unpack it", ".tgz": "a tar archive: unpack it", ".7z": "a 7z archive: unpack it",
    ".rar": "a RAR archive: unpack it", ".xlsx": "a workbook: save the sheet as CSV (UTF-8)",
    ".xls": "a workbook: save the sheet as CSV (UTF-8)",
}  # fmt: skip
_NOT_ROWS = re.compile(  # what libraries lay beside the rows
    r"(?:dataset_infos?|dataset_dict|state|manifest|metadata|package|package-lock|\w*config|tokenizer|special_tokens_map)"
    r"\.json"
)


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
    other_keys: set[str] = field(default_factory=set, compare=False, repr=False)  # keys that stand beside its rows


@dataclass(frozen=True)
class Unused:
    """A file, or something in one, that was found and is not read, and why."""

    label: str
    reason: str


def kind_of(name: str) -> tuple[str | None, str | None]:
    """Returns the format and the compression that a file's name tells, each None if it tells none."""
    path = PurePosixPath(name)
    compression = COMPRESSIONS.get(path.suffix.lower())
    if compression:
        path = path.with_suffix("")
    return FORMATS.get(path.suffix.lower()), compression


def stem_of(name: str) -> str:
    """Returns a file's name without its folder and without the endings that tell its format."""
    path = PurePosixPath(name)
    while path.suffix.lower() in (*FORMATS, *COMPRESSIONS):
        path = path.with_suffix("")
    return path.name


def not_read(name: str, with_zips: bool = False) -> str | None:
    """Returns why a file that was found among others is not read, by its name; None where it is."""
    path = PurePosixPath(name.lower())
    form, compression = kind_of(name)
    if path.name.startswith(".") or "__macosx" in path.parts:
        return "a hidden file"
    if _NOT_ROWS.fullmatch(path.name):
        return "describes the data, holds no rows"
    if form is not None or (with_zips and compression == ZIP):
        return None
    other = "an archive in an archive: unpack it" if compression == ZIP else "its name ends with no format that is read"
    return _by_name(name) or other


def _by_name(name: str) -> str | None:
    path = PurePosixPath(name.lower())
    return _BY_NAME.get(path.with_suffix("").suffix if path.suffix in COMPRESSIONS else path.suffix)


def told(label: str, head: bytes, form: str | None, compression: str | None) -> tuple[str, str | None]:
    """Returns the format and the compression of a file by its first bytes, where its name says otherwise too.

    A `UserError` says what it is where it cannot be read, and that an archive is damaged where its name says archive
    and its first bytes are neither that nor text.
    """
    for magic, (what, todo) in _REFUSED.items():
        if head.lower().startswith(magic.lower()):
            raise UserError(f"{label}: is {what}; {todo}")
    if head.startswith(b"PAR1"):
        return "parquet", None
    if head.startswith(_ZIPPED):
        return ZIP, None
    packed = next((name for magic, name in _COMPRESSED.items() if head.startswith(magic)), None)
    if packed is None and compression is not None and head and not _is_text(head):
        raise damaged(label, f"it does not begin as a {compression} archive does")
    if packed is not None and form not in (*_TEXT, None):
        raise UserError(f"{label}: is a {form} file inside a {packed} archive; unpack it: such a file is read in parts")
    if form is None and (other := _by_name(label)):
        raise UserError(f"{label}: is {other.replace(':', ';')}, and give what was in it")
    return form or "jsonl", packed


def damaged(label: str, reason: Any) -> UserError:
    """Returns the error for an archive that breaks off or is damaged: nobody knows what it held, so nothing is used."""
    words = " ".join(str(reason).split()) or type(reason).__name__
    return UserError(f"{label}: the archive is cut off or damaged ({words[:80]}); copy or download it again")


def unreadable(file: File, form: str, reason: Any) -> UserError:
    """Returns the error for a file that its library cannot read."""
    words = " ".join(str(reason).split()) or type(reason).__name__
    return UserError(
        f"{file.label}: cannot be read as {form} ({words[:120]}); copy or download it again, or save it anew"
    )


def _is_text(head: bytes) -> bool:
    if any(magic.startswith(head) for magic in (*_COMPRESSED, _ZIPPED[0])):  # all that is left of an archive
        return False
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(sign.isprintable() or sign in "\t\n\r" for sign in text)
