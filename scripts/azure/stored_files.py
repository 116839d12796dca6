"""The files of an asset as the workspace's storage has them: listed without a download, or read piece by piece."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from scripts.azure.sdk_private import StoredFile


def fingerprint(files: Iterable[StoredFile]) -> str:
    """Returns a hash of a listing, by path, size and ETag, which the storage changes whenever a file is written.

    The storage has Content-MD5 of what came in one piece alone, and takes whatever a client calls so: it is left out.
    """
    told = hashlib.sha256()
    for file in sorted(files, key=lambda each: each.name):
        told.update(f"{file.name}\0{file.size}\0{file.etag}\n".encode())
    return f"sha256:{told.hexdigest()}"
