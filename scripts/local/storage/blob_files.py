"""What a blob is on this machine: its file, its ETag, which is derived from the file, and its metadata in the store."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from xml.sax.saxutils import escape

from starlette.responses import Response

from scripts.local.core.state import State
from scripts.local.core.web import AzureError, Call

CHUNK = 1 << 20  # bytes read and written at a time
XML = {"x-ms-version": "2021-12-02"}
META = "x-ms-meta-"


class BlobError(AzureError):
    """A refusal in the storage service's own shape: XML, and the code in a header too, as HEAD has no body."""

    def __init__(self, status: int, code: str, message: str, more: dict[str, str] | None = None) -> None:
        super().__init__(status, code, message)
        self.more = more or {}  # headers

    def response(self) -> Response:
        """Returns the reply."""
        error = f"<Error><Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error>"
        body = f'<?xml version="1.0" encoding="utf-8"?>{error}'
        return Response(body, self.status, {**XML, **self.more, "x-ms-error-code": self.code}, "application/xml")


def safe(root: Path, name: str) -> Path:
    """Returns the file of a blob; refuses a name that would lie outside of its container's folder."""
    parts = name.split("/")
    wrong = any(part in ("", ".", "..") or "\0" in part or len(part.encode()) > 255 for part in parts)
    if wrong or len(name) > 1024:  # the most that Azure takes
        raise BlobError(400, "InvalidUri", f"The blob name {name!r} cannot be kept as a file on this machine.")
    path = root.joinpath(*parts)
    if leads_away(root, path):
        raise BlobError(400, "InvalidUri", f"The blob name {name!r} leads over a symbolic link, which is not followed.")
    return path


def leads_away(root: Path, path: Path) -> bool:
    """Tells whether a path below a folder leads over a symbolic link, as a job may have left one to files of others."""
    return path.resolve() != root.resolve() / path.relative_to(root)


def links(folder: str, names: list[str]) -> list[str]:
    """Returns which names in a folder are symbolic links; `shutil.copytree` leaves out what its `ignore` returns."""
    return [name for name in names if Path(folder, name).is_symlink()]


def etag(status: os.stat_result) -> str:
    """Returns the ETag of a file: changes with its content, and only then."""
    return f'"0x{status.st_mtime_ns:X}{status.st_size:X}"'


def headers(status: os.stat_result) -> dict[str, str]:
    """Returns the headers that identify the state of a blob."""
    return {**XML, "ETag": etag(status), "Last-Modified": formatdate(status.st_mtime, usegmt=True)}


def status_of(path: Path) -> os.stat_result:
    """Returns the status of a blob's file; raises Azure's 404 where there is none."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        status = None
    if status is None or not path.is_file():
        raise BlobError(404, "BlobNotFound", "The specified blob does not exist.")
    return status


def files(root: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """Yields (blob name, file) of the blobs whose name starts with a prefix, in the order of names."""
    start = root / prefix.rpartition("/")[0] if "/" in prefix else root
    if not start.is_relative_to(root) or ".." in Path(prefix).parts or leads_away(root, start):
        return
    paths = (Path(folder, name) for folder, _, names in os.walk(start) for name in names)
    blobs = sorted((path.relative_to(root).as_posix(), path) for path in paths if not path.is_symlink())
    yield from (blob for blob in blobs if blob[0].startswith(prefix))


def remember(call: Call, key: str) -> None:
    """Stores the metadata that a request carries for a blob, in the place of what it had."""
    sent = call.request.headers.items()
    metadata = {name.lower()[len(META) :]: value for name, value in sent if name.lower().startswith(META)}
    if metadata:
        call.state.store.put("blobs", "metadata", key, metadata)
    else:
        call.state.store.delete("blobs", "metadata", key)


def recall(state: State, key: str) -> dict[str, str]:
    """Returns the metadata of a blob."""
    document = state.store.get("blobs", "metadata", key)
    return document.body if document else {}


def keep_md5(state: State, key: str, status: os.stat_result, digest: bytes) -> str:
    """Stores the MD5 of a blob that came in one piece, and returns it; Azure has none of one made of blocks."""
    text = base64.b64encode(digest).decode()
    state.store.put("blobs", "digest", key, {"etag": etag(status), "md5": text})
    return text


def content_md5(state: State, key: str, status: os.stat_result) -> dict[str, str]:
    """Returns the header with the MD5 of a blob, if it is known and the file is still the one that was received."""
    document = state.store.get("blobs", "digest", key)
    known = document is not None and document.body["etag"] == etag(status)
    return {"Content-MD5": document.body["md5"]} if document is not None and known else {}
