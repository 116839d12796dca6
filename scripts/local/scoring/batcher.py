"""Continuous batching: a thread that generates, requests that join and leave its batch while it runs."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import threading
from collections.abc import AsyncIterator, Callable

from scripts.errors import one_line
from scripts.local.scoring.generator import Answer, Generator

MOST_WAITING = 1024  # conversations, beside those being answered


class Full(Exception):
    """More conversations wait than MOST_WAITING."""


class Ticket:
    """A request's place: `answer` fills, and `told` is set whenever its text grew or it ended."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.loop = asyncio.get_running_loop()
        self.told = asyncio.Event()
        self.text, self.ended = "", False  # as last told; only that is kept, however slowly a client reads
        self.gone = False  # the client no longer waits

    def tell(self) -> None:
        """Hands what came so far to the request's coroutine; from the generating thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server is shutting down
            self.loop.call_soon_threadsafe(self._take, self.answer.text, self.answer.reason is not None)

    def _take(self, text: str, ended: bool) -> None:
        self.text, self.ended = text, ended
        self.told.set()


class Batcher:
    """Feeds a generator: first come, first answered, as many at once as it takes; nobody overtakes who waits for room.

    So a conversation waits for those before it and for nobody after it: with p parts of prompts and t tokens before it,
    p + t / rows turns at most (p + t where memory is short).
    """

    def __init__(self, generator: Generator, log: Callable[[str], None]) -> None:
        self.generator, self.log = generator, log
        self.waiting: collections.deque[Ticket] = collections.deque()
        self.running: list[Ticket] = []
        self.wake = threading.Condition()

    def start(self) -> Batcher:
        """Starts the thread that takes turns for as long as there is something to answer."""
        threading.Thread(target=self._work, name="generator", daemon=True).start()
        return self

    def join(self, answers: list[Answer]) -> list[Ticket]:
        """Puts a request's conversations at the end of the line; raises Full where that is too long."""
        tickets = [Ticket(answer) for answer in answers]
        with self.wake:
            if len(self.waiting) + len(tickets) > MOST_WAITING:
                raise Full
            self.waiting.extend(tickets)
            self.wake.notify()
        return tickets

    async def follow(self, ticket: Ticket) -> AsyncIterator[tuple[str, bool]]:
        """Yields (text so far, False) whenever it grew, if it is streamed; and at the end (whole text, True)."""
        try:
            ended = False
            while not ended:  # not `ticket.ended`: it may end before this begins, or while what was yielded is sent
                await ticket.told.wait()
                ticket.told.clear()
                if ticket.answer.fault is not None:
                    raise ticket.answer.fault
                ended = ticket.ended
                yield ticket.text, ended
        finally:
            ticket.gone = True

    def _work(self) -> None:
        while True:
            with self.wake:
                while not self.waiting and not self.running:
                    self.wake.wait()
            self.turn()

    def turn(self) -> None:
        """Lets go who left, lets in who is next, and takes a step with those that are in."""
        try:
            for ticket in [ticket for ticket in self.running if ticket.gone]:
                self.running.remove(ticket)
                self.generator.drop(ticket.answer)
            while self.waiting and (self.waiting[0].gone or self.generator.fits(self.waiting[0].answer)):
                ticket = self.waiting.popleft()
                if not ticket.gone:
                    self.running.append(ticket)
                    self.generator.add(ticket.answer)
            self.generator.step()
        except Exception as error:  # not of one conversation: all are told, the next ones go on
            for ticket in self.running:
                ticket.answer.fail(error)
            self.generator.clear()
        for ticket in list(self.running):
            answer = ticket.answer
            if answer.fault is not None:
                self.log(f"generation failed: {type(answer.fault).__name__}: {one_line(answer.fault)}")
            if answer.reason:
                self.running.remove(ticket)
            if answer.reason or (answer.parameters.stream and answer.tokens):
                ticket.tell()
