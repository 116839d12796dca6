"""Work that fails in any way ends Failed with its reason, also after a restart."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import types

import pytest

from scripts.local.core import operations
from scripts.local.core.home import Home, Record, credentials
from scripts.local.core.settings import Settings
from scripts.local.core.state import Parts, State
from scripts.local.core.store import Store
from scripts.local.core.web import AzureError
from scripts.local.jobs.runner import Runner
from scripts.local.resources import deployments, endpoints
from scripts.local.resources.workspaces import register

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
RAISED = [
    AzureError(400, "QuotaExceeded", "No quota."), RuntimeError("odd"), KeyError("odd"), AttributeError("odd"),
    OSError(28, "odd"), RecursionError("odd"), MemoryError("odd"), sqlite3.DatabaseError("odd"), UnicodeError("odd"),
    TimeoutError("odd"), AssertionError("odd"), TypeError("odd"),
]  # fmt: skip


@pytest.fixture
def state(tmp_path):
    """What all parts of an emulator share, in this process."""
    home = Home(tmp_path / "home")
    home.create()
    record = Record(1, 1, 1, "key")
    made = State(home, record, Settings(), credentials(home), Store(home.database), logging.getLogger("test"))
    yield made
    made.store.close()


def begun(state, work, kind, before):
    """Stores a resource that is on its way, and its operation."""
    state.store.put("scope", kind, "one", {"properties": {"provisioningState": before}})
    words = {"scope": "scope", "name": "one"}
    state.store.put("operations", "operations", "id", {"work": work, "words": words, "status": "InProgress"})


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("work", "kind", "before"),
    [
        ("compute.put", "computes", "Creating"),
        ("endpoint.put", "endpoints", "Updating"),
        ("deployment.put", "deployments", "Updating"),
        ("endpoint.delete", "endpoints", "Deleting"),
        ("compute.delete", "computes", "Deleting"),
    ],
)
def test_an_operation_that_fails_leaves_nothing_on_its_way(state, work, kind, before, error):
    async def fail(parts, words):
        raise error

    begun(state, work, kind, before)
    asyncio.run(operations.run(Parts(state, None, None, None, {work: fail}), "id"))
    operation = state.store.get("operations", "operations", "id").body
    assert operation["status"] == "Failed"
    assert str(error.args[-1]) in operation["error"]["message"]
    properties = state.store.get("scope", kind, "one").body["properties"]
    assert properties["provisioningState"] == "Failed"
    if kind == "computes":
        assert str(error.args[-1]) in properties["provisioningErrors"][0]["error"]["message"]


def test_a_refused_deletion_leaves_a_deployment_as_it_is(state):
    async def refuse(parts, words):
        raise AzureError(400, "UserError", "It has traffic.")

    begun(state, "deployment.delete", "deployments", "Updating")
    asyncio.run(operations.run(Parts(state, None, None, None, {"deployment.delete": refuse}), "id"))
    assert state.store.get("scope", "deployments", "one").body["properties"]["provisioningState"] == "Updating"


def test_what_is_on_its_way_without_an_operation_has_failed_after_a_start(state):
    async def done(parts, words):
        pass

    begun(state, "deployment.put", "deployments", "Updating")
    state.store.put("scope", "deployments", "lost", {"properties": {"provisioningState": "Updating"}})
    state.store.put("scope", "endpoints", "kept", {"properties": {"provisioningState": "Succeeded"}})

    async def start():
        operations.resume(Parts(state, None, None, None, {"deployment.put": done}))
        await asyncio.gather(*state.tasks)

    asyncio.run(start())
    states = {each.name: each.body["properties"]["provisioningState"] for each in state.store.list("deployments")}
    assert states == {"one": "Updating", "lost": "Failed"}
    assert state.store.get("scope", "endpoints", "kept").body["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    ("leaves", "handler", "body", "who"),
    [
        ("e/Blue", deployments.put, {}, "Deployment blue"),
        ("e/Blue", endpoints.put, {"properties": {"traffic": {"blue": 100}}}, "Deployment blue"),
        ("e", endpoints.patch, {"tags": {"a": "b"}}, "Endpoint e"),
        ("e", endpoints.regenerate_keys, {"keyType": "Primary"}, "Endpoint e"),
    ],
    ids=["deployment", "traffic", "tags", "keys"],
)
def test_a_change_of_what_is_being_deleted_is_refused_and_not_forgotten(state, leaves, handler, body, who):
    """Else it would be acknowledged, and gone a moment later."""
    workspace = register(state, SUBSCRIPTION, "group", "workspace", "eastus")
    properties = {"provisioningState": "Succeeded", "authMode": "Key", "traffic": {}, "properties": {}}
    state.store.put(workspace.scope, "endpoints", "e", {"properties": properties, "keys": {}, "made": True})
    state.store.put(workspace.scope, "deployments", "e/blue", {"properties": properties})
    operation = {"work": f"{'deployment' if '/' in leaves else 'endpoint'}.delete", "status": "Updating"}
    operation["words"] = {"scope": workspace.scope, "name": leaves}
    stored = state.store.put("operations", "operations", "id", operation)
    parts = Parts(state, None, None, None, operations.STYLES)
    call = types.SimpleNamespace(state=state, parts=parts, ws=workspace, words={"endpoint": "E", "name": "blue"})
    call.json = lambda: body
    with pytest.raises(AzureError) as caught:
        asyncio.run(handler(call))
    assert (caught.value.status, caught.value.code) == (409, "Conflict")
    assert caught.value.message == f"{who} is being deleted: wait until it is gone."
    state.store.change(stored, status="Failed")
    for each in (*state.store.list("endpoints"), *state.store.list("deployments")):
        operations.refuse_leaving(state, each, who)  # it stays, as its deletion failed, and may be changed


def test_outcomes_are_forgotten_while_the_emulator_runs(state, monkeypatch):
    monkeypatch.setattr(operations, "MOST_KEPT", 3)

    async def done(parts, words):
        pass

    workspace = register(state, SUBSCRIPTION, "group", "workspace", "eastus")
    parts = Parts(state, None, None, None, {"endpoint.put": done})
    call = types.SimpleNamespace(state=state, parts=parts, ws=workspace, query={})
    begun(state, "endpoint.put", "endpoints", "Updating")  # it has not ended, and stays however many come after it

    async def many():
        for number in range(9):
            operations.begin(call, "endpoint.put", f"e{number}")
            await asyncio.gather(*state.tasks)

    asyncio.run(many())
    kept = [each.body["words"]["name"] for each in state.store.list("operations")]
    assert kept == ["one", "e5", "e6", "e7", "e8"]
    aged = "update documents set modified = 0 where kind = 'operations' and body like '%Succeeded%'"
    state.store.connection.execute(aged)
    asyncio.run(many())
    assert len(state.store.list("operations")) == 5


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_a_job_that_cannot_run_ends_with_the_reason(state, error):
    async def fail(*arguments):
        raise error

    workspace = register(state, SUBSCRIPTION, "group", "workspace", "eastus")
    properties = {"jobType": "Command", "experimentName": "e", "displayName": "d", "inputs": {}, "outputs": {}}
    state.store.put(workspace.scope, "jobs", "one", {"properties": properties, "status": "Starting"})
    tracking = types.SimpleNamespace(create_run=fail, end_run=fail)

    async def run():
        Runner(state, tracking).submit(workspace, "one")
        await asyncio.gather(*state.tasks)

    asyncio.run(run())
    body = state.store.get(workspace.scope, "jobs", "one").body
    assert body["status"] == "Failed"
    assert str(error.args[-1]) in body["error"]["message"]


def test_the_end_of_work_is_stored_when_the_disk_has_space_again(state, monkeypatch):
    tried = []

    def write():
        tried.append(1)
        if len(tried) < 3:
            raise sqlite3.OperationalError("database or disk is full")
        return "stored"

    async def at_once(seconds):
        pass

    monkeypatch.setattr(asyncio, "sleep", at_once)
    assert asyncio.run(state.lasting(write)) == "stored"
