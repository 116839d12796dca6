"""The emulator itself: what every resource shares (home, settings, store, children), and which host answers what."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Coroutine
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from scripts.azure.regions import REGIONS
from scripts.local import settings as settings_module
from scripts.local.home import Home, credentials
from scripts.local.store import Store
from scripts.local.web import AzureError, Call, Routes, answer, reply

REGION = f"(?P<region>{'|'.join(REGIONS)})"
# Host name -> family of routes. `azcliprod` is the account of the CLI's own version check: it has nothing here.
HOSTS = {
    "arm": re.compile(r"management\.azure\.com"),
    "identity": re.compile(r"login\.(microsoftonline\.com|windows\.net)"),
    "data": re.compile(rf"{REGION}\.api\.azureml\.ms"),
    "scoring": re.compile(rf"(?P<endpoint>[a-z0-9-]+)\.{REGION}\.inference\.ml\.azure\.com"),
    "blob": re.compile(r"(?P<account>[a-z0-9]+)\.blob\.core\.windows\.net"),
    "control": re.compile(r"127\.0\.0\.1|localhost"),
}


class Emulator:
    """The state that handlers share. One event loop, one thread for the store; heavy work happens in child processes."""

    def __init__(self, home: Home) -> None:
        from scripts.local.runner import Runner
        from scripts.local.servers import Servers
        from scripts.local.tracking import Tracking

        self.home = home
        self.log = logging.getLogger("local")
        self.settings = settings_module.load(home.settings)
        self.credentials = credentials(home)
        self.store = Store(home.database)
        self.record: dict[str, Any] = {}  # ports and key of this process, as in emulator.json
        self.stopping = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()
        self.tracking = Tracking(self)
        self.runner = Runner(self)
        self.servers = Servers(self)

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

    def resume(self) -> None:
        """Picks up what the last process left: runs that died with it, deployments and operations."""
        from scripts.local import operations, uploads

        uploads.tidy(self)
        self.runner.resume()
        self.servers.resume()
        operations.resume(self)

    async def close(self) -> None:
        """Stops every child process and the background work."""
        await asyncio.gather(self.runner.close(), self.servers.close())
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tracking.close()
        self.store.close()

    def is_emulated(self, host: str) -> bool:
        """Says whether the proxy may open a tunnel for a host."""
        from scripts.local.workspaces import by_account

        family, words = self._family(host)
        if family == "blob":
            return words["account"] == "azcliprod" or by_account(self, words["account"]) is not None
        return family not in (None, "control")

    def _family(self, host: str) -> tuple[str | None, dict[str, str]]:
        for family, pattern in HOSTS.items():
            match = pattern.fullmatch(host.lower())
            if match:
                return family, match.groupdict()
        return None, {}


class Application:
    """The ASGI application of both listeners. The TLS one serves Azure's hosts, the plain one only the loopback's."""

    def __init__(self, emulator: Emulator, tables: dict[str, Routes], plain: bool) -> None:
        self.emulator, self.tables, self.plain = emulator, tables, plain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        host = request.headers.get("host", "").rsplit(":", 1)[0].lower()
        family, host_words = self.emulator._family(host)
        # A browser that was talked into calling the loopback under another name is refused here.
        if family not in self.tables or (family == "control") != self.plain:
            response = reply(AzureError(421, "NotEmulated", f"Host {host!r} is not served here.").envelope(), 421)
        else:
            response = await self._answer(request, host, str(family), host_words)
        await response(scope, receive, send)

    async def _answer(self, request: Request, host: str, family: str, host_words: dict[str, str]) -> Any:
        from scripts.local import control, identity, workspaces

        call = Call(self.emulator, request, dict(host_words), host)

        async def handle(call: Call) -> Any:
            if not request.scope["path"].isprintable():
                raise AzureError(400, "BadRequest", "The path of the request has control characters.")
            handler, words = self.tables[family].find(request.method, request.scope["path"])
            call.words.update(words)
            if family in ("arm", "data"):
                identity.authorise(call)
            elif request.url.path.startswith("/control/") and not control.allowed(call):
                raise AzureError(401, "Unauthorized", "The control key is not the one in emulator.json.")
            if "workspace" in words:
                call.workspace = workspaces.find(call)
            return await handler(call)

        return await answer(call, handle)
