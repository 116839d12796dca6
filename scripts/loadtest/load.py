"""Clients that ask one question after the other: a level of concurrency is as many of them at once (a closed loop)."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.conversation import answer, request
from scripts.conversation import endpoint as endpoint_module
from scripts.conversation.endpoint import Endpoint, Messages

if TYPE_CHECKING:
    import httpx

PERCENTILES = (50, 95, 99)
NO_ANSWER = 0  # the status of a request that got none: refused, broken off, or later than the client waits


@dataclass
class Level:
    """What came back at a concurrency: seconds of each answered request, tokens, and statuses of all requests."""

    concurrency: int
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    tokens: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    reasons: dict[int, str] = field(default_factory=dict)  # by status: what the first refusal meant

    @property
    def requests_per_second(self) -> float:
        """Answered requests by the time that the level took."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Tokens of the answers by the time that the level took."""
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def failed(self) -> int:
        """Requests without an answer."""
        return sum(count for status, count in self.statuses.items() if status != 200)

    def percentile(self, percent: float) -> float:
        """Seconds within which so many per cent of the answers came (nearest rank); 0 without any."""
        if not self.latencies:
            return 0.0
        ordered = sorted(self.latencies)
        return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]

    def as_dict(self) -> dict[str, Any]:
        """Returns the level's numbers as plain data."""
        return {
            "concurrency": self.concurrency,
            "requests_per_second": round(self.requests_per_second, 3),
            "tokens_per_second": round(self.tokens_per_second, 1),
            **{f"p{percent}": round(self.percentile(percent), 3) for percent in PERCENTILES},
            "answered": len(self.latencies),
            "failed": self.failed,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "seconds": round(self.seconds, 2),
        }


async def run(
    endpoint: Endpoint,
    questions: Sequence[Messages],
    parameters: dict[str, Any],
    concurrencies: Sequence[int],
    seconds: float,
    tokens_of: Callable[[str], int],
    http: httpx.AsyncClient,
    done: Callable[[Level], None] = lambda _: None,
) -> list[Level]:
    """Runs the levels one after the other, `seconds` each; a level ends when the requests under way are answered."""
    import httpx

    async def client(level: Level, ask: Iterator[Messages], until: float) -> None:
        while time.monotonic() < until:
            begun = time.monotonic()
            try:
                asked = request.body(next(ask), parameters)
                reply = await http.post(endpoint.uri, content=asked, headers=endpoint.headers())
            except httpx.HTTPError:
                level.statuses[NO_ANSWER] += 1
                await asyncio.sleep(0.2)
                continue
            level.statuses[reply.status_code] += 1
            if reply.status_code == 200:
                level.latencies.append(time.monotonic() - begun)
                level.tokens += tokens_of(answer.read(reply.text))
            else:  # a client that is refused waits a moment, as an honest one does
                level.reasons.setdefault(
                    reply.status_code, endpoint_module.refusal(reply.status_code, reply.text, reply.headers)
                )
                await asyncio.sleep(0.2)

    levels = []
    for concurrency in concurrencies:
        level = Level(concurrency)
        ask = itertools.cycle(questions)
        begun = time.monotonic()
        await asyncio.gather(*(client(level, ask, begun + seconds) for _ in range(concurrency)))
        level.seconds = time.monotonic() - begun
        levels.append(level)
        done(level)
    return levels
