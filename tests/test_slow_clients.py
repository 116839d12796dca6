"""Clients that are too slow are dropped after a bound, and nobody waits for them meanwhile."""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from scripts import slow_clients

BIG = 32 * 2**20


async def application(scope, receive, send):
    """Answers / with a word, /big with more than sockets hold, when it has the whole request."""
    while (await receive()).get("more_body"):
        pass
    size = BIG if scope["path"] == "/big" else 2
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(size).encode())]})
    await send({"type": "http.response.body", "body": b"x" * size})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(slow_clients, "WINDOW", 0.5)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(application, http=slow_clients.Protocol, lifespan="off", log_level="critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "a slow client keeps the server"


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


def answered(client: socket.socket) -> bool:
    """Reads the small answer."""
    data = b""
    while not data.endswith(b"xx") and (chunk := client.recv(1000)):
        data += chunk
    return data.startswith(b"HTTP/1.1 200")


def dropped(client: socket.socket) -> bool:
    """Says whether the server has closed a connection without an answer, within the socket's timeout."""
    try:
        return client.recv(100) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\nX-Slow: ", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"],
    ids=["nothing", "line", "header", "body"],
)
def test_a_request_that_does_not_come_is_dropped(port: int, sent: bytes) -> None:
    with connect(port) as client:
        begun = time.monotonic()
        client.sendall(sent)
        assert dropped(client)
        assert 0.4 < time.monotonic() - begun < 5


@pytest.mark.parametrize("more", [b"x", b"x: y\r\n"], ids=["value", "headers"])
def test_headers_without_an_end_are_refused(port: int, more: bytes) -> None:
    with connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ")
        try:
            for _ in range(100):
                client.sendall(more * (2**16 // len(more)))
        except ConnectionError:
            return
        assert client.recv(100).startswith(b"HTTP/1.1 400")


def test_one_byte_at_a_time_does_not_help(port: int) -> None:
    with connect(port) as client:
        begun = time.monotonic()
        with pytest.raises(ConnectionError):
            client.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
            while time.monotonic() - begun < 10:
                client.sendall(b"x")
                time.sleep(0.1)
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize("kept", ["", "Connection: close\r\n"])
def test_an_answer_that_is_not_read_is_dropped(port: int, kept: str) -> None:
    with connect(port) as stalled:
        stalled.sendall(f"GET /big HTTP/1.1\r\nHost: x\r\n{kept}\r\n".encode())
        with connect(port) as other:  # nobody waits for it
            other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert answered(other)
        time.sleep(1.5)
        received = 0
        with pytest.raises(ConnectionError):
            while chunk := stalled.recv(2**20):
                received += len(chunk)
            raise ConnectionError  # closed in good order, but early
        assert received < BIG


def test_who_asks_and_reads_at_his_pace_is_served(port: int) -> None:
    with connect(port) as client:
        for _ in range(3):  # a kept connection may rest between two requests
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answered(client)
            time.sleep(0.7)
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n")
        for _ in range(8):  # longer than a window, and fast enough
            client.sendall(b"x" * 500)
            time.sleep(0.1)
        assert answered(client)
        client.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        received = 0
        while received < BIG:
            received += len(client.recv(2**20))


def test_a_line_a_minute_says_that_too_many_files_are_open(caplog, monkeypatch):
    """As asyncio says it of each connection that waits, thousands of times a second."""
    logger = logging.getLogger("asyncio.test")
    logger.addFilter(slow_clients.TooManyOpen())

    def say(number: int) -> None:
        try:
            raise OSError(number, os.strerror(number))
        except OSError as error:
            logger.error("socket.accept() out of system resource", exc_info=error)

    for _ in range(2000):
        say(errno.EMFILE)
    assert caplog.text.count("\n") == 1 and "connections wait: Too many open files" in caplog.text
    say(errno.EPERM)
    assert "Traceback" in caplog.text and "out of system resource" in caplog.text
    monkeypatch.setattr(slow_clients, "SAID_EVERY", 0.0)
    say(errno.EMFILE)
    assert caplog.text.count("connections wait") == 2
