"""A chat model small enough to train and ask in a test: real files of transformers, random weights, 259 tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

CHATML = (
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}{{ '<|im_start|>system\nBe helpful."
    "<|im_end|>\n' }}{% endif %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL = ["<|im_start|>", "<|im_end|>", "<pad>"]


def tokenizer() -> Any:
    """Returns a tokenizer with a token a byte, and ChatML."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    rust = Tokenizer(models.BPE({letter: at for at, letter in enumerate(letters)}, []))
    rust.pre_tokenizer, rust.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    rust.add_special_tokens([AddedToken(each, special=True, normalized=False) for each in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=rust, eos_token="<|im_end|>", pad_token="<pad>", chat_template=CHATML, model_max_length=512
    )


def save(folder: Path, model: Any) -> Path:
    """Writes an MLflow model folder as the training step does, as far as serving and evaluating read it."""
    model.save_pretrained(folder / "model")
    tokenizer().save_pretrained(folder / "model")
    metadata = {"base_model": "tiny", "stand_in": None, "system_role_supported": True}
    (folder / "MLmodel").write_text(json.dumps({"flavors": {"transformers": {}}, "metadata": metadata}))
    return folder


@pytest.fixture(scope="session")
def tiny_model() -> Any:
    """A model of two layers that knows nothing yet."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=259, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=512, eos_token_id=257, pad_token_id=258, bos_token_id=256,
    )  # fmt: skip
    return LlamaForCausalLM(config)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory, tiny_model: Any) -> Path:
    """The folder of a model that knows nothing yet."""
    return save(tmp_path_factory.mktemp("base"), tiny_model)


@pytest.fixture(scope="session")
def tiny_tuned(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    """The folder of the same model after a few steps on `pairs`."""
    import torch

    from scripts.conversation import tokens as chat
    from scripts.local.engine import packed

    torch.manual_seed(0)
    model = packed.load(tiny_base / "model", torch.float32, "cpu")
    coder = tokenizer()
    rows = [chat.encode(coder, [{"role": "user", "content": ask}, {"role": "assistant", "content": answer}])
            for ask, answer in pairs()]  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    tokens = sum(sum(row.trained) for row in rows)
    for _ in range(60):
        packed.trained_loss(model, rows, 1 / tokens).backward()
        optimizer.step()
        optimizer.zero_grad()
    model.set_attn_implementation("sdpa")
    return save(tmp_path_factory.mktemp("tuned"), model)


def pairs() -> list[tuple[str, str]]:
    """Questions and answers that a model of two layers can learn."""
    return [(f"say {word}", word * 2) for word in ("a", "b", "c", "d", "e", "f")]
