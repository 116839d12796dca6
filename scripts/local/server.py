"""`python -m scripts.local serve`: the emulator in the foreground.

client -- CONNECT, then TLS --> front/proxy.py --> front/application.py --> the tables of routes.py
child processes, MLflow and control ---> plain listener ---> the same application, other tables

Here the parts are made and handed to those that need them.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import fcntl
import functools
import json
import logging
import os
import secrets
import signal
import socket
import ssl
import sys
import time
from collections.abc import Iterator

import uvicorn

from scripts import slow_clients
from scripts.errors import FAILED, FILE, UserError, one_line
from scripts.files import refuse, write_private
from scripts.local.core import code, lookup, operations, ports
from scripts.local.core import settings as settings_file
from scripts.local.core.home import ANEW, Home, Record, credentials
from scripts.local.core.state import Parts, State
from scripts.local.core.store import Store
from scripts.local.front import certificates, control
from scripts.local.front.application import Application, is_emulated
from scripts.local.front.proxy import Prompt, Proxy
from scripts.local.jobs.runner import Runner
from scripts.local.resources.mlflow_server import MlflowServer
from scripts.local.routes import TABLES, WORK
from scripts.local.serving.scoring_servers import ScoringServers
from scripts.local.storage import uploads


class Listener(uvicorn.Server):
    """uvicorn without its signal handlers: the emulator decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals alone."""
        yield

    def protocol(self) -> asyncio.Protocol:
        """Returns what speaks HTTP on a connection that somebody else has accepted."""
        return Prompt(self.config, self.server_state, {})


def _listen(port: int | None) -> socket.socket:
    """Returns a socket listening on the loopback: on the port of last time if it is free, so that shells stay valid."""
    sock = ports.bind(port)
    sock.listen(512)
    sock.setblocking(False)
    return sock


def _take(home: Home) -> None:
    """Locks the home, or raises UserError. The system unlocks it however this process ends: no stale pid misleads."""
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
    logging.getLogger("asyncio").addFilter(slow_clients.TooManyOpen())
    try:
        asyncio.run(_main(home))
    except (UserError, OSError):
        raise
    except Exception as error:  # what a damaged home holds is met in many places; the log has the traceback
        logging.getLogger("local").exception("the start")
        found = f"cannot be gone on with ({type(error).__name__}: {one_line(error)})"
        refuse(home.root, found, ANEW, FILE)
    logging.shutdown()
    os._exit(0)  # all is stopped and stored; what may be left is MLflow's import in its thread, not worth waiting for


async def _main(home: Home) -> None:
    code.digest()
    last = home.read_record()
    sockets = {
        "proxy": _listen(last.proxy_port if last else None),
        "plain": _listen(last.plain_port if last else None),
    }
    numbers = {f"{name}_port": sock.getsockname()[1] for name, sock in sockets.items()}
    record = Record(pid=os.getpid(), **numbers, key=secrets.token_urlsafe(24), started=time.time())
    settings, log = settings_file.load(home.settings), logging.getLogger("local")
    state = State(home, record, settings, credentials(home), Store(home.database), log)
    control.resume_clock(state.store)
    tracking = MlflowServer(state)
    runner = Runner(state, tracking)
    servers = ScoringServers(state)
    parts = Parts(state, runner, servers, tracking, WORK)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.renew(home, context)
    tunnels, plain = (_uvicorn(Application(parts, TABLES, plain=each)) for each in (False, True))
    serving = [asyncio.create_task(each.serve(own)) for each, own in ((tunnels, []), (plain, [sockets["plain"]]))]
    proxy = Proxy(
        state.credentials.proxy_key, functools.partial(is_emulated, state), home.refused, context, tunnels.protocol
    )
    accepting = state.start(proxy.serve(sockets["proxy"]))
    state.start(_keep_certificate(home, context))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, state.stopping.set)
    # What the last process left: half uploads, jobs that died with it, deployments and operations.
    uploads.tidy(state)
    runner.resume()
    servers.resume()
    operations.resume(parts)
    state.start(tracking.open(*lookup.workspaces(state)))
    write_private(home.record, json.dumps(dataclasses.asdict(record), indent=2) + "\n")
    state.log.info("serving %s through the proxy on port %d", home.root, record.proxy_port)
    await state.stopping.wait()
    state.log.info("stopping")
    accepting.cancel()
    await asyncio.gather(runner.close(), servers.close())
    for task in list(state.tasks):
        task.cancel()
    await asyncio.gather(*state.tasks, return_exceptions=True)
    tracking.close()
    state.store.close()
    for listener in (tunnels, plain):
        listener.should_exit = True
        listener.force_exit = True
    await asyncio.gather(*serving)


async def _keep_certificate(home: Home, context: ssl.SSLContext) -> None:
    """Makes the authority anew before it ends, for an emulator that runs for weeks."""
    while True:
        due = time.time() + 3600
        while time.time() < due:  # a sleep as long would go on where it was after the machine's own, however long that
            await asyncio.sleep(30)
        try:
            certificates.renew(home, context)
        except OSError as error:  # a disk that is full now
            logging.getLogger("local").error("the certificate cannot be made anew: %s", error)


def _uvicorn(application: Application) -> Listener:
    config = uvicorn.Config(
        application,
        http=Prompt,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # front/application.py gives it, by the clock that can be put ahead
        timeout_keep_alive=120,
    )
    config.load()
    return Listener(config)
