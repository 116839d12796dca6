"""Chat models small enough to train and ask in a test: real files of transformers, random weights, ChatML."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SENTENCES = [
    "The quick brown fox jumps.",
    "Which size trains Phi-4?",
    "An A100 does.",
    "system user assistant\n",
    "äöü 😀",
]


def make_model(folder: Path, **changes: Any) -> Path:
    """Writes a model of 2 layers, 32 wide, with a byte-level tokenizer whose template is ChatML."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        bos_token="<|im_start|>",
        chat_template=TEMPLATE,
        model_max_length=256,
    )
    wrapped.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {
        "vocab_size": len(wrapped),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "eos_token_id": wrapped.eos_token_id,
        "bos_token_id": wrapped.bos_token_id,
        "pad_token_id": wrapped.pad_token_id,
    }
    kind = changes.pop("model_type", "llama")
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **{**sizes, **changes}))
    model.lm_head.weight.data[:3] = 0  # so that greedy answers do not end by chance
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny Llama."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    return make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tokenizer(tiny: Path) -> Any:
    """Its tokenizer, as transformers loads it."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny)
