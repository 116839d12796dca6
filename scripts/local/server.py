"""`python -m scripts.local serve`: the emulator in the foreground.

client -- CONNECT --> proxy.py -- TLS --> Application (emulator.py) --> the route tables of each resource
child processes, MLflow and control ---> plain listener ---> the same application, other tables
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

import uvicorn

from scripts.errors import FAILED, UserError
from scripts.files import write_private
from scripts.local import (
    assets,
    blobs,
    computes,
    control,
    datastores,
    deployments,
    endpoints,
    gateway,
    identity,
    jobs,
    models,
    operations,
    ports,
    registry,
    runs,
    sizes,
    tracking,
    workspaces,
)
from scripts.local.certificates import server_context
from scripts.local.emulator import Application, Emulator
from scripts.local.home import Home
from scripts.local.proxy import Proxy
from scripts.local.web import Routes

TABLES = {
    "arm": Routes().include(
        operations.routes,
        identity.arm,
        workspaces.arm,
        sizes.arm,
        computes.arm,
        datastores.arm,
        assets.arm,
        jobs.arm,
        endpoints.arm,
        deployments.arm,
    ),
    "identity": identity.routes,
    "data": Routes().include(workspaces.data, registry.data, runs.data, tracking.data),
    "blob": blobs.routes,
    "scoring": gateway.routes,
    "control": Routes().include(control.routes, identity.control, workspaces.control, tracking.control),
}
assert models.TYPES  # models registers its routes with assets when it is imported


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the emulator decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals alone."""
        yield


def _listen(port: int | None) -> socket.socket:
    """Returns a socket listening on the loopback: on the port of last time if it is free, so that shells stay valid."""
    sock = ports.bind(port)
    sock.listen(512)
    sock.setblocking(False)
    return sock


def _take(home: Home) -> None:
    """Locks the home, or raises UserError. The system unlocks it however this process ends: no stale pid can mislead."""
    lock = os.open(home.lock, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(20):  # whoever only looks whether it is locked holds it for a moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            os.truncate(lock, os.pwrite(lock, f"{os.getpid()}\n".encode(), 0))
            return
    raise UserError(f"A local Azure ML already runs in {home.root}; see `python -m scripts.local status`.", FAILED)


def serve(home: Home) -> None:
    """Runs the emulator until it is told to stop (SIGTERM, SIGINT or `down`); one at a time for a home."""
    os.umask(0o077)  # models, logs and databases hold what only their owner should read, whatever the home's own mode
    home.create()
    _take(home)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for noisy in ("httpx", "alembic", "mlflow", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    asyncio.run(_main(home))
    logging.shutdown()
    os._exit(0)  # all is stopped and stored; what may be left is MLflow's import in its thread, not worth waiting for


async def _main(home: Home) -> None:
    emulator = Emulator(home)
    last = home.read_record() or {}
    sockets = {name: _listen(last.get(f"{name}_port")) for name in ("proxy", "plain")}
    sockets["tls"] = _listen(None)
    numbers = {f"{name}_port": sock.getsockname()[1] for name, sock in sockets.items()}
    started = time.time()
    emulator.record = {"pid": os.getpid(), **numbers, "key": secrets.token_urlsafe(24), "started": started}
    servers = [
        _uvicorn(Application(emulator, TABLES, plain=False), ssl_context=server_context(home)),
        _uvicorn(Application(emulator, TABLES, plain=True)),
    ]
    serving = [
        asyncio.create_task(server.serve([sockets[name]]))
        for server, name in zip(servers, ("tls", "plain"), strict=True)
    ]
    proxy = Proxy(numbers["tls_port"], emulator.is_emulated, home.refused)
    accepting = await proxy.serve(sockets["proxy"])
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, emulator.stopping.set)
    emulator.resume()
    emulator.start(emulator.tracking.open(*workspaces.every(emulator)))
    write_private(home.record, json.dumps(emulator.record, indent=2) + "\n")
    emulator.log.info("serving %s through the proxy on port %d", home.root, numbers["proxy_port"])
    await emulator.stopping.wait()
    emulator.log.info("stopping")
    accepting.close()
    await emulator.close()
    proxy.close()
    for server in servers:
        server.should_exit = True
        server.force_exit = True
    await asyncio.gather(*serving)


def _uvicorn(application: Application, ssl_context: Any = None) -> Server:
    config = uvicorn.Config(
        application,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=120,
        ssl_context_factory=(lambda config, default: ssl_context) if ssl_context else None,
    )
    return Server(config)
