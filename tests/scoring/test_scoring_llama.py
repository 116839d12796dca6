"""A model of Llama's shape answers without transformers just as with it: the same tokens, text, ends and logits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from scripts.conversation.tokenizer import Tokenizer
from scripts.local.scoring import llama
from scripts.local.scoring.cache import Cache, Part
from scripts.local.scoring.transformed import Transformed

SHAPES = [
    {},
    {"dtype": torch.bfloat16},
    {"dtype": torch.bfloat16, "tie_word_embeddings": True, "num_key_value_heads": 1},
    {"head_dim": 16, "rms_norm_eps": 1e-2, "rope_parameters": {"rope_type": "default", "rope_theta": 100.0}},
]


def steps(model: Any, prompts: list[list[int]]) -> list[torch.Tensor]:
    """The logits after each prompt, then after a further token for all of them together, twice."""
    cache = Cache(model.shape, len(prompts), 64, 8)
    found = []
    with torch.inference_mode():
        for turn in range(3):
            parts = [(row, 1, [ids]) for row, ids in enumerate(prompts)]
            for first, rows, ids in parts if turn == 0 else [(0, len(prompts), [[7 + turn]] * len(prompts))]:
                found.append(model.logits(torch.tensor(ids), Part(cache, first, rows, len(ids[0]))))
                for row in range(first, first + rows):
                    cache.lengths[row] += len(ids[0])
    return found


@pytest.mark.parametrize("changes", SHAPES)
def test_logits_are_those_of_transformers_and_in_bf16_bit_for_bit(
    make_served: Callable[..., Path], changes: dict[str, Any]
) -> None:
    folder = make_served(**changes)
    assert llama.takes(folder)
    prompts = [[5, 6, 7, 8, 9], [40, 41], [100]]
    own = steps(llama.Llama(folder / "model"), prompts)
    theirs = steps(Transformed(folder / "model", folder), prompts)
    # In fp32 the library adds up in another order where matrices are put together.
    most = 0 if own[0].dtype == torch.bfloat16 else 1e-5
    assert all(torch.allclose(one, other, rtol=0, atol=most) for one, other in zip(own, theirs, strict=True))
    assert own[0].std() > 0.1, "nothing to tell apart"


@pytest.mark.parametrize(
    "changes",
    [
        {"model_type": "mistral", "sliding_window": 6},
        {"attention_bias": True},
        {"mlp_bias": True},
        {"hidden_act": "gelu"},
        {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}},
    ],
)
def test_another_shape_is_left_to_transformers(make_served: Callable[..., Path], changes: dict[str, Any]) -> None:
    assert not llama.takes(make_served(**changes))


@pytest.mark.parametrize(
    "file, change",
    [
        ("tokenizer_config.json", {"tokenizer_class": "LlamaTokenizer"}),
        ("tokenizer_config.json", {"clean_up_tokenization_spaces": True}),
        ("config.json", {"quantization_config": {"bits": 4}}),
        ("config.json", {"rope_parameters": None, "rope_scaling": {"type": "dynamic", "factor": 2.0}}),
    ],
)
def test_what_transformers_reads_otherwise_is_left_to_it(
    make_served: Callable[..., Path], file: str, change: dict[str, Any]
) -> None:
    folder = make_served()
    path = folder / "model" / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert not llama.takes(folder)


def test_adapters_that_were_not_merged_are_left_to_transformers(make_served: Callable[..., Path]) -> None:
    folder = make_served()
    (folder / "peft").mkdir()
    assert not llama.takes(folder)


def test_the_ends_are_those_of_transformers(make_served: Callable[..., Path]) -> None:
    folder = make_served(eos_token_id=[1, 2])
    assert llama.Llama(folder / "model").ends == Transformed(folder / "model", folder).ends == {1, 2}


def test_the_tokenizer_is_that_of_transformers(served: Path) -> None:
    own, theirs = Tokenizer(served / "model"), AutoTokenizer.from_pretrained(served / "model")
    messages = [
        {"role": "user", "content": "äöü 😀 Which size?"},
        {"role": "assistant", "content": "An A100 <|im_end|>"},
    ]
    for answer in (False, True):
        text = own.apply_chat_template(messages, add_generation_prompt=answer)
        assert text == theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=answer)
        ids = own(text)["input_ids"]
        assert ids == theirs(text, add_special_tokens=False)["input_ids"]
        for skip in (False, True):
            assert own.decode(ids, skip_special_tokens=skip) == theirs.decode(ids, skip_special_tokens=skip)
    assert own.eos_token_id == theirs.eos_token_id
    assert set(own.get_vocab()) == set(theirs.get_vocab())


def test_transformers_is_not_loaded(served: Path) -> None:
    asked = (
        "import sys; from pathlib import Path; from scripts.local.scoring.generator import Generator\n"
        f"Generator(Path({str(served)!r}), 1); print({{'transformers', 'sympy', 'peft'}} & {{*sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_config_is_read_as_transformers_does(served: Path) -> None:
    config = AutoConfig.from_pretrained(served / "model")
    model = llama.Llama(served / "model")
    assert model.shape.context == config.max_position_embeddings
    assert model.shape.dtype == AutoModelForCausalLM.from_pretrained(served / "model", dtype="auto").dtype
