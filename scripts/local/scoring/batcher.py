"""Continuous batching: a thread that generates, requests that join and leave its batch while it runs."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import threading
from collections.abc import AsyncIterator, Callable

from scripts.errors import one_line
from scripts.local.scoring.generator import Answer, Generator


class Ticket:
    """A request's place: `answer` fills; `updates` gets (text, whether it ended) as it grows, or what went wrong."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.loop = asyncio.get_running_loop()
        self.updates: asyncio.Queue[tuple[str, bool] | Exception] = asyncio.Queue()
        self.gone = False  # the client no longer waits

    def tell(self, item: tuple[str, bool] | Exception) -> None:
        """Hands an item to the request's coroutine; from the generating thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server is shutting down
            self.loop.call_soon_threadsafe(self.updates.put_nowait, item)


class Batcher:
    """Feeds a generator: first come, first answered, as many at once as it has rows."""

    def __init__(self, generator: Generator, log: Callable[[str], None]) -> None:
        self.generator, self.log = generator, log
        self.waiting: collections.deque[Ticket] = collections.deque()
        self.running: list[Ticket] = []
        self.wake = threading.Condition()
        self.thread = threading.Thread(target=self._work, name="generator", daemon=True)
        self.thread.start()

    async def answer(self, answer: Answer) -> AsyncIterator[tuple[str, bool]]:
        """Yields (text so far, False) whenever it grew, if it is streamed; and at the end (whole text, True)."""
        ticket = Ticket(answer)
        with self.wake:
            self.waiting.append(ticket)
            self.wake.notify()
        try:
            ended = False
            while not ended:
                item = await ticket.updates.get()
                if isinstance(item, Exception):
                    raise item
                yield item
                ended = item[1]
        finally:
            ticket.gone = True

    def _work(self) -> None:
        while True:
            with self.wake:
                while not self.waiting and not self.running:
                    self.wake.wait()
                while self.waiting and len(self.running) < self.generator.rows:
                    ticket = self.waiting.popleft()
                    if not ticket.gone:
                        self.running.append(ticket)
                        self.generator.add(ticket.answer)
            self._step()

    def _step(self) -> None:
        try:
            for ticket in [ticket for ticket in self.running if ticket.gone]:
                self.generator.drop(ticket.answer)
                self.running.remove(ticket)
            if self.running:
                self.generator.step()
        except Exception as error:  # must not end the thread: every request in the batch is told, the next ones go on
            self.log(f"generation failed: {type(error).__name__}: {one_line(error)}")
            for ticket in self.running:
                ticket.tell(error)
            self.running.clear()
            self.generator.active.clear()
            return
        for ticket in list(self.running):
            answer = ticket.answer
            if answer.reason:
                ticket.tell((answer.text, True))
                self.running.remove(ticket)
            elif answer.parameters.stream and answer.tokens:
                ticket.tell((answer.text, False))
