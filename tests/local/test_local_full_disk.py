"""A full disk while a deployment serves: its logs and the note of its process are lost, its answers are not."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest

from scripts.local.core.home import Home, Record, credentials
from scripts.local.core.settings import Settings
from scripts.local.core.state import State
from scripts.local.core.store import Store
from scripts.local.resources import deployment_log
from scripts.local.resources.workspaces import register
from scripts.local.scoring.__main__ import logger
from scripts.local.serving.scoring_servers import Plan, ScoringServer
from tests.local.conftest import FAKES

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


class FullStore(Store):
    """A store that takes nothing more."""

    def put(self, *arguments, **words):
        raise sqlite3.OperationalError("database or disk is full")


def test_a_server_that_ends_on_a_full_disk_is_started_again(tmp_path, monkeypatch):
    for name, value in FAKES.items():
        monkeypatch.setenv(name, value)
    home = Home(tmp_path / "home")
    home.create()
    store = Store(home.database)
    state = State(home, Record(1, 1, 1, "key"), Settings(), credentials(home), store, logging.getLogger("test"))
    workspace = register(state, "11111111-2222-3333-4444-555555555555", "group", "workspace", "eastus")
    key = (workspace.scope, "endpoint/blue")
    folder = deployment_log.folder(state, key)
    folder.mkdir(parents=True)
    for name in ("log.txt", "events.txt"):
        (folder / name).symlink_to(FULL)
    monkeypatch.setattr(store, "__class__", FullStore)

    async def serve():
        server = ScoringServer(state, key, Plan(tmp_path, 1, (), (("Liveness", 300.0),), 5.0))
        ports = []
        for _ in range(2):
            await asyncio.wait_for(server.wait_ready(), 20)
            ports.append(server.port)
            (child,) = server.children
            child.process.kill()
            while server.ready.is_set():
                await asyncio.sleep(0.01)
        await asyncio.wait_for(server.wait_ready(), 20)
        await server.stop()
        assert not server.children
        return ports

    first, second = asyncio.run(serve())
    assert first != second
    store.close()


def test_the_log_of_a_server_on_a_full_disk_stops_nobody():
    log = logger(FULL)
    log("a line")
    log("another")
