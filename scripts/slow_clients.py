"""uvicorn's protocol, with an end for clients that are too slow: in asking, or in reading what they are answered.

And for those whose headers have no end, which uvicorn would keep, however much comes.

As Apache's mod_reqtimeout does by default: a client may take a while for the first bytes, and has to keep up a rate
that every line manages. Others are not held up meanwhile: all of it is waiting.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

WINDOW = 20.0  # seconds between two looks
SAID_EVERY = 60.0  # seconds
MOST_HEAD = 2**19  # bytes of a request's line and headers; the last piece read may hold the end of what was before
RATE = 500  # bytes a second, over a window, that a request has to come with


class Protocol(HttpToolsProtocol):
    """Drops a connection whose request does not come, or whose answer is not read, for a whole window."""

    asking: asyncio.TimerHandle | None = None  # runs from the first sign of a request to its last byte
    reading: asyncio.TimerHandle | None = None  # runs while a client leaves unread what was written to it
    received = 0
    head: int | None = 0  # bytes of headers that came, None once they are complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client that connects wants to ask."""
        super().connection_made(transport)
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for any more."""
        self.asking, self.reading = _stop(self.asking), _stop(self.reading)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what comes."""
        self.received += len(data)
        super().data_received(data)
        if self.head is not None:
            self.head += len(data)
            if self.head > MOST_HEAD and not self.transport.is_closing():
                self.send_400_response("The headers of the request are too long.")

    def on_headers_complete(self) -> None:
        """The blank line behind the headers."""
        self.head = None
        super().on_headers_complete()

    def on_message_begin(self) -> None:
        """The first line of a request, the first or a later one of the connection."""
        self.head = 0
        if self.asking is None:
            self._wait_for_request()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        self.asking = _stop(self.asking)
        super().on_message_complete()

    def pause_writing(self) -> None:
        """More lies unread than the transport likes to keep."""
        self.reading = self.reading or self.loop.call_later(WINDOW, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads."""
        self.reading = _stop(self.reading)
        super().resume_writing()
        self._wait_for_reader()

    def on_response_complete(self) -> None:
        """The answer is written, which does not mean that it is read."""
        super().on_response_complete()
        self._wait_for_reader()

    def _wait_for_request(self) -> None:
        self.received = 0
        self.asking = self.loop.call_later(WINDOW, self._look_at_request)

    def _look_at_request(self) -> None:
        # Where reading is paused it is this side that takes its time.
        if self.received < WINDOW * RATE and not self.flow.read_paused:
            self.transport.abort()
        else:
            self._wait_for_request()

    def _wait_for_reader(self) -> None:
        if self.reading is None and self.transport.get_write_buffer_size():
            self.reading = self.loop.call_later(WINDOW, self._look_at_unread)

    def _look_at_unread(self) -> None:
        self.reading = None
        if self.transport.get_write_buffer_size() and (self.cycle is None or self.cycle.response_complete):
            self.transport.abort()


class TooManyOpen(logging.Filter):
    """Lets asyncio say once a minute, in a line, that a connection cannot be accepted as too many files are open.

    It says so thousands of times a second, each with a traceback: whoever holds connections open could fill the disk.
    """

    said = -SAID_EVERY

    def filter(self, record: logging.LogRecord) -> bool:
        """Tells whether a record is written."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
            return True
        if time.monotonic() - self.said < SAID_EVERY:
            return False
        self.said = time.monotonic()
        record.msg, record.args, record.exc_info = "connections wait: %s", (error.strerror,), None
        return True


def _stop(timer: asyncio.TimerHandle | None) -> Any:
    if timer is not None:
        timer.cancel()
    return None
