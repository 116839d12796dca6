"""Uploads: a blob is written beside its place, whole or in blocks, and moved there when it is complete."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.responses import Response

from scripts.local.core.state import State
from scripts.local.core.web import Call, received
from scripts.local.storage.blob_files import CHUNK, XML, BlobError, etag, headers, keep_md5, remember

# The service's limits, codes and words: learn.microsoft.com/rest/api/storageservices, Put Block List and Blob service
# error codes, read 2026-11.
MOST_BLOCKS, MOST_UNCOMMITTED = 50_000, 100_000
MOST_LIST_BYTES = MOST_BLOCKS * 256  # a block's line has some 120; what the service allows is unverified
WEEK = 7 * 86400.0  # seconds; Azure too keeps uncommitted blocks for a week
Part = tuple[Path, int, int]  # a file, and the start and the length of a part of it
_committing = asyncio.Lock()  # one list at a time, as a commit consumes blocks that another may be about to read


def tidy(state: State) -> None:
    """Removes what a kill left of uploads: files that were being received, and blocks that a week did not commit."""
    for path in state.home.uploads.iterdir():
        if path.is_file():
            path.unlink()
        elif time.time() - path.stat().st_mtime > WEEK:
            shutil.rmtree(path)


@contextlib.contextmanager
def _temporary(state: State) -> Iterator[Path]:
    """Gives a file that is removed unless the block moves it to its place, as when the client goes away."""
    path = state.home.uploads / uuid.uuid4().hex
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


async def put(call: Call, path: Path, key: str) -> Response:
    """Makes a blob of the body of the request."""
    with _temporary(call.state) as temporary:
        digest = await _receive(call, temporary)
        response = _publish(call, temporary, path, key)
        response.headers["Content-MD5"] = keep_md5(call.state, key, path.stat(), digest)
        return response


async def _receive(call: Call, target: Path) -> bytes:
    """Writes the body of a request to a file and returns its MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    with target.open("wb") as file:
        async for chunk in call.request.stream():
            file.write(chunk)
            digest.update(chunk)
    return digest.digest()


def _publish(call: Call, temporary: Path, path: Path, key: str) -> Response:
    if call.request.headers.get("if-none-match") == "*" and path.is_file():
        raise BlobError(409, "BlobAlreadyExists", "The specified blob already exists.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(path)
    except (NotADirectoryError, IsADirectoryError, FileExistsError):
        message = "A blob and a folder of the same name cannot lie side by side on this machine."
        raise BlobError(409, "BlobNameConflict", message) from None
    remember(call, key)
    return Response(status_code=201, headers={**headers(path.stat()), "x-ms-request-server-encrypted": "true"})


def _block_folder(call: Call, key: str) -> Path:
    return call.state.home.uploads / hashlib.sha256(key.encode()).hexdigest()


def _block_name(identifier: str) -> str:
    try:
        name = base64.b64decode(identifier, validate=True).hex()
    except ValueError:
        name = ""
    if not 0 < len(name) <= 128:
        message = f"Block id {identifier!r} is not base64 of 1 to 64 bytes."
        raise BlobError(400, "InvalidQueryParameterValue", message)
    return name


async def put_block(call: Call, key: str) -> Response:
    """Keeps a block until a list commits it."""
    target = _block_folder(call, key)
    name = _block_name(call.query.get("blockid", ""))
    with _temporary(call.state) as temporary:
        await _receive(call, temporary)
        target.mkdir(exist_ok=True)
        if not (target / name).exists() and sum(1 for _ in os.scandir(target)) >= MOST_UNCOMMITTED:
            message = f"The uncommitted block count cannot exceed the maximum limit of {MOST_UNCOMMITTED:,} blocks."
            raise BlobError(409, "BlockCountExceedsLimit", message)
        temporary.replace(target / name)
    return Response(status_code=201, headers=XML)


async def put_block_list(call: Call, path: Path, key: str) -> Response:
    """Makes a blob of blocks. As in Azure one may be of the blob's last list: two may upload the same at once."""
    body = await received(call.request, MOST_LIST_BYTES)
    if body is None:
        message = "The request body is too large and exceeds the maximum permissible limit."
        raise BlobError(413, "RequestBodyTooLarge", message)
    given = re.findall(r"<(?:Latest|Uncommitted|Committed)>([^<]+)</", body.decode(errors="replace"))
    if len(given) > MOST_BLOCKS:
        raise BlobError(400, "BlockListTooLong", f"The block list may not contain more than {MOST_BLOCKS:,} blocks.")
    names = [_block_name(each) for each in given]
    blocks = _block_folder(call, key)
    async with _committing:
        parts = _parts(blocks, names, path, _committed(call.state, path, key))
        with _temporary(call.state) as temporary:
            await asyncio.to_thread(_join, parts, temporary)
            response = _publish(call, temporary, path, key)
        place, committed = 0, {}
        for name, (_, _, length) in zip(names, parts, strict=True):
            committed[name] = [place, length]
            place += length
        call.state.store.put("blobs", "blocks", key, {"etag": etag(path.stat()), "blocks": committed})
        await asyncio.to_thread(shutil.rmtree, blocks, ignore_errors=True)
    return response


def _committed(state: State, path: Path, key: str) -> dict[str, Any]:
    """Returns the blocks that a blob was made of, with their start and length, unless it was replaced since."""
    document = state.store.get("blobs", "blocks", key)
    if document is None or not path.is_file() or document.body["etag"] != etag(path.stat()):
        return {}
    return document.body["blocks"]


def _parts(blocks: Path, names: list[str], path: Path, committed: dict[str, Any]) -> list[Part]:
    parts = []
    for name in names:
        block = blocks / name
        if block.is_file():
            parts.append((block, 0, block.stat().st_size))
        elif name in committed:
            parts.append((path, *committed[name]))
        else:
            raise BlobError(400, "InvalidBlockList", "The specified block list is invalid.")
    return parts


def _join(parts: list[Part], target: Path) -> None:
    """Writes parts of files one after another into a file."""
    with target.open("wb") as file:
        for source, start, length in parts:
            with source.open("rb") as opened:
                opened.seek(start)
                while length > 0 and (chunk := opened.read(min(CHUNK, length))):
                    file.write(chunk)
                    length -= len(chunk)
