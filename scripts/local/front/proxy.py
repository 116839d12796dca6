"""The CONNECT proxy: opens tunnels to emulated hosts for who has its key; a logged 403 for every other host.

A tunnel ends here: its TLS is spoken on the very connection, so that there is no other way in than through the proxy.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import secrets
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from scripts import slow_clients
from scripts.local.core.home import PROXY_USER

LONGEST_HEAD = 16384  # bytes
SECONDS = 30.0  # a client has to say what it wants


class Prompt(slow_clients.Protocol):
    """HTTP on a connection whose client waits for acknowledgements.

    urllib3 leaves Nagle's algorithm on for proxied sockets, so that every request with a body would wait 40 ms for the
    kernel's delayed acknowledgement. The option is not sticky: it is set again after each read.
    """

    def data_received(self, data: bytes) -> None:
        """Reads what has come, and acknowledges it at once."""
        _acknowledge(self.transport.get_extra_info("socket"))
        super().data_received(data)


def _acknowledge(connection: socket.socket) -> None:
    quick = getattr(socket, "TCP_QUICKACK", None)  # Linux only; elsewhere the delay is shorter and is borne
    if quick is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, quick, 1)


class Proxy:
    """Accepts CONNECT requests with the key; `is_emulated(host)` decides, `protocol` speaks HTTP in the tunnel."""

    def __init__(
        self,
        key: str,
        is_emulated: Callable[[str], bool],
        refused: Path,
        context: ssl.SSLContext,
        protocol: Callable[[], asyncio.Protocol],
    ) -> None:
        self.credentials = base64.b64encode(f"{PROXY_USER}:{key}".encode())
        self.is_emulated, self.refused, self.context, self.protocol = is_emulated, refused, context, protocol
        self.opening: set[asyncio.Task[None]] = set()

    async def serve(self, sock: socket.socket) -> None:
        """Accepts on a listening socket, until it is cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    client, _ = await loop.sock_accept(sock)
                except OSError:  # as many files are open as may be: some will be closed
                    await asyncio.sleep(0.5)
                    continue
                task = loop.create_task(self._open(client))
                self.opening.add(task)
                task.add_done_callback(self.opening.discard)
        finally:
            sock.close()
            for task in self.opening:
                task.cancel()

    async def _open(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            _acknowledge(client)
            head, early = await asyncio.wait_for(_head(client), SECONDS)
            refusal = self._refusal(head)
            if refusal is not None or early:
                await loop.sock_sendall(client, refusal or _answer("400 Bad Request", "Wait for the tunnel."))
                client.close()
                return
            await loop.sock_sendall(client, b"HTTP/1.1 200 Connection established\r\n\r\n")
            await loop.connect_accepted_socket(self.protocol, client, ssl=self.context)
        except BaseException as error:
            client.close()
            # The client went away, or never spoke HTTP or TLS: nobody is left to tell.
            if not isinstance(error, (OSError, ValueError, TimeoutError)):
                raise

    def _refusal(self, head: bytes) -> bytes | None:
        """Returns the refusal of a request, or None where its tunnel may be opened."""
        line, *lines = head.split(b"\r\n")
        method, target, _ = line.decode("latin-1").split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (each.partition(b":") for each in lines)}
        given = headers.get(b"proxy-authorization", b"").split(b" ")[-1]
        if not secrets.compare_digest(given, self.credentials):
            text = "The proxy of the local Azure ML wants its key; `python -m scripts.local run` leads programs to it."
            return _answer("407 Proxy Authentication Required", text, 'Proxy-Authenticate: Basic realm="local"\r\n')
        host, _, port = target.rpartition(":")
        if method == "CONNECT" and port == "443" and self.is_emulated(host):
            return None
        entry = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "method": method, "target": target}
        with self.refused.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        return _answer("403 Host not emulated", f"{target} is not emulated: the local Azure ML lets nothing out.")


async def _head(client: socket.socket) -> tuple[bytes, bytes]:
    """Reads the head of a request, and what came behind it; raises ValueError where a client sends something else."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = await asyncio.get_running_loop().sock_recv(client, LONGEST_HEAD)
        data += part
        if not part or len(data) > LONGEST_HEAD:
            raise ValueError("no request to a proxy")
    head, _, early = data.partition(b"\r\n\r\n")
    return head, early


def _answer(status: str, text: str, headers: str = "") -> bytes:
    body = f"{text}\n".encode()
    head = f"HTTP/1.1 {status}\r\n{headers}Content-Type: text/plain\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
