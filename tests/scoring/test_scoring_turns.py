"""Who is answered when, counted in turns: nobody is overtaken, however many come after; a fault is one's own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from scripts.local.scoring import generator as generator_module
from scripts.local.scoring.batcher import Batcher, Ticket
from scripts.local.scoring.contract import BadRequest, Parameters
from scripts.local.scoring.generator import Answer, Generator, choose

PART = 8  # tokens of a prompt that a turn reads here, so that prompts have many parts


@pytest.fixture(scope="module")
def loaded(served: Path) -> Generator:
    return Generator(served, 4)


@pytest.fixture
def generator(loaded: Generator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Generator]:
    monkeypatch.setattr(generator_module, "PROMPT_PART", PART)
    yield loaded
    assert loaded.active == []


def ask(generator: Generator, words: int, limit: int, **parameters: Any) -> Answer:
    content = " ".join(["size"] * words)
    given = Parameters(max_new_tokens=limit, **parameters)
    return generator.prepare([{"role": "user", "content": content}], given)


class Line:
    """A batcher whose turns the test takes; `began` and `ended` are the turns in which each answer did."""

    def __init__(self, generator: Generator) -> None:
        self.log: list[str] = []
        self.batcher = Batcher(generator, self.log.append)
        self.turns = 0
        self.answers: list[Answer] = []
        self.began: dict[int, int] = {}
        self.ended: dict[int, int] = {}

    def join(self, *answers: Answer) -> list[Ticket]:
        self.answers += answers
        return self.batcher.join(list(answers))

    def turn(self) -> None:
        self.batcher.turn()
        self.turns += 1
        for number, answer in enumerate(self.answers):
            if answer.read:
                self.began.setdefault(number, self.turns)
            if answer.reason:
                self.ended.setdefault(number, self.turns)

    def finish(self) -> None:
        while len(self.ended) < len(self.answers):
            self.turn()


def in_loop(story: Callable[[], None]) -> None:
    async def run() -> None:
        story()

    asyncio.run(run())


def parts(answer: Answer) -> int:
    return -(-len(answer.prompt) // PART)


@pytest.mark.parametrize("seed", range(4))
def test_nobody_waits_longer_than_for_those_who_came_before(generator: Generator, seed: int) -> None:
    draw = random.Random(seed)

    def story() -> None:
        line, came = Line(generator), {}
        # A steady load: a short question in every other turn, a long one now and then, for long.
        for _ in range(120):
            if draw.random() < 0.5:
                words, limit = (60, 3) if draw.random() < 0.15 else (1, draw.randint(1, 6))
                came[len(line.answers)] = line.turns
                line.join(ask(generator, words, limit))
            line.turn()
        line.finish()
        order = [line.began[number] for number in range(len(line.answers))]
        assert order == sorted(order), "somebody was overtaken"
        for number, answer in enumerate(line.answers):
            before = [other for at, other in enumerate(line.answers[:number]) if line.ended[at] > came[number]]
            read, told = sum(map(parts, before)), sum(other.limit for other in before)
            bound = read + told / generator.rows + parts(answer) + answer.limit + 1
            assert line.ended[number] - came[number] <= bound, (number, bound)

    in_loop(story)


@pytest.mark.parametrize(("streams", "ends_first"), [(False, True), (True, True), (True, False)])
def test_an_answer_is_told_however_early_it_ends(generator: Generator, streams: bool, ends_first: bool) -> None:
    """It may have ended before anybody listens, or while what came so far is sent."""

    async def story() -> None:
        line = Line(generator)
        (ticket,) = line.join(ask(generator, 1, 6, stream=streams))
        while not ticket.answer.tokens:
            line.turn()
        if ends_first:
            line.finish()
        await asyncio.sleep(0)  # the generator hands over what came
        told: list[tuple[str, bool]] = []
        async for each in line.batcher.follow(ticket):
            told.append(each)
            line.finish()
            await asyncio.sleep(0)
        assert told[-1] == (ticket.answer.text, True) and len(told) == (1 if ends_first else 2)

    asyncio.run(asyncio.wait_for(story(), 20))


def test_who_waits_for_memory_is_not_overtaken_either(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_module, "PROMPT_PART", PART)
    small = Generator(served, 4, cache_mb=0.06)
    assert small.cache.tokens == 245

    def story() -> None:
        line = Line(small)
        first, large = ask(small, 1, 30), ask(small, 40, small.cache.tokens)
        assert large.most == small.cache.tokens  # it fits alone
        small_ones = [ask(small, 1, 1) for _ in range(20)]
        line.join(first, large, *small_ones)
        while len(line.ended) < len(line.answers):
            line.turn()
            assert sum(answer.most for answer in small.active) <= small.cache.tokens
        assert list(line.began) == sorted(line.began)
        assert line.began[1] > line.ended[0]

    in_loop(story)
    with pytest.raises(BadRequest, match=r"memory for conversations \(serving.cache_mb in .*\) holds 245"):
        ask(small, 400, 1)


@pytest.mark.parametrize("fault", ["sampling", "decoding", "reading", "the forward pass"])
def test_a_fault_touches_no_other_answer(generator: Generator, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    expected = []

    def undisturbed() -> None:
        line = Line(generator)
        line.join(*(ask(generator, words, 6) for words in (1, 5, 9)))
        line.finish()
        expected.extend(answer.text for answer in line.answers)

    in_loop(undisturbed)
    bad = ask(generator, 3, 6, seed=7, do_sample=True, stream=True)
    forward, decode = generator._forward, generator.tokenizer.decode

    def broken_choice(logits: torch.Tensor, parameters: Parameters, drawn: torch.Generator) -> int:
        if parameters.seed == 7:
            raise RuntimeError("probability tensor contains nan")
        return choose(logits, parameters, drawn)

    def broken_decoding(tokens: list[int], **words: Any) -> str:
        if tokens is bad.tokens:
            raise ValueError("no such token")
        return str(decode(tokens, **words))

    def broken_forward(first: int, rows: int, ids: torch.Tensor) -> torch.Tensor:
        within = any(answer is bad for answer in generator.active[first : first + rows])
        if within and (ids.shape[1] > 1) == (fault == "reading"):
            raise MemoryError("too large")
        return forward(first, rows, ids)

    if fault == "sampling":
        monkeypatch.setattr(generator_module, "choose", broken_choice)
    elif fault == "decoding":
        monkeypatch.setattr(generator.tokenizer, "decode", broken_decoding)
    else:
        monkeypatch.setattr(generator, "_forward", broken_forward)

    def story() -> None:
        line = Line(generator)
        others = [ask(generator, words, 6) for words in (1, 5, 9)]
        line.join(others[0], bad, *others[1:])
        line.finish()
        assert bad.reason == "fault" and bad.fault is not None
        assert [answer.text for answer in others] == expected
        assert len([text for text in line.log if "generation failed" in text]) == 1

    in_loop(story)


@pytest.mark.parametrize("parameters", [{"temperature": t} for t in (1e-40, 1e-320, 5e-324, -0.0)])
def test_the_coldest_temperature_is_the_likeliest_token(parameters: dict[str, float]) -> None:
    logits = torch.randn(4000, generator=torch.Generator().manual_seed(1)) * 5
    for top in ({}, {"top_k": 10**30}, {"top_p": 5e-324}):
        chosen = Parameters(do_sample=True, **parameters, **top)
        assert choose(logits, chosen, torch.Generator().manual_seed(1)) == int(logits.argmax())


def test_the_smallest_top_p_is_the_likeliest_token() -> None:
    logits = torch.randn(4000, generator=torch.Generator().manual_seed(1))
    for top_p in (1e-320, 1e-46):
        chosen = Parameters(do_sample=True, top_p=top_p, temperature=100)
        assert choose(logits, chosen, torch.Generator().manual_seed(1)) == int(logits.argmax())


def test_what_a_long_prompt_took_is_given_back(make_served: Callable[..., Path]) -> None:
    psutil = pytest.importorskip("psutil")
    wide = Generator(make_served(num_hidden_layers=2, head_dim=2048), 4)  # 64 KB a token, 16 MB a row
    process = psutil.Process()

    def megabytes() -> float:
        return float(process.memory_info().rss) / 2**20

    def finish(*answers: Answer) -> None:
        for answer in answers:
            wide.add(answer)
        while wide.active:
            wide.step()

    finish(ask(wide, 1, 2))
    before = megabytes()
    answers = [ask(wide, 60, 100) for _ in range(4)]
    for answer in answers:
        wide.add(answer)
    while not all(len(answer.tokens) > 80 for answer in answers):
        wide.step()
    held = megabytes() - before
    while wide.active:
        wide.step()
    stored = sum(answer.most for answer in answers) * 64 / 1024
    assert held > stored / 2, "the test does not see what is held"
    assert megabytes() - before < held / 2
    assert not wide.cache.keys[0].any()


def test_a_prompt_far_too_long_is_refused_before_it_is_read(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "tokenizer", None)  # who reads it fails otherwise
    with pytest.raises(BadRequest, match=r"1000000 characters in 1 messages; the model's context is 256"):
        generator.prepare([{"role": "user", "content": "x" * 1_000_000}], Parameters())
    with pytest.raises(BadRequest, match="in 1000 messages"):
        generator.prepare([{"role": "user", "content": ""}] * 1000, Parameters())
