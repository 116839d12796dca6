"""Datastores on the wire, keys and identities, and a storage account that forbids keys."""

from __future__ import annotations

import subprocess
import sys

import pytest
from azure.ai.ml.exceptions import JobException
from azure.core.exceptions import HttpResponseError

from tests.conftest import WORKSPACE, Emulated, enter
from tests.local.conftest import FAKES, MODEL, Local
from tests.local.wire import Wire

ELSEWHERE = {
    "datastoreType": "AzureBlob",
    "accountName": "elsewhere",
    "containerName": "rows",
    "endpoint": "core.windows.net",
    "protocol": "https",
    "credentials": {"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey", "key": "c2VjcmV0"}},
}


@pytest.fixture
def wire(local):
    """Requests to the workspace."""
    return Wire(local)


def test_a_datastore_is_kept_without_its_secrets(wire, local):
    path = f"datastores/{local.name('store').replace('-', '_')}"
    assert wire.put(path, **ELSEWHERE).status_code == 201
    assert wire.put(path, **ELSEWHERE, tags={"a": "b"}).status_code == 200
    properties = wire.get(path)["properties"]
    assert (properties["credentials"], properties["tags"]) == ({"credentialsType": "AccountKey"}, {"a": "b"})
    assert (properties["isDefault"], properties["serviceDataAccessAuthIdentity"]) == (False, "None")
    secrets = wire.ask("POST", f"{path}/listSecrets").json()
    assert secrets == {"secretsType": "AccountKey", "key": "c2VjcmV0"}
    assert path.partition("/")[2] in [each.name for each in local.ml.datastores.list()]
    assert [wire.ask("DELETE", path).status_code for _ in range(2)] == [200, 204]
    words = f"Could not find datastore: {path.partition('/')[2]}."
    assert wire.refused("GET", path) == (404, "NotFoundError", words)


def test_what_lies_elsewhere_cannot_be_read(wire, local):
    name = local.name("store").replace("-", "_")
    wire.put(f"datastores/{name}", **ELSEWHERE)
    uri = f"azureml://datastores/{name}/paths/rows.jsonl"
    assert wire.put(f"data/{name}/versions/1", dataType="uri_file", dataUri=uri).status_code == 201
    status, _, message = wire.refused("PUT", f"models/{name}/versions/1", {"properties": {"modelUri": uri}})
    assert status == 400
    assert "lies in elsewhere, outside of the local Azure ML" in message
    inputs = {
        "base_model": {"type": "mlflow_model", "path": MODEL},
        "train_file": {"type": "uri_file", "path": uri},
    }
    job = local.submit(inputs=inputs)  # taken, as by Azure, where it could be read
    assert local.ended(job) == "Failed"
    with pytest.raises(JobException, match="outside of the local Azure ML"):
        local.ml.jobs.stream(job)


def test_another_container_of_the_workspaces_account_can_be_read(wire, local):
    account = wire.get("datastores/workspaceblobstore")["properties"]["accountName"]
    name = local.name("store").replace("-", "_")
    assert wire.put(f"datastores/{name}", **{**ELSEWHERE, "accountName": account}).status_code == 201
    folder = local.emulated.home / "blobs" / account / "rows"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.bin").write_text("1")
    uri = f"azureml://datastores/{name}/paths/{name}.bin"
    assert wire.put(f"models/{name}/versions/1", modelUri=uri).status_code == 201


def test_the_workspaces_own_are_neither_moved_nor_deleted(wire):
    assert "cannot be moved" in wire.refused("PUT", "datastores/workspaceblobstore", {"properties": ELSEWHERE})[2]
    assert "cannot be deleted" in wire.refused("DELETE", "datastores/workspaceartifactstore")[2]
    body = {"properties": {**ELSEWHERE, "isDefault": True}}
    assert "default" in wire.refused("PUT", "datastores/other", body)[2]
    body = {"properties": {**ELSEWHERE, "containerName": None}}
    assert "has no containerName" in wire.refused("PUT", "datastores/other", body)[2]


def test_the_accounts_key_opens_blobs(wire, local):
    from azure.storage.blob import BlobServiceClient

    key = wire.ask("POST", "datastores/workspaceblobstore/listSecrets").json()
    assert key["secretsType"] == "AccountKey"
    store = wire.get("datastores/workspaceblobstore")["properties"]
    url = f"https://{store['accountName']}.blob.core.windows.net"
    container = BlobServiceClient(url, credential=key["key"]).get_container_client(store["containerName"])
    name = f"{local.name('folder')}/späße & co.txt"
    container.upload_blob(name, b"content", metadata={"a": "b"})
    assert container.download_blob(name).readall() == b"content"
    assert container.get_blob_client(name).get_blob_properties().content_settings.content_md5
    assert [each.name for each in container.list_blobs(name_starts_with=name[:-4])] == [name]
    wrong = BlobServiceClient(url, credential="AAAA").get_container_client(store["containerName"])
    with pytest.raises(HttpResponseError):
        wrong.upload_blob("x", b"")
    secrets = wire.ask("POST", "datastores/workspaceblobstore/listSecrets", {"expirableSecret": True}).json()
    assert (secrets["secretsType"], secrets["sasToken"][0]) == ("Sas", "?")


def test_a_container_is_made_once_and_an_empty_blob_has_no_range(wire, local):
    from azure.core.exceptions import ResourceExistsError
    from azure.storage.blob import BlobServiceClient

    key = wire.ask("POST", "datastores/workspaceblobstore/listSecrets").json()["key"]
    account = wire.get("datastores/workspaceblobstore")["properties"]["accountName"]
    service = BlobServiceClient(f"https://{account}.blob.core.windows.net", credential=key)
    container = service.create_container(local.name("made"))
    with pytest.raises(ResourceExistsError) as caught:
        service.create_container(container.container_name)
    assert caught.value.error_code == "ContainerAlreadyExists"
    container.upload_blob("empty", b"")
    with pytest.raises(HttpResponseError) as caught:
        container.download_blob("empty", offset=0, length=4)
    assert (caught.value.error_code, caught.value.response.headers["content-range"]) == ("InvalidRange", "bytes */0")


@pytest.fixture(scope="module")
def by_identity(tmp_path_factory):
    """An emulator whose workspace has datastores without keys, and that serves logged models."""
    home = tmp_path_factory.mktemp("identity-home")
    (home / "settings.yaml").write_text("workspace: {datastore_auth: identity}\ntracking: {logged_models: true}\n")
    emulated = Emulated(home, WORKSPACE, FAKES)
    emulated.up()
    patch = enter(emulated)
    yield Local(emulated, home, *emulated.clients())
    patch.undo()
    emulated.down()


def _fault(emulated, *words):
    command = [sys.executable, "-m", "scripts.local", "fault", *words]
    subprocess.run(command, env=emulated.env, check=True, capture_output=True)


def test_clients_bring_their_identity_where_there_are_no_keys(by_identity):
    from azure.ai.ml.entities import Data

    _fault(by_identity.emulated, "storage-forbidden")
    wire = Wire(by_identity)
    assert by_identity.ml.workspaces.get().system_datastores_auth_mode == "identity"
    credentials = wire.get("datastores/workspaceblobstore")["properties"]["credentials"]
    assert credentials == {"credentialsType": "None"}
    assert "has no secrets" in wire.refused("POST", "datastores/workspaceblobstore/listSecrets")[2]
    path = str(by_identity.rows(3))
    made = by_identity.ml.data.create_or_update(Data(name="rows", version="1", path=path, type="uri_file"))
    assert made.path.endswith("train.jsonl")
    account = by_identity.ml.workspaces.get().storage_account
    assert wire.get(account)["properties"]["allowSharedKeyAccess"] is False


def test_a_storage_account_that_forbids_keys(local):
    from azure.ai.ml.entities import Data

    _fault(local.emulated, "storage-forbidden")
    try:
        with pytest.raises(Exception, match="KeyBasedAuthenticationNotPermitted"):
            path = str(local.rows(local.count + 40))
            local.ml.data.create_or_update(Data(name="keyless", version="1", path=path, type="uri_file"))
    finally:
        _fault(local.emulated, "--clear")
