"""The blob service: containers are folders and blobs plain files under the home, which jobs read and write directly."""

from __future__ import annotations

import contextlib
import mimetypes
import re
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

from starlette.responses import Response, StreamingResponse

from scripts.local.core import faults, lookup, tokens
from scripts.local.core.web import AzureError, Call, Routes
from scripts.local.storage import blob_signatures, shared_key, uploads
from scripts.local.storage.blob_files import (
    CHUNK,
    XML,
    BlobError,
    content_md5,
    etag,
    files,
    headers,
    recall,
    remember,
    safe,
    status_of,
)
from scripts.local.storage.uris import folder

routes = Routes()
LOG = re.compile(r"ExperimentRun/dcid\.[^/]+/(logs|user_logs)/.+")


def _authorise(call: Call, account: str, path: str) -> None:
    given = "sig" in call.query and blob_signatures.authorise(call, account, path)
    if "sig" in call.query or shared_key.is_signed(call, account):
        # With an identity the service signs by user delegation, which an account without shared keys takes too.
        if call.state.settings.datastore_auth == "accesskey" or not given:
            _fail(call, "blob.key")
        return
    try:
        audience = str(tokens.read_token(call).get("aud", ""))
    except AzureError as error:
        raise BlobError(401, "NoAuthenticationInformation", error.message) from None
    if audience.rstrip("/") != "https://storage.azure.com":
        raise BlobError(403, "AuthorizationFailure", f"The token is for {audience}, not for https://storage.azure.com.")


def _fail(call: Call, at: str) -> None:
    """Refuses what a fault says that the storage account refuses."""
    fault = faults.happening(call.state, at)
    if fault is not None:
        raise BlobError(fault.status, fault.code, fault.message)


@routes("GET HEAD PUT DELETE", "/{rest:path}", streams=True)
async def dispatch(call: Call) -> Response:
    """Answers a request to a storage account; errors are XML."""
    try:
        workspace = lookup.workspace_of_account(call.state, call.words["account"])
        if workspace is None:
            raise BlobError(404, "ResourceNotFound", f"The account {call.words['account']} has nothing here.")
        path = unquote(call.request.scope.get("raw_path", b"").decode("latin-1").split("?")[0].lstrip("/"))
        _authorise(call, workspace.account, path)
        container, _, name = path.partition("/")
        if call.request.method == "GET" and LOG.fullmatch(name):
            _fail(call, "blob.log")
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", container):
            raise BlobError(400, "InvalidResourceName", f"{container!r} is not the name of a container.")
        root = folder(call.state, workspace.account, container)
        if not name:
            return _container(call, root, container)
        return await _blob(call, root, f"{workspace.account}/{container}/{name}", name)
    except BlobError as error:
        return error.response()
    except OSError as error:  # not a 5xx, which the client would repeat for minutes
        return BlobError(413, "OutOfSpace", f"The blob cannot be kept in {call.state.home.root}: {error}.").response()


def _container(call: Call, root: Path, container: str) -> Response:
    if call.query.get("restype") != "container":
        raise BlobError(400, "InvalidUri", "The request names a container, and not what to do with it.")
    if call.query.get("comp") == "list":
        return _list(call, root, container)
    if call.request.method == "PUT":
        if root.is_dir():
            raise BlobError(409, "ContainerAlreadyExists", "The specified container already exists.")
        root.mkdir(parents=True)
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
        status_of(path)
        path.unlink()
        for kind in ("metadata", "blocks", "digest"):
            call.state.store.delete("blobs", kind, key)
        return Response(status_code=202, headers=XML)
    if part == "metadata":
        status = status_of(path)
        remember(call, key)
        return Response(status_code=200, headers={**headers(status), "x-ms-request-server-encrypted": "true"})
    if part == "block":
        return await uploads.put_block(call, key)
    if part == "blocklist":
        return await uploads.put_block_list(call, path, key)
    if part:
        raise BlobError(400, "InvalidQueryParameterValue", f"The local Azure ML does not emulate comp={part}.")
    if call.request.headers.get("x-ms-blob-type", "BlockBlob") != "BlockBlob":
        raise BlobError(400, "InvalidHeaderValue", "The local Azure ML has block blobs only.")
    return await uploads.put(call, path, key)


def _read(call: Call, root: Path, key: str, name: str) -> Response:
    if name.endswith("/"):
        raise BlobError(404, "BlobNotFound", "The specified blob does not exist.")
    path = safe(root, name)
    status = status_of(path)
    shown = {
        **headers(status),
        "Accept-Ranges": "bytes",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": formatdate(status.st_ctime, usegmt=True),
        "x-ms-lease-state": "available",
        "x-ms-lease-status": "unlocked",
        "x-ms-server-encrypted": "true",
        "Content-Type": mimetypes.guess_type(name)[0] or "application/octet-stream",
        **content_md5(call.state, key, status),
        **{f"x-ms-meta-{word}": value for word, value in recall(call.state, key).items()},
    }
    wanted = call.request.headers.get("if-match")
    if wanted not in (None, "*", shown["ETag"]):
        raise BlobError(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
    if call.request.method == "HEAD":
        return Response(status_code=200, headers={**shown, "Content-Length": str(status.st_size)})
    span = re.fullmatch(
        r"bytes=(\d+)-(\d*)", call.request.headers.get("x-ms-range") or call.request.headers.get("range") or ""
    )
    first, last, code = 0, status.st_size - 1, 200
    if span:
        first, last, code = int(span[1]), min(int(span[2] or last), last), 206
        if first >= status.st_size or last < first:
            message = "The range specified is invalid for the current size of the resource."
            raise BlobError(416, "InvalidRange", message, {"Content-Range": f"bytes */{status.st_size}"})
        shown["Content-Range"] = f"bytes {first}-{last}/{status.st_size}"
    shown["Content-Length"] = str(last - first + 1)
    return StreamingResponse(_stream(path, first, last - first + 1), code, shown)


async def _stream(path: Path, first: int, length: int) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        while length > 0:
            chunk = file.read(min(CHUNK, length))
            if not chunk:
                return
            length -= len(chunk)
            yield chunk


def _list(call: Call, root: Path, container: str) -> Response:
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    size = min(call.number("maxresults") or 5000, 5000)
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
        metadata = recall(call.state, f"{call.words['account']}/{container}/{name}")
    words = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in metadata.items())
    return (
        f"<Blob><Name>{escape(name)}</Name><Properties>"
        f"<Creation-Time>{formatdate(status.st_ctime, usegmt=True)}</Creation-Time>"
        f"<Last-Modified>{formatdate(status.st_mtime, usegmt=True)}</Last-Modified>"
        f"<Etag>{etag(status).strip(chr(34))}</Etag>"
        f"<Content-Length>{status.st_size}</Content-Length><Content-Type>application/octet-stream</Content-Type>"
        f"<BlobType>BlockBlob</BlobType></Properties><Metadata>{words}</Metadata></Blob>"
    )
