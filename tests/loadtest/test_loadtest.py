"""The ramp against a server with a known capacity, and what it says about knee and values."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence

import httpx
import pytest

from scripts.conversation.endpoint import Endpoint
from scripts.errors import UserError
from scripts.loadtest import advice, load
from scripts.loadtest.__main__ import levels_of, rough_tokens, row
from scripts.loadtest.__main__ import run as command_line
from scripts.loadtest.load import Level


class Machine:
    """Answers `together` requests at a time in `seconds`, queues as many again, refuses more (as Azure does)."""

    def __init__(self, together: int, seconds: float) -> None:
        self.seconds, self.limit, self.inside = seconds, 2 * together, 0
        self.most = 0
        self.slots = asyncio.Semaphore(together)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer key"
        assert json.loads(request.content)["input_data"]["parameters"] == {"max_new_tokens": 5}
        if self.inside >= self.limit:
            return httpx.Response(429)
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            async with self.slots:
                await asyncio.sleep(self.seconds)
            return httpx.Response(200, json={"output": "four words of answer"})
        finally:
            self.inside -= 1


def ramp(machine: Machine, concurrencies: Sequence[int], seconds: float = 0.4) -> list[Level]:
    endpoint = Endpoint("e", "https://e.example/score", "blue", "m:1", 1, 4, 5.0, lambda: "key")

    async def run() -> list[Level]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(machine)) as http:
            questions = [[{"role": "user", "content": "x"}]]
            words = {"max_new_tokens": 5}
            return await load.run(
                endpoint, questions, words, concurrencies, seconds, lambda text: len(text.split()), http
            )

    return asyncio.run(run())


def test_a_ramp_finds_what_a_machine_can_do() -> None:
    machine = Machine(together=4, seconds=0.1)  # long beside what a busy machine takes for itself
    levels = ramp(machine, (1, 2, 4, 8, 16), 0.8)
    rates = [level.requests_per_second for level in levels]
    assert rates[0] <= 10 and rates[2] == pytest.approx(4 * rates[0], rel=0.4)
    assert machine.most == 8  # never more than what it queues
    assert levels[2].tokens_per_second == pytest.approx(4 * rates[2])
    assert levels[4].statuses[429] > 0 and not levels[3].failed
    found = advice.advise(levels, places=8, instances=1)
    assert found is not None and found.knee.concurrency == 4 and not found.limited
    assert found.values["max_concurrent_requests_per_instance"] == 4


def level(concurrency: int, rps: float, seconds: float = 1.0, refused: int = 0) -> Level:
    answered = int(rps * 10)
    statuses = Counter({200: answered}) + Counter({429: refused})
    return Level(concurrency, 10.0, [seconds] * answered, answered * 20, statuses)


def test_the_knee_is_the_last_level_that_pays() -> None:
    levels = [level(1, 1), level(2, 1.9), level(4, 3.4), level(8, 3.5, 2.5), level(16, 3.4, 5)]
    found = advice.advise(levels, places=16, instances=1)
    assert found is not None and found.knee.concurrency == 4 and "+3 % only" in found.reason
    assert found.values == {"instance_count": 1, "max_concurrent_requests_per_instance": 4, "request_timeout_ms": 10000}
    assert not found.limited


def test_a_level_that_does_not_pay_is_passed_over_if_the_next_one_does() -> None:
    assert advice.knee([level(1, 1), level(2, 1.05), level(4, 2.5)])[0].concurrency == 4


def test_a_ramp_that_never_bends_says_so() -> None:
    assert "try higher ones" in advice.knee([level(1, 1), level(2, 2)])[1]


def test_a_knee_at_todays_setting_may_be_the_settings() -> None:
    levels = [level(1, 1), level(2, 1.9), level(4, 1.9, refused=30)]
    found = advice.advise(levels, places=2, instances=1)
    assert found is not None and found.limited and "61 % of the requests" in found.reason
    assert found.values["max_concurrent_requests_per_instance"] == 4  # more was not seen, so it is doubled
    assert "works on 2 at a time" in "\n".join(advice.lines(found, 2, None))


def test_instances_for_a_target() -> None:
    found = advice.advise([level(1, 1), level(2, 2, 7.2), level(4, 2, 9)], places=4, instances=1, target_rps=7)
    assert found is not None
    assert found.values == {"instance_count": 4, "max_concurrent_requests_per_instance": 2, "request_timeout_ms": 22000}
    two = advice.advise([level(2, 2), level(4, 4), level(8, 4)], places=8, instances=2)
    assert two is not None and two.values["max_concurrent_requests_per_instance"] == 2


def test_nothing_answered_is_no_advice() -> None:
    assert advice.advise([level(1, 0, refused=5)], 1, 1) is None


def test_percentiles_are_of_the_answers() -> None:
    found = Level(1, 1.0, [float(value) for value in range(1, 101)])
    assert (found.percentile(50), found.percentile(95), found.percentile(99)) == (50, 95, 99)
    assert Level(1).percentile(99) == 0
    assert row(level(4, 1, refused=3))[-1] == "3 of 429"


def test_a_server_that_is_gone_is_counted() -> None:
    async def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    found = ramp(gone, (2,))[0]  # type: ignore[arg-type]
    assert found.statuses[load.NO_ANSWER] >= 2 and not found.latencies
    assert "no answer" in row(found)[-1]


def test_levels_are_checked() -> None:
    assert levels_of("1, 2,8") == [1, 2, 8]
    for wrong in ("", "1,x", "2,1", "0,1", "1,1", "1,999"):
        with pytest.raises(UserError, match="--levels"):
            levels_of(wrong)


def test_tokens_are_estimated_without_a_tokenizer() -> None:
    assert rough_tokens("It cannot, internationally.") == 8


@pytest.mark.parametrize(
    "words", [["--seconds", "0"], ["--seconds", "nan"], ["--target-rps", "-3"], ["--target-rps", "inf"]]
)
def test_a_time_or_a_rate_that_cannot_be_is_refused(words: list[str]) -> None:
    with pytest.raises(UserError, match=f"{words[0]} .*: expected a number above 0"):
        command_line(["--env", "demo", *words])
