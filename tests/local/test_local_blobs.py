"""Blob storage: what the SDK's uploads and downloads rely on, and the traps that azure-storage-blob would show."""

from __future__ import annotations

import base64
import datetime
import http.client
import os
import ssl
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.local.wire import Wire


@pytest.fixture
def container(local):
    """The storage SDK's client of the default container, by shared access signature."""
    from azure.storage.blob import ContainerClient

    store = local.ml.datastores.get_default(include_secrets=True)
    url = f"https://{store.account_name}.blob.core.windows.net/{store.container_name}?{store.credentials.sas_token}"
    return ContainerClient.from_container_url(url)


def test_what_was_uploaded_comes_back(container, local):
    name = f"{local.name('folder')}/späße & <co>.txt"
    container.upload_blob(name, b"content", metadata={"upload_status": "completed"})
    assert container.download_blob(name).readall() == b"content"
    properties = container.get_blob_client(name).get_blob_properties()
    assert (properties.size, properties.metadata) == (7, {"upload_status": "completed"})
    (listed,) = container.list_blobs(name_starts_with=name[:-4], include=["metadata"])
    assert (listed.name, listed.size, listed.metadata) == (name, 7, {"upload_status": "completed"})


def test_blocks_arrive_in_any_order_and_are_put_together_in_theirs(container, local):
    content = os.urandom(9 * 1024 * 1024 + 1)
    name = local.name("large")
    container.get_blob_client(name).upload_blob(content, max_concurrency=4, length=len(content))
    assert container.download_blob(name, max_concurrency=4).readall() == content
    from azure.storage.blob import BlobBlock

    blob = container.get_blob_client(local.name("blocks"))
    for identifier in ("b", "a"):
        blob.stage_block(identifier, identifier.encode())
    with pytest.raises(HttpResponseError) as caught:
        blob.commit_block_list([BlobBlock("a"), BlobBlock("c")])
    assert caught.value.error_code == "InvalidBlockList"
    blob.commit_block_list([BlobBlock("a"), BlobBlock("b")])
    assert blob.download_blob().readall() == b"ab"


def test_the_upload_of_a_large_file_by_the_sdk(local):
    from azure.ai.ml.entities import Data

    path = local.folder / "large.jsonl"
    path.write_bytes(os.urandom(1024) * (70 * 1024))  # over 64 MiB, so that it goes in blocks, 16 at a time
    name = local.name("large")
    asset = local.ml.data.create_or_update(Data(name=name, version="1", path=str(path), type="uri_file"))
    stored = next(local.emulated.home.glob(f"blobs/*/*/{asset.path.partition('/paths/')[2]}"))
    assert stored.read_bytes() == path.read_bytes()


def test_the_same_blocks_are_committed_by_two_clients(container, local):
    """As two runs of one chain do at once: the second commits blocks that the first has committed already."""
    from azure.storage.blob import BlobBlock

    blob = container.get_blob_client(local.name("twice"))
    for identifier in ("a", "b"):
        blob.stage_block(identifier, identifier.encode() * 3)
    both = [BlobBlock("a"), BlobBlock("b")]
    blob.commit_block_list(both)
    blob.commit_block_list(both)
    assert blob.download_blob().readall() == b"aaabbb"
    blob.stage_block("b", b"new")
    blob.commit_block_list([BlobBlock("b"), BlobBlock("a")])
    assert blob.download_blob().readall() == b"newaaa"
    blob.upload_blob(b"other", overwrite=True)
    with pytest.raises(HttpResponseError) as caught:
        blob.commit_block_list(both)
    assert caught.value.error_code == "InvalidBlockList"


def test_a_blob_that_cannot_be_kept_is_refused_at_once(container, local):
    uploads = local.emulated.home / "uploads"
    uploads.rename(uploads.with_name("away"))
    try:
        with pytest.raises(HttpResponseError) as caught:
            container.upload_blob(local.name("x"), b"1")
    finally:
        uploads.with_name("away").rename(uploads)
    assert (caught.value.status_code, caught.value.error_code) == (413, "OutOfSpace")


def test_ranges_and_empty_blobs(container, local):
    name = local.name("range")
    container.upload_blob(name, b"0123456789")
    assert container.download_blob(name, offset=2, length=3).readall() == b"234"
    assert container.download_blob(name, offset=8, length=100).readall() == b"89"
    container.upload_blob(name + "-empty", b"")
    assert container.download_blob(name + "-empty").readall() == b""


def test_an_etag_changes_with_the_content_only(container, local):
    blob = container.get_blob_client(local.name("etag"))
    blob.upload_blob(b"1")
    first = blob.get_blob_properties().etag
    blob.set_blob_metadata({"a": "b"})
    assert blob.get_blob_properties().etag == first
    blob.upload_blob(b"2", overwrite=True)
    assert blob.get_blob_properties().etag != first


def test_nothing_is_overwritten_by_mistake(container, local):
    name = local.name("once")
    container.upload_blob(name, b"1")
    with pytest.raises(ResourceExistsError):
        container.upload_blob(name, b"2")
    assert container.download_blob(name).readall() == b"1"
    with pytest.raises(ResourceExistsError):
        container.upload_blob(f"{name}/below", b"2")  # a file cannot also be a folder here


def test_what_is_not_there(container, local):
    with pytest.raises(ResourceNotFoundError):
        container.download_blob(local.name("nothing"))
    with pytest.raises(ResourceNotFoundError):
        container.get_blob_client(local.name("nothing") + "/").get_blob_properties()
    assert list(container.list_blobs(name_starts_with="nothing/at/all")) == []


def raw(local, account, method, path):
    """Sends a request whose path no client has tidied up, and returns the status."""
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    connection = http.client.HTTPSConnection(
        "127.0.0.1", local.emulated.record["proxy_port"], context=context, timeout=10
    )
    key = urlsplit(os.environ["HTTPS_PROXY"]).netloc.rpartition("@")[0]
    headers = {"Proxy-Authorization": f"Basic {base64.b64encode(key.encode()).decode()}"}
    connection.set_tunnel(f"{account}.blob.core.windows.net", 443, headers)
    connection.request(method, path, b"1" if method == "PUT" else None)
    return connection.getresponse().status


def test_names_stay_inside_the_container(container, local):
    sas = container.url.partition("?")[2]
    for name in (
        "../../credentials.json",
        "a/../../b",
        "a//b",
        "%2e%2e/%2e%2e/%2e%2e/credentials.json",
        "a%2f..%2f..%2fb",
        "a%00b",
    ):
        for method in ("PUT", "GET"):
            path = f"/{container.container_name}/{name}?{sas}"
            assert raw(local, container.account_name, method, path) == 400, (method, name)
    assert raw(local, container.account_name, "GET", f"/..%2f..?restype=container&comp=list&{sas}") == 400
    for prefix in ("../", "../../"):
        assert list(container.list_blobs(name_starts_with=prefix)) == []


def test_listing_by_folder_and_by_page(container, local):
    folder = local.name("list")
    for name in ("a/1", "a/2", "b/1", "c"):
        container.upload_blob(f"{folder}/{name}", b"")
    walked = [item.name for item in container.walk_blobs(f"{folder}/")]
    assert walked == [f"{folder}/a/", f"{folder}/b/", f"{folder}/c"]
    pages = list(container.list_blobs(name_starts_with=folder, results_per_page=3).by_page())
    assert [[blob.name.partition("/")[2] for blob in page] for page in pages] == [["a/1", "a/2", "b/1"], ["c"]]


def test_a_stranger_gets_nothing(container, local):
    account = container.account_name
    url = f"https://{account}.blob.core.windows.net/{container.container_name}/x"
    assert requests.get(url, timeout=10).status_code == 401
    assert requests.get(f"{url}?sig=wrong", timeout=10).status_code == 403


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("as it is", "BlobNotFound"),
        ("expired", "AuthenticationFailed"),
        ("not yet", "AuthenticationFailed"),
        ("longer than signed", "AuthenticationFailed"),
        ("wrong key", "AuthenticationFailed"),
        ("other account", "AuthenticationFailed"),
        ("write only", "AuthorizationPermissionMismatch"),
        ("list only", "AuthorizationPermissionMismatch"),
        ("services only", "AuthorizationResourceTypeMismatch"),
        ("of queues", "AuthorizationServiceMismatch"),
        ("one container", "BlobNotFound"),
        ("other container", "AuthenticationFailed"),
        ("no end", "AuthenticationFailed"),
    ],
)
def test_a_signature_opens_what_it_is_for_and_as_long(container, local, how, code):
    """Signed by the storage SDK with the account's key, which the emulator's own signatures are held against too."""
    from azure.storage.blob import Services, generate_account_sas, generate_container_sas

    words = local.emulated.workspace
    group = f"/subscriptions/{words['subscription_id']}/resourceGroups/{words['resource_group']}"
    path = f"{group}/providers/Microsoft.Storage/storageAccounts/{container.account_name}/listKeys"
    key = Wire(local).ask("POST", path).json()["keys"][0]["value"]
    account, now = container.account_name, datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    permission, start = {"write only": "w", "list only": "l"}.get(how, "rl"), None
    expiry = now - hour if how == "expired" else now + hour
    if how == "wrong key":
        key = base64.b64encode(b"k" * 64).decode()
    if how == "other account":
        account = "another"
    if how == "not yet":
        start = now + hour / 2
    if "container" in how:
        name = container.container_name if how == "one container" else "other"
        sas = generate_container_sas(account, name, account_key=key, permission=permission, expiry=expiry)
    else:
        services = Services(queue=True) if how == "of queues" else Services(blob=True)
        kinds = "s" if how == "services only" else "sco"
        sas = generate_account_sas(account, key, kinds, permission, expiry, start, services=services)
    if how == "longer than signed":
        sas = sas.replace(f"se={expiry:%Y}", f"se={expiry.year + 1}")
    if how == "no end":
        sas = "&".join(part for part in sas.split("&") if not part.startswith("se="))
    url = container.primary_endpoint.partition("?")[0]
    answer = requests.get(f"{url}/nothing-here?{sas}", timeout=10)
    assert answer.headers["x-ms-error-code"] == code, answer.text


@pytest.mark.parametrize(("kind", "permission", "status"), [("c", "l", 200), ("c", "r", 403), ("b", "rl", 403)])
def test_to_list_a_container_takes_a_signature_of_it_for_that(container, local, kind, permission, status):
    from azure.storage.blob import generate_blob_sas, generate_container_sas

    words = local.emulated.workspace
    group = f"/subscriptions/{words['subscription_id']}/resourceGroups/{words['resource_group']}"
    path = f"{group}/providers/Microsoft.Storage/storageAccounts/{container.account_name}/listKeys"
    given = {
        "account_key": Wire(local).ask("POST", path).json()["keys"][0]["value"],
        "permission": permission,
        "expiry": datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1),
    }
    account, name = container.account_name, container.container_name
    if kind == "c":
        sas = generate_container_sas(account, name, **given)
    else:
        sas = generate_blob_sas(account, name, "", **given)
    url = f"{container.primary_endpoint.partition('?')[0]}?restype=container&comp=list&{sas}"
    assert requests.get(url, timeout=10).status_code == status


def test_what_the_service_gives_out_ends_within_two_days(container):
    query = parse_qs(urlsplit(container.url).query)
    ends = datetime.datetime.fromisoformat(query["se"][0]) - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=1) <= ends < datetime.timedelta(days=2, minutes=1)


def test_the_same_content_is_uploaded_once(local):
    from azure.ai.ml.entities import Data

    log = local.emulated.home
    path = local.rows(31)
    for version in ("1", "2"):
        asset = local.ml.data.create_or_update(Data(name="same", version=version, path=str(path), type="uri_file"))
    found = list(log.glob(f"blobs/*/*/{asset.path.partition('/paths/')[2]}"))
    stored = found[0].stat().st_mtime_ns
    local.ml.data.create_or_update(Data(name="same", version="3", path=str(path), type="uri_file"))
    assert found[0].stat().st_mtime_ns == stored


def test_the_check_for_a_newer_cli_finds_nothing(local):
    answer = requests.get("https://azcliprod.blob.core.windows.net/cli/azure-cli-core/setup.py", timeout=10)
    assert answer.status_code == 404
