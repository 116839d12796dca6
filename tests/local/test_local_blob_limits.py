"""Blob storage: how many blocks are taken, and from where a signature may come. Codes and words are Azure's own."""

from __future__ import annotations

import asyncio
import base64
import datetime
import types

import pytest
import requests

from scripts.local.storage import uploads
from scripts.local.storage.blob_files import BlobError
from tests.local.wire import Wire


@pytest.fixture
def account(local):
    """The default container's account, its address, and the account's key."""
    store, wire = local.ml.datastores.get_default(), Wire(local)
    path = f"{wire.group}/providers/Microsoft.Storage/storageAccounts/{store.account_name}/listKeys"
    key = wire.ask("POST", path).json()["keys"][0]["value"]
    return store.account_name, f"https://{store.account_name}.blob.core.windows.net/{store.container_name}", key


def signed(account: str, key: str, **more: str) -> str:
    from azure.storage.blob import generate_account_sas

    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    return generate_account_sas(account, key, "sco", "rwdl", end, **more)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("<Latest>YQ==</Latest>" * 50_001, 400, "BlockListTooLong"),
        ("<Latest>YQ==</Latest>" * 50_000, 400, "InvalidBlockList"),  # as many as may be: it is looked for them
        (" " * 12_800_001, 413, "RequestBodyTooLarge"),
    ],
    ids=["one too many", "as many as may be", "too long"],
)
def test_a_list_of_blocks_has_a_limit(account, local, body, status, code):
    name, url, key = account
    address = f"{url}/{local.name('list')}?comp=blocklist&{signed(name, key)}"
    answer = requests.put(address, data=f"<BlockList>{body}</BlockList>", timeout=30)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (status, code)


def test_blocks_that_no_list_commits_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_UNCOMMITTED", 2)

    async def stream():
        yield b"x"

    def put(number: int) -> None:
        home = types.SimpleNamespace(uploads=tmp_path)
        query = {"blockid": base64.b64encode(bytes([number])).decode()}
        request = types.SimpleNamespace(stream=stream)
        call = types.SimpleNamespace(state=types.SimpleNamespace(home=home), query=query, request=request)
        asyncio.run(uploads.put_block(call, "account/container/blob"))  # type: ignore[arg-type]

    for number in (1, 2, 1, 2):
        put(number)
    with pytest.raises(BlobError) as caught:
        put(3)
    assert (caught.value.status, caught.value.code) == (409, "BlockCountExceedsLimit")
    assert len(list(tmp_path.rglob("*"))) == 3  # the folder of the two, and nothing half


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"protocol": "https"}, "BlobNotFound"),
        ({"protocol": "https,http"}, "BlobNotFound"),
        ({"protocol": "http"}, "AuthorizationProtocolMismatch"),
        ({"ip": "127.0.0.1"}, "BlobNotFound"),
        ({"ip": "127.0.0.0-127.0.0.9"}, "BlobNotFound"),
        ({"ip": "168.1.5.65"}, "AuthorizationSourceIPMismatch"),
        ({"ip": "127.0.0.2-127.0.0.9"}, "AuthorizationSourceIPMismatch"),
        ({"ip": "::1"}, "AuthorizationSourceIPMismatch"),
        ({"ip": "somewhere"}, "AuthorizationSourceIPMismatch"),
    ],
    ids=str,
)
def test_a_signature_says_from_where_and_over_what(account, how, code):
    name, url, key = account
    answer = requests.get(f"{url}/nothing-here?{signed(name, key, **how)}", timeout=10)
    assert answer.headers["x-ms-error-code"] == code, answer.text
    assert "127.0.0.1" in answer.text or code != "AuthorizationSourceIPMismatch"
