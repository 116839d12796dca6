"""Answers are those of transformers' generate(), whoever else is in the batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from scripts.local.scoring.contract import BadRequest, Parameters
from scripts.local.scoring.generator import Answer, Generator, choose

QUESTIONS = ["Which size?", "Hello", "Which size trains Phi-4? " * 4, "äöü 😀", "x", "An A100 does."]


def ask(generator: Generator, content: str, **parameters: Any) -> Answer:
    return generator.prepare([{"role": "user", "content": content}], Parameters(**parameters))


def finish(generator: Generator, *answers: Answer) -> list[Answer]:
    """Runs until all of these have ended."""
    for _ in range(1000):
        if all(answer.reason for answer in answers):
            return list(answers)
        generator.step()
    raise AssertionError("never ended")


def alone(generator: Generator, content: str, **parameters: Any) -> Answer:
    answer = ask(generator, content, **parameters)
    generator.add(answer)
    return finish(generator, answer)[0]


def expected(folder: Path, answer: Answer, count: int) -> list[int]:
    model = AutoModelForCausalLM.from_pretrained(folder / "model", attn_implementation="eager")
    ids = torch.tensor([answer.prompt])
    made = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False)[0]
    tokens = made[len(answer.prompt) :].tolist()
    return tokens[:-1] if tokens[-1] == model.config.eos_token_id else tokens


@pytest.fixture(scope="module")
def generator(served: Path) -> Generator:
    return Generator(served, 4)


@pytest.mark.parametrize("changes", [{}, {"model_type": "mistral", "sliding_window": 6}])
def test_greedy_answers_are_those_of_generate(make_served: Callable[..., Path], changes: dict[str, Any]) -> None:
    folder = make_served(**changes)
    made = Generator(folder, 4)
    for question in QUESTIONS:
        answer = alone(made, question, max_new_tokens=20)
        assert answer.tokens == expected(folder, answer, 20), question
        assert len(answer.tokens) > 3


def test_a_batch_that_is_joined_and_left_at_any_time_changes_no_answer(served: Path, generator: Generator) -> None:
    lengths = [3, 25, 12, 7, 18, 9]
    answers = [ask(generator, q, max_new_tokens=n) for q, n in zip(QUESTIONS, lengths, strict=True)]
    waiting = list(answers)
    for round_ in range(200):
        if waiting and len(generator.active) < generator.rows and round_ % 2 == 0:
            generator.add(waiting.pop(0))
        generator.step()
        if all(answer.reason for answer in answers):
            break
    assert generator.active == []
    for answer, count in zip(answers, lengths, strict=True):
        assert answer.tokens == expected(served, answer, count)


def test_a_long_prompt_is_read_in_parts(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.local.scoring.generator.PROMPT_PART", 7)
    made = Generator(served, 2)
    short = ask(made, "Hello", max_new_tokens=30)
    made.add(short)
    while len(short.tokens) < 2:
        made.step()
    long = ask(made, QUESTIONS[2], max_new_tokens=5)
    made.add(long)
    made.step()
    assert len(short.tokens) == 3 and not long.tokens  # the first one goes on meanwhile
    finish(made, short, long)
    assert short.tokens == expected(served, short, 30)
    assert long.tokens == expected(served, long, 5)


def test_a_dropped_answer_frees_its_row(served: Path, generator: Generator) -> None:
    first, second, third = (ask(generator, q, max_new_tokens=15) for q in QUESTIONS[:3])
    for answer in (first, second, third):
        generator.add(answer)
    for _ in range(5):
        generator.step()
    generator.drop(first)
    assert len(generator.active) == 2
    finish(generator, second, third)
    assert second.tokens == expected(served, second, 15)
    assert third.tokens == expected(served, third, 15)


def test_a_seed_repeats_an_answer(generator: Generator) -> None:
    first, again, other = (
        alone(generator, "Hello", do_sample=True, max_new_tokens=12, seed=seed).tokens for seed in (1, 1, 2)
    )
    assert first == again != other


def test_an_answer_ends_at_a_stop_string_or_its_limit(generator: Generator) -> None:
    free = alone(generator, "Hello", max_new_tokens=20)
    assert free.reason == "length" and len(free.tokens) == 20
    stop = free.text[4:7]
    stopped = alone(generator, "Hello", max_new_tokens=20, stop=(stop,))
    assert stopped.reason == "stop"
    assert stopped.text == free.text[: free.text.index(stop)]


def test_an_end_token_ends_the_answer(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    free = alone(generator, "Hello", max_new_tokens=20)
    end = next(token for at, token in enumerate(free.tokens) if at > 2 and token not in free.tokens[:at])
    monkeypatch.setattr(generator, "ends", {end})
    ended = alone(generator, "Hello", max_new_tokens=20)
    assert ended.reason == "stop"
    assert ended.tokens == free.tokens[: free.tokens.index(end)]


def test_what_does_not_fit_into_the_context_is_refused(generator: Generator) -> None:
    with pytest.raises(BadRequest, match=r"\d+ tokens; the model's context is 256"):
        ask(generator, "Which size? " * 100)
    answer = ask(generator, "Hello", max_new_tokens=100000)
    assert answer.limit == 256 - len(answer.prompt)


def test_a_system_role_that_the_model_does_not_know_is_folded(make_served: Callable[..., Path]) -> None:
    made = Generator(make_served(metadata="system_role_supported: false"), 1)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi?"}]
    answer = made.prepare(messages, Parameters())
    assert "<|im_start|>user\nBe brief.\n\nHi?<|im_end|>" in made.tokenizer.decode(answer.prompt)
    with pytest.raises(BadRequest, match="Only one system role"):
        made.prepare([*messages, messages[0]], Parameters())


def test_top_k_and_top_p_leave_out_what_they_should() -> None:
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    random = torch.Generator().manual_seed(0)

    def drawn(**parameters: Any) -> dict[int, float]:
        chosen = Parameters(do_sample=True, **parameters)
        tokens = [choose(logits, chosen, random) for _ in range(2000)]
        return {token: tokens.count(token) / 2000 for token in sorted(set(tokens))}

    assert set(drawn()) == {0, 1, 2, 3}
    assert drawn()[0] == pytest.approx(0.5, abs=0.04)
    assert set(drawn(top_p=0.8)) == {0, 1}
    assert set(drawn(top_p=0.81)) == {0, 1, 2}
    assert drawn(top_p=0.8)[0] == pytest.approx(0.625, abs=0.04)
    assert set(drawn(top_p=0.1)) == {0}
    assert set(drawn(top_k=2)) == {0, 1}
    assert drawn(temperature=0.5)[0] == pytest.approx(0.25 / 0.365, abs=0.04)
    assert drawn(temperature=0) == {0: 1.0}


def test_top_p_looks_beyond_the_likeliest_candidates_where_it_must() -> None:
    logits = torch.zeros(2000)
    parameters = Parameters(do_sample=True, top_p=0.9)
    random = torch.Generator().manual_seed(0)
    tokens = {choose(logits, parameters, random) for _ in range(3000)}
    assert 1000 < len(tokens) <= 1800
