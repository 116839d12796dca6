"""Opens a file of rows as bytes: plain, out of gzip, zstd, bzip2, xz or a zip. An archive that is cut off always fails.

The standard library's readers of gzip and bzip2 take what follows a broken member for the end of the file, and
zstandard's takes a frame that breaks off for one; here every member has to end, and the next one to begin.
"""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from scripts.dataset.checks import printable
from scripts.dataset.file import HEAD_BYTES, ZIP, File, Unused, damaged, kind_of, not_read, told
from scripts.errors import FILE, UserError

PIECE_BYTES = 2**12  # unpacked at a time: the most wasteful archive makes 128 MB of them, ordinary text some 20 KB
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, struct.error)
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@contextmanager
def opened(file: File) -> Iterator[Any]:
    """Opens a file for reading bytes, unpacked; whatever is wrong with the archive comes out as one `UserError`."""
    try:
        with file.open() as raw:
            compression = file.compression
            if file.remote:  # of a local file the first bytes were looked at when it was found
                form, compression = told(file.label, raw.read(HEAD_BYTES), file.format, compression)
                raw.seek(0)
                if form != file.format:
                    raise UserError(f"{file.label}: is {form}, which its name does not say; rename it")
            yield raw if compression in (None, ZIP) else Unpacked(raw, str(compression))
    except OSError as error:
        if error.errno is None:  # bz2 raises it for damage, without a number
            raise damaged(file.label, error) from None
        raise UserError(f"{file.label}: cannot be read ({error.strerror})", FILE) from None
    except _DAMAGE as error:
        raise damaged(file.label, error) from None
    except Exception as error:
        if type(error).__name__ == "ZstdError":  # known by its name, without importing zstandard for other files
            raise damaged(file.label, error) from None
        raise


class Unpacked(io.RawIOBase):
    """Unpacks an archive member by member; raises EOFError where the file ends within one."""

    def __init__(self, raw: BinaryIO, compression: str) -> None:
        self._raw, self._new = raw, _decoder(compression)
        self._member: Any = None
        self._ready = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Returns the bytes of the packed file that were read."""
        return self._raw.tell()

    def readinto(self, buffer: Any) -> int:
        """Fills `buffer`; returns how many bytes came, 0 at the end."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """Returns `size` bytes, fewer at the end."""
        pieces, there = [self._ready], len(self._ready)
        while (there < size or size < 0) and (piece := self._next()):
            pieces.append(piece)
            there += len(piece)
        data = b"".join(pieces)
        end = len(data) if size < 0 else size
        self._ready = data[end:]
        return data[:end]

    def _next(self) -> bytes:
        """Returns what the next piece of the file unpacks to, or nothing at its end."""
        while packed := self._raw.read(PIECE_BYTES):
            if data := b"".join(self._members(packed)):
                return data
        if self._member is not None:
            raise EOFError("it ends within a member")
        return b""

    def _members(self, packed: bytes) -> Iterator[bytes]:
        while packed:
            if self._member is None:
                packed = packed.lstrip(b"\0")  # tapes and xz pad with zeros
                if not packed:
                    return
                self._member = self._new()
            yield self._member.decompress(packed)
            if not self._member.eof:
                return
            packed, self._member = self._member.unused_data, None


def _decoder(compression: str) -> Any:
    if compression == "zst":
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj
    return {"gz": partial(zlib.decompressobj, 31), "bz2": bz2.BZ2Decompressor, "xz": lzma.LZMADecompressor}[compression]


def zipped(path: Path, label: str) -> tuple[list[File], list[Unused]]:
    """Returns the files of rows in a zip, and what else it holds."""
    files, unused = [], []
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (*_DAMAGE, ValueError, OverflowError) as error:
        raise damaged(label, error) from None
    if any(member.filename == "[Content_Types].xml" for member in members):
        raise UserError(f"{label}: is an Office document; save the sheet as CSV (UTF-8)")
    for member in members:
        name = f"{label}/{printable(member.filename)}"
        form, compression = kind_of(member.filename)
        if reason := not_read(member.filename):
            unused.append(Unused(name, reason))
        elif member.flag_bits & 1:
            raise UserError(f"{name}: is locked with a password; unpack the archive, and give the folder")
        elif member.compress_type not in _ZIP_METHODS:
            raise UserError(f"{name}: is packed in a way that is not read; unpack the archive, and give the folder")
        else:
            files.append(_member(path, name, member, str(form), compression))
    if not files:
        raise UserError(f"{label}: this zip holds no file of rows; unpack it, and give what is in it")
    return files, unused


def _member(path: Path, label: str, member: zipfile.ZipInfo, form: str, compression: str | None) -> File:
    open_member = partial(_open_member, path, member)
    file = File(str(path), label, member.file_size, form, ZIP, open_member)
    with opened(file) as stream:
        form, compression = told(label, stream.read(HEAD_BYTES), form, compression)
    if form in ("parquet", "arrow", ZIP):
        raise UserError(f"{label}: a {form} file cannot be read inside a zip; unpack it, and give the folder")
    return File(str(path), label, member.file_size, form, compression or ZIP, open_member)


def _open_member(path: Path, member: zipfile.ZipInfo) -> Any:
    return zipfile.ZipFile(path).open(member)
