"""Blob storage: containers are folders and blobs plain files under the home, so that jobs read and write them directly.

A blob is written beside its place and moved there when it is complete. Metadata lies in the store; the ETag is derived
from the file, so that it stays the same between ranges and across restarts.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import mimetypes
import os
import re
import secrets
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

from starlette.responses import Response, StreamingResponse

from scripts.local import identity, workspaces
from scripts.local.web import AzureError, Call, Routes

if TYPE_CHECKING:
    from scripts.local.emulator import Emulator

routes = Routes()
CHUNK = 1 << 20
WEEK = 7 * 86400.0  # seconds; Azure too keeps uncommitted blocks for a week
XML = {"x-ms-version": "2021-12-02"}


class BlobError(AzureError):
    """A refusal in the storage service's own shape: XML, and the code in a header too, as HEAD has no body."""

    def response(self) -> Response:
        """Returns the reply."""
        body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error>'
        return Response(body, self.status, {**XML, "x-ms-error-code": self.code}, "application/xml")


def folder(emulator: Emulator, account: str, container: str) -> Path:
    """Returns the folder of a container."""
    return emulator.home.blobs / account / container


def tidy(emulator: Emulator) -> None:
    """Removes what a kill left of uploads: files that were being received, and blocks that a week did not commit."""
    for path in emulator.home.uploads.iterdir():
        if path.is_file():
            path.unlink()
        elif time.time() - path.stat().st_mtime > WEEK:
            shutil.rmtree(path)


def safe(root: Path, name: str) -> Path:
    """Returns the file of a blob; refuses a name that would lie outside of its container's folder."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part or len(part.encode()) > 255 for part in parts):
        raise BlobError(400, "InvalidUri", f"The blob name {name!r} cannot be kept as a file on this machine.")
    return root.joinpath(*parts)


def etag(status: os.stat_result) -> str:
    """Returns the ETag of a file: changes with its content, and only then."""
    return f'"0x{status.st_mtime_ns:X}{status.st_size:X}"'


def _authorise(call: Call) -> None:
    signature = call.query.get("sig", "")
    if secrets.compare_digest(signature.encode(), call.emulator.credentials["sas_signature"].encode()):
        return
    try:
        audience = str(identity.read_token(call).get("aud", ""))
    except AzureError as error:
        raise BlobError(401, "NoAuthenticationInformation", error.message) from None
    if not audience.startswith("https://storage.azure.com"):
        raise BlobError(403, "AuthorizationFailure", f"The token is for {audience}, not for https://storage.azure.com.")


@routes("GET HEAD PUT DELETE", "/{rest:path}")
async def dispatch(call: Call) -> Response:
    """Answers a request to a storage account; errors are XML."""
    try:
        workspace = workspaces.by_account(call.emulator, call.words["account"])
        if workspace is None:
            raise BlobError(404, "ResourceNotFound", f"The account {call.words['account']} has nothing here.")
        _authorise(call)
        path = unquote(call.request.scope.get("raw_path", b"").decode("latin-1").split("?")[0].lstrip("/"))
        container, _, name = path.partition("/")
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", container):
            raise BlobError(400, "InvalidResourceName", f"{container!r} is not the name of a container.")
        root = folder(call.emulator, workspace.account, container)
        if not name:
            return _container(call, root, container)
        return await _blob(call, root, f"{workspace.account}/{container}/{name}", name)
    except BlobError as error:
        return error.response()
    except OSError as error:  # not a 5xx that the client would repeat for minutes
        return BlobError(
            507, "OutOfSpace", f"The blob cannot be kept in {call.emulator.home.root}: {error}."
        ).response()


def _container(call: Call, root: Path, container: str) -> Response:
    if call.query.get("restype") != "container":
        raise BlobError(400, "InvalidUri", "The request names a container, and not what to do with it.")
    if call.query.get("comp") == "list":
        return _list(call, root, container)
    if call.request.method == "PUT":
        root.mkdir(parents=True, exist_ok=True)
        return Response(status_code=201, headers=XML)
    if call.request.method in ("GET", "HEAD"):
        return Response(status_code=200, headers={**XML, "ETag": '"0x1"', "Last-Modified": formatdate(usegmt=True)})
    raise BlobError(405, "UnsupportedHttpVerb", f"{call.request.method} is not possible on a container here.")


async def _blob(call: Call, root: Path, key: str, name: str) -> Response:
    method, part = call.request.method, call.query.get("comp", "")
    if method in ("GET", "HEAD"):
        return _read(call, root, key, name)
    path = safe(root, name)
    if method == "DELETE":
        _status(path)
        path.unlink()
        call.emulator.store.delete("blobs", "metadata", key)
        return Response(status_code=202, headers=XML)
    if part == "metadata":
        status = _status(path)
        _remember(call, key)
        return Response(
            status_code=200,
            headers={**XML, "ETag": etag(status), "Last-Modified": formatdate(status.st_mtime, usegmt=True)},
        )
    if part == "block":
        return await _put_block(call, key)
    if part == "blocklist":
        return await _put_block_list(call, path, key)
    if part:
        raise BlobError(400, "InvalidQueryParameterValue", f"The local Azure ML does not emulate comp={part}.")
    if call.request.headers.get("x-ms-blob-type", "BlockBlob") != "BlockBlob":
        raise BlobError(400, "InvalidHeaderValue", "The local Azure ML has block blobs only.")
    temporary = await _receive(call)
    return _publish(call, temporary, path, key)


def _metadata(call: Call) -> dict[str, str]:
    headers = call.request.headers.items()
    return {key.lower()[len("x-ms-meta-") :]: value for key, value in headers if key.lower().startswith("x-ms-meta-")}


def _remember(call: Call, key: str) -> None:
    metadata = _metadata(call)
    if metadata:
        call.emulator.store.put("blobs", "metadata", key, metadata)
    else:
        call.emulator.store.delete("blobs", "metadata", key)


def _recall(emulator: Emulator, key: str) -> dict[str, str]:
    document = emulator.store.get("blobs", "metadata", key)
    return document.body if document else {}


async def _receive(call: Call) -> Path:
    """Returns a file with the body of the request; one that is not whole is removed, as when the client goes away."""
    temporary = call.emulator.home.uploads / uuid.uuid4().hex
    try:
        with temporary.open("wb") as file:
            async for chunk in call.request.stream():
                file.write(chunk)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _publish(call: Call, temporary: Path, path: Path, key: str) -> Response:
    if call.request.headers.get("if-none-match") == "*" and path.is_file():
        temporary.unlink()
        raise BlobError(409, "BlobAlreadyExists", "The specified blob already exists.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(path)
    except (NotADirectoryError, IsADirectoryError, FileExistsError):
        temporary.unlink()
        message = "A blob and a folder of the same name cannot lie side by side on this machine."
        raise BlobError(409, "BlobNameConflict", message) from None
    _remember(call, key)
    status = path.stat()
    headers = {**XML, "ETag": etag(status), "Last-Modified": formatdate(status.st_mtime, usegmt=True)}
    return Response(status_code=201, headers={**headers, "x-ms-request-server-encrypted": "true"})


def _block_folder(call: Call, key: str) -> Path:
    return call.emulator.home.uploads / hashlib.sha256(key.encode()).hexdigest()


def _block_name(identifier: str) -> str:
    try:
        return base64.b64decode(identifier, validate=True).hex()
    except ValueError:
        raise BlobError(400, "InvalidQueryParameterValue", f"Block id {identifier!r} is not base64.") from None


async def _put_block(call: Call, key: str) -> Response:
    target = _block_folder(call, key)
    name = _block_name(call.query.get("blockid", ""))
    temporary = await _receive(call)
    target.mkdir(exist_ok=True)
    temporary.replace(target / name)
    return Response(status_code=201, headers=XML)


async def _put_block_list(call: Call, path: Path, key: str) -> Response:
    text = (await call.request.body()).decode(errors="replace")
    blocks = _block_folder(call, key)
    names = [_block_name(each) for each in re.findall(r"<(?:Latest|Uncommitted|Committed)>([^<]+)</", text)]
    temporary = call.emulator.home.uploads / uuid.uuid4().hex
    await asyncio.to_thread(_join, [blocks / name for name in names], temporary)
    response = _publish(call, temporary, path, key)
    await asyncio.to_thread(shutil.rmtree, blocks, ignore_errors=True)
    return response


def _join(blocks: list[Path], target: Path) -> None:
    """Writes blocks one after another into a file."""
    try:
        with target.open("wb") as file:
            for block in blocks:
                with block.open("rb") as source:
                    shutil.copyfileobj(source, file, CHUNK)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, FileNotFoundError):
            raise BlobError(400, "InvalidBlockList", "The specified block list is invalid.") from None
        raise


def _status(path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        status = None
    if status is None or not path.is_file():
        raise BlobError(404, "BlobNotFound", "The specified blob does not exist.")
    return status


def _read(call: Call, root: Path, key: str, name: str) -> Response:
    if name.endswith("/"):
        raise BlobError(404, "BlobNotFound", "The specified blob does not exist.")
    path = safe(root, name)
    status = _status(path)
    headers = {
        **XML,
        "ETag": etag(status),
        "Last-Modified": formatdate(status.st_mtime, usegmt=True),
        "Accept-Ranges": "bytes",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": formatdate(status.st_ctime, usegmt=True),
        "Content-Type": mimetypes.guess_type(name)[0] or "application/octet-stream",
        **{f"x-ms-meta-{word}": value for word, value in _recall(call.emulator, key).items()},
    }
    wanted = call.request.headers.get("if-match")
    if wanted not in (None, "*", headers["ETag"]):
        raise BlobError(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
    if call.request.method == "HEAD":
        return Response(status_code=200, headers={**headers, "Content-Length": str(status.st_size)})
    span = re.fullmatch(
        r"bytes=(\d+)-(\d*)", call.request.headers.get("x-ms-range") or call.request.headers.get("range") or ""
    )
    first, last, code = 0, status.st_size - 1, 200
    if span:
        first, last, code = int(span[1]), min(int(span[2] or last), last), 206
        if first >= status.st_size or last < first:
            raise BlobError(416, "InvalidRange", "The range specified is invalid for the current size of the resource.")
        headers["Content-Range"] = f"bytes {first}-{last}/{status.st_size}"
    headers["Content-Length"] = str(last - first + 1)
    return StreamingResponse(_stream(path, first, last - first + 1), code, headers)


async def _stream(path: Path, first: int, length: int) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        while length > 0:
            chunk = file.read(min(CHUNK, length))
            if not chunk:
                return
            length -= len(chunk)
            yield chunk


def files(root: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """Yields (blob name, file) of the blobs whose name starts with a prefix, in the order of names."""
    start = root / prefix.rpartition("/")[0] if "/" in prefix else root
    if not start.is_relative_to(root) or ".." in Path(prefix).parts:
        return
    found = []
    for base, _, names in os.walk(start):
        for each in names:
            path = Path(base, each)
            name = path.relative_to(root).as_posix()
            if name.startswith(prefix):
                found.append((name, path))
    yield from sorted(found)


def _list(call: Call, root: Path, container: str) -> Response:
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    size = max(1, min(int(call.query.get("maxresults") or 5000), 5000))
    marker = call.query.get("marker", "")
    entries: list[str] = []
    seen: set[str] = set()
    following = ""
    for name, path in files(root, prefix):
        rest = name[len(prefix) :]
        group = prefix + rest.split(delimiter)[0] + delimiter if delimiter and delimiter in rest else ""
        key = group or name
        if key in seen or key < marker:
            continue
        if len(entries) == size:
            following = key
            break
        seen.add(key)
        with contextlib.suppress(FileNotFoundError):  # a job renames and removes files meanwhile
            entries.append(
                f"<BlobPrefix><Name>{escape(group)}</Name></BlobPrefix>"
                if group
                else _entry(call, container, name, path)
            )
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="https://{call.host}/" '
        f'ContainerName="{escape(container)}"><Prefix>{escape(prefix)}</Prefix><Blobs>{"".join(entries)}</Blobs>'
        f"<NextMarker>{escape(following)}</NextMarker></EnumerationResults>"
    )
    return Response(body, 200, XML, "application/xml")


def _entry(call: Call, container: str, name: str, path: Path) -> str:
    status = path.stat()
    metadata: dict[str, Any] = {}
    if "metadata" in call.query.get("include", ""):
        metadata = _recall(call.emulator, f"{call.words['account']}/{container}/{name}")
    words = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in metadata.items())
    return (
        f"<Blob><Name>{escape(name)}</Name><Properties><Creation-Time>{formatdate(status.st_ctime, usegmt=True)}</Creation-Time>"
        f"<Last-Modified>{formatdate(status.st_mtime, usegmt=True)}</Last-Modified><Etag>{etag(status).strip(chr(34))}</Etag>"
        f"<Content-Length>{status.st_size}</Content-Length><Content-Type>application/octet-stream</Content-Type>"
        f"<BlobType>BlockBlob</BlobType></Properties><Metadata>{words}</Metadata></Blob>"
    )
