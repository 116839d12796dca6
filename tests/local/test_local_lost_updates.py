"""Read, wait, write is never a lost update: what else happened while a request was on its way is still so after it."""

from __future__ import annotations

import http.client
import json
import time

import pytest
from azure.ai.ml.entities import ManagedOnlineEndpoint

from scripts.local.core.store import Overtaken, Store
from tests.local.conftest import SIZE
from tests.local.wire import API, Wire, tunnel


class Slow:
    """A request whose headers and half of whose body are there; `finish` sends the rest and returns the status."""

    def __init__(self, local, method, path, body, host="management.azure.com"):
        wire, content = Wire(local), json.dumps(body).encode()
        self.connection = http.client.HTTPConnection(host, timeout=20)
        self.connection.sock = tunnel(local.emulated, host)
        url = f"{path if path.startswith('/') else f'{wire.workspace}/{path}'}?api-version={API}"
        self.connection.putrequest(method, url, skip_host=True)
        headers = {"Host": host, "Content-Type": "application/json", "Content-Length": str(len(content))}
        for name, value in (headers | wire.headers).items():
            self.connection.putheader(name, value)
        self.connection.endheaders(content[:5])
        self.rest = content[5:]
        time.sleep(0.3)  # the emulator has what there is

    def finish(self):
        self.connection.send(self.rest)
        return self.connection.getresponse().status


def test_a_job_that_ends_while_it_is_renamed_has_ended(local):
    wire, job = Wire(local), local.submit()
    path = f"/history/v1.0{wire.workspace}/experiments/tests/runs/{job}"
    slow = Slow(local, "PATCH", path, {"displayName": "renamed"}, "eastus.api.azureml.ms")
    assert local.ended(job) == "Completed"
    assert slow.finish() == 200
    found = wire.get(f"jobs/{job}")["properties"]
    assert (found["status"], found["displayName"]) == ("Completed", "renamed")


@pytest.fixture
def endpoint(local):
    """A new endpoint."""
    name = local.name("lost-ep")
    local.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode="key")).result()
    return name


def test_new_keys_leave_a_tag_that_came_meanwhile(local, endpoint):
    wire, path = Wire(local), f"onlineEndpoints/{endpoint}"
    before = wire.ask("POST", f"{path}/listKeys").json()
    slow = Slow(local, "POST", f"{path}/regenerateKeys", {"keyType": "Primary"})
    assert wire.ask("PATCH", path, {"tags": {"came": "meanwhile"}}).status_code == 200
    assert slow.finish() == 202
    assert wire.get(path)["tags"] == {"came": "meanwhile"}
    after = wire.ask("POST", f"{path}/listKeys").json()
    assert after["primaryKey"] != before["primaryKey"]
    assert after["secondaryKey"] == before["secondaryKey"]


def test_a_tag_that_comes_while_an_endpoint_is_made_stays(local):
    wire, path = Wire(local), f"onlineEndpoints/{local.name('lost-ep')}"
    made = wire.ask("PUT", path, {"location": "eastus", "properties": {"authMode": "Key"}})
    assert made.status_code == 201
    assert wire.ask("PATCH", path, {"tags": {"came": "meanwhile"}}).status_code == 200
    local.until(lambda: wire.get(path)["properties"]["provisioningState"] == "Succeeded")
    assert wire.get(path)["tags"] == {"came": "meanwhile"}


def test_no_deployment_is_made_under_an_endpoint_that_was_deleted_meanwhile(local, endpoint):
    wire, path = Wire(local), f"onlineEndpoints/{endpoint}"
    properties = {"model": "azureml:none:1", "instanceType": SIZE, "endpointComputeType": "Managed"}
    slow = Slow(local, "PUT", f"{path}/deployments/blue", {"location": "eastus", "properties": properties})
    local.ml.online_endpoints.begin_delete(endpoint).result()
    assert slow.finish() == 404
    assert wire.ask("GET", path).status_code == 404


def test_the_store_writes_over_what_was_read_and_nothing_else(tmp_path):
    store = Store(tmp_path / "state.sqlite")
    first = store.put("scope", "jobs", "one", {"status": "Running", "tags": {}})
    second = store.get("scope", "jobs", "one")
    kept = store.change(second, status="Completed")
    assert kept.body == {"status": "Completed", "tags": {}}
    with pytest.raises(Overtaken, match="jobs one was changed"):
        store.change(first, tags={"a": "b"})
    assert store.get("scope", "jobs", "one").body == kept.body
    store.delete("scope", "jobs", "one")
    store.put("scope", "jobs", "one", kept.body)
    with pytest.raises(Overtaken):  # another of the same name and content
        store.change(kept, tags={})
    store.close()
