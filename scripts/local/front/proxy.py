"""The CONNECT proxy: tunnels for emulated hosts into the emulator's TLS port, and a logged 403 for every other host."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path


def acknowledge_quickly(writer: asyncio.StreamWriter) -> None:
    """Asks for immediate TCP acknowledgements.

    urllib3 leaves Nagle's algorithm on for proxied sockets, so that every request with a body would wait 40 ms for the
    kernel's delayed acknowledgement. The option is not sticky: it is set again after each read.
    """
    quick = getattr(socket, "TCP_QUICKACK", None)  # Linux only; elsewhere the delay is shorter and is borne
    connection = writer.get_extra_info("socket")
    if quick is not None and connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, quick, 1)


class Proxy:
    """Accepts CONNECT requests; `is_emulated(host)` decides, `tls_port` is where an allowed tunnel ends."""

    def __init__(self, tls_port: int, is_emulated: Callable[[str], bool], refused: Path) -> None:
        self.tls_port, self.is_emulated, self.refused = tls_port, is_emulated, refused
        self.open: set[asyncio.StreamWriter] = set()

    async def serve(self, sock: socket.socket) -> asyncio.Server:
        """Starts accepting on a listening socket."""
        return await asyncio.start_server(self._tunnel, sock=sock)

    def close(self) -> None:
        """Closes every tunnel."""
        for writer in list(self.open):
            writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        acknowledge_quickly(writer)
        self.open.add(writer)
        upstream: asyncio.StreamWriter | None = None
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            method, target, *_ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
            host, _, port = target.rpartition(":")
            if method != "CONNECT" or port != "443" or not self.is_emulated(host):
                await self._refuse(writer, method, target)
                return
            downstream, upstream = await asyncio.open_connection("127.0.0.1", self.tls_port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(self._pump(reader, upstream, writer), self._pump(downstream, writer, None))
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away, or never spoke HTTP: nobody is left to tell
        finally:
            for each in (writer, upstream):
                if each is not None:
                    each.close()
            self.open.discard(writer)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, client: asyncio.StreamWriter | None
    ) -> None:
        while chunk := await source.read(262144):
            if client is not None:
                acknowledge_quickly(client)
            sink.write(chunk)
            await sink.drain()
        with contextlib.suppress(OSError, RuntimeError):
            sink.write_eof()

    async def _refuse(self, writer: asyncio.StreamWriter, method: str, target: str) -> None:
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "method": method, "target": target}
        with self.refused.open("a") as file:
            file.write(json.dumps(line) + "\n")
        body = f"{target} is not emulated: the local Azure ML lets nothing out of this machine.\n".encode()
        writer.write(
            b"HTTP/1.1 403 Host not emulated\r\nContent-Type: text/plain\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        await writer.drain()
