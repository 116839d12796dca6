"""Ports on the loopback: chosen below those that systems lend to outgoing connections (32768 and up on Linux).

A port that is free now may be lent before its server listens, or while the emulator is restarted: even to the very
client that tries to connect to it, which TCP then connects to itself. A port from here never is.
"""

from __future__ import annotations

import random
import socket

from scripts.errors import FAILED, UserError

RANGE = range(20000, 32768)
TRIES = 100


def bind(preferred: int | None = None) -> socket.socket:
    """Returns a socket bound to 127.0.0.1: on the preferred port if it is free, else on another one."""
    for port in (*([preferred] if preferred else []), *random.sample(RANGE, TRIES), 0):
        sock = socket.socket(proto=socket.IPPROTO_TCP)  # named, as asyncio sets TCP_NODELAY on such sockets alone
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            sock.close()
            continue
        return sock
    raise UserError("No port is free on 127.0.0.1.", FAILED)


def free() -> int:
    """Returns the number of a port that is free, for a server that opens it itself."""
    with bind() as sock:
        return int(sock.getsockname()[1])
