"""The exported file answers in llama.cpp as the endpoint does, greedily, on 20 questions; and it has the same bits.

In float32 every token is the same. In bfloat16 the endpoint rounds more than llama.cpp, which keeps float32 between the
layers: where they part, llama.cpp's token has to be the one that float32 takes.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.conversation import endpoint, held_out
from scripts.conversation import tokens as chat
from scripts.evaluate import general
from scripts.evaluate.model_version import ModelVersion
from scripts.export import bundle, conversations
from scripts.local.engine import gguf, smollm2
from scripts.values.read import load
from tests.chain.conftest import Chain
from tests.conftest import enter, new_home
from tests.export.asked import following, llama_cpp

QUESTIONS, TOKENS = 20, 8
NEAR = 0.05  # of log-probability: what llama.cpp was measured to be off float32 at most, 0.03, and some
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Parted:
    """Where two answers part, and how much likelier llama.cpp holds its token than the endpoint's."""

    question: int
    tokens: list[int]  # of the prompt, and of the answer as far as it is the same
    own: int
    other: int
    gap: float


def parted(file: Path, prompts: list[list[int]], answers: list[list[int]], tokens: int) -> list[Parted]:
    """Returns where llama.cpp's answers part from the endpoint's."""
    llama, found = llama_cpp(file, 1024), []
    for number, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        steps = following(llama, prompt, tokens, 50)
        for at, (step, token) in enumerate(zip(steps, answer, strict=False)):
            own = next(iter(step))
            if own != token:
                gap = step[own] - step.get(token, float("-inf"))
                found.append(Parted(number, [*prompt, *answer[:at]], own, token, gap))
                break
        else:
            assert abs(len(steps) - len(answer)) <= 1, (
                number
            )  # the token that ends an answer is one's and not the other's
    return found


def endpoints(folder: Path, prompts: list[list[int]]) -> list[list[int]]:
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


@pytest.mark.usefixtures("home")
def test_the_base_model_comes_back_bit_for_bit_and_answers_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file
    from transformers import AutoTokenizer

    monkeypatch.setattr(conversations, "COUNT", 200)  # all 1,000: the story below
    base, folder = smollm2.weights("float32")[0], tmp_path / "model"
    shutil.copytree(base, folder / "model")
    (folder / "MLmodel").write_text("flavors: {}\n")
    bundle.export(load("demo"), ModelVersion("m", "1", "job"), folder, tmp_path / "out")
    file = tmp_path / "out" / "m-1.gguf"
    assert_same_bits(file, load_file(base / "model.safetensors"))
    tokenizer = AutoTokenizer.from_pretrained(base)
    prompts = [chat.prompt(tokenizer, case.messages) for case in general.questions()]
    assert len(prompts) == QUESTIONS
    assert parted(file, prompts, endpoints(folder, prompts), TOKENS) == []


def assert_same_bits(file: Path, own: dict[str, Any]) -> None:
    """Looks at every number of a file of the base model, which has 9 heads of queries and 3 of keys."""
    from gguf import MODEL_ARCH, GGUFReader, get_tensor_name_map

    names = get_tensor_name_map(MODEL_ARCH.LLAMA, 30)
    written = {tensor.name: tensor.data for tensor in GGUFReader(file).tensors}
    for name, weight in own.items():
        heads = {"q_proj": 9, "k_proj": 3}.get(name.split(".")[-2])
        wanted = gguf.neighbours(weight, heads) if heads else weight
        assert (written.pop(names.get_name(name, try_suffixes=(".weight",))) == wanted.numpy()).all(), name
    assert not written


@pytest.mark.long
def test_the_tuned_model_of_the_demo_answers_as_its_endpoint(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The whole story: trained, registered, deployed, exported; the endpoint is asked as a client does."""
    from transformers import AutoTokenizer

    from scripts.azure import client as client_module

    home = new_home(tmp_path_factory)
    (home / "settings.yaml").write_text("training:\n  max_steps: 50\n")  # enough to answer in JSON
    chain = Chain(tmp_path_factory.mktemp("clone"), home, {})
    try:
        chain.make("demo", "KEEP=1")
        said = " ".join(chain.make("export", "ENV=demo").split())
        assert "1,000 conversations are the same" in said and "of data/demo, 20 general" in said
        file = chain.project / ".runs/demo/local/export/SmolLM2-135M-Instruct-azureml-chat-1.gguf"
        cases = held_out.cases("demo", chain.project)[:QUESTIONS]
        (weights,) = chain.project.glob("runs/*/model/model")
        tokenizer = AutoTokenizer.from_pretrained(weights)
        chain.emulated.up()
        patch = enter(chain.emulated)
        try:
            answers = ask(client_module.connect(load("demo")), cases)
        finally:
            patch.undo()
        prompts = [chat.prompt(tokenizer, case.messages) for case in cases]
        again = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in answers]
        found = parted(file, prompts, again, 40)
        gaps = [round(each.gap, 2) for each in found]
        print(f"{QUESTIONS - len(found)} of {QUESTIONS} answers are the same; gaps of the others: {gaps}")
        assert len(found) <= QUESTIONS // 4 and not wrong(weights, found)
        assert sum(answer.startswith('{"area": ') for answer in answers) == QUESTIONS
    finally:
        chain.emulated.down()


def wrong(weights: Path, found: list[Parted]) -> list[Parted]:
    """Returns where float32 takes the endpoint's token, and not llama.cpp's."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(weights, dtype=torch.float32).eval()
    with torch.inference_mode():
        logits = [model(torch.tensor([each.tokens])).logits[0, -1] for each in found]
    return [each for each, row in zip(found, logits, strict=True) if row[each.other] - row[each.own] > NEAR]


def ask(client: Any, cases: list[held_out.Case]) -> list[str]:
    """Returns what the deployed model answers."""
    found = endpoint.require(load("demo"), client, endpoint.name_of(load("demo")))
    with endpoint.http_client(found.timeout) as http:
        return [found.ask(case.messages, {"do_sample": False, "max_new_tokens": 40}, http) for case in cases]
