"""What all parts of the emulator share. It does nothing itself; server.py makes it and hands it over.

One event loop, one thread for the store; heavy work happens in child processes.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Coroutine
from typing import Any

from scripts.local.core.home import Credentials, Home, Record
from scripts.local.core.settings import Settings
from scripts.local.core.store import Store


@dataclasses.dataclass(frozen=True)
class State:
    """The home and what was read from it, the store, and the work that goes on beside the requests."""

    home: Home
    record: Record  # ports and key of this process, as in emulator.json
    settings: Settings
    credentials: Credentials
    store: Store
    log: logging.Logger
    stopping: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = dataclasses.field(default_factory=set)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs work in the background; an exception in it is logged, as nobody awaits it."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.log.error("background work failed", exc_info=task.exception())
