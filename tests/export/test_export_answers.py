"""The exported file answers in llama.cpp as the endpoint does, greedily, on 20 questions; and it holds the same bits."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.conversation import tokens as chat
from scripts.evaluate import general
from scripts.evaluate.model_version import ModelVersion
from scripts.export import bundle, conversations
from scripts.local.engine import gguf, smollm2
from scripts.values.read import load
from tests.export.asked import following, llama_cpp

QUESTIONS = 20
TOKENS = 40
NEAR = 0.15  # of log-probability: what is nearer than bfloat16 tells apart may fall either way
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Parted:
    """Where two answers part: how much likelier llama.cpp holds its token than the endpoint's."""

    question: int
    at: int
    gap: float


def registered(folder: Path, weights: Path) -> Path:
    """Returns a registered model's folder with the weights of a folder."""
    shutil.copytree(weights, folder / "model", copy_function=shutil.copy2)
    (folder / "MLmodel").write_text("flavors: {}\n")
    return folder


def exported(folder: Path, out: Path) -> Path:
    """Exports a model and returns the GGUF file."""
    bundle.export(load("demo"), ModelVersion("m", "1", "job"), folder, out)
    return out / "m-1.gguf"


def endpoint_answers(folder: Path, prompts: list[list[int]]) -> list[list[int]]:
    """Returns the tokens that the endpoint's own generator answers with."""
    from scripts.local.scoring.contract import Parameters
    from scripts.local.scoring.generator import Answer, Generator

    generator = Generator(folder, len(prompts))
    answers = [Answer(prompt, Parameters(), TOKENS) for prompt in prompts]
    for answer in answers:
        generator.add(answer)
    while generator.active:
        generator.step()
    return [answer.tokens for answer in answers]


def parted(file: Path, prompts: list[list[int]], answers: list[list[int]]) -> list[Parted]:
    """Returns where llama.cpp's answers part from the endpoint's."""
    llama, found = llama_cpp(file, 1024), []
    for number, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        steps = following(llama, prompt, TOKENS, 50)
        for at, (step, token) in enumerate(zip(steps, answer, strict=False)):
            own = next(iter(step))
            if own != token:
                found.append(Parted(number, at, step[own] - step.get(token, float("-inf"))))
                break
    return found


def asked(folder: Path) -> list[list[int]]:
    """Returns the general questions as prompts."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return [chat.prompt(tokenizer, case.messages) for case in general.questions()][:QUESTIONS]


def test_the_base_model_comes_back_bit_for_bit_and_answers_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from safetensors.torch import load_file

    monkeypatch.setattr(conversations, "COUNT", 200)  # all 1,000: the long test
    base = smollm2.weights("bfloat16")[0]
    folder = registered(tmp_path / "model", base)
    file = exported(folder, tmp_path / "out")
    gguf.convert(file, tmp_path / "back", "bfloat16")
    back, own = load_file(tmp_path / "back" / "model.safetensors"), load_file(base / "model.safetensors")
    assert set(back) == set(own) and all(torch.equal(back[name], own[name]) for name in own)
    prompts = asked(base)
    found = parted(file, prompts, endpoint_answers(folder, prompts))
    print(found)
    assert len(prompts) == QUESTIONS
    assert all(each.gap < NEAR for each in found) and len(found) <= 5
