"""What is written is the model: llama.cpp computes the probabilities that transformers does, for every architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.export import gguf_file, vocabulary, weights
from tests.export.asked import following, llama_cpp
from tests.tiny_models import make_model

PROMPTS = ([1, 50, 60, 70, 80, 90], list(range(3, 120)))
LLAMA_3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
           "high_freq_factor": 4.0, "original_max_position_embeddings": 64}  # fmt: skip
KINDS = {
    "llama": {},
    "llama, tied, with biases": {"tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True},
    "llama 3.1's positions": {"rope_parameters": LLAMA_3},
    "linear positions": {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}},
    "heads of their own width": {"head_dim": 16},
    "mistral": {"model_type": "mistral", "sliding_window": None},
    "qwen2": {"model_type": "qwen2"},
    "phi3": {"model_type": "phi3", "num_key_value_heads": 4},
    "phi4": {"model_type": "phi3", "rope_parameters": {"rope_type": "default", "rope_theta": 250000.0}},
    "phi4-mini, not scaled": {
        "model_type": "phi3", "tie_word_embeddings": True, "hidden_size": 64,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
    },
}  # fmt: skip


def write(folder: Path, file: Path) -> weights.Weights:
    """Writes the tiny model of a folder as a GGUF file."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = weights.read(folder)
    words = vocabulary.read(tokenizer, found.rows, [tokenizer.eos_token_id])
    gguf_file.whole(file, "tiny", "1", found, words, "gpt-2", found.context)
    return found


def lively(model: Any) -> None:
    """Spreads random weights, so that what comes next depends on what was read, and in which order."""
    import torch

    torch.manual_seed(1)
    for parameter in model.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_probabilities_are_those_of_transformers(tmp_path: Path, kind: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    folder = make_model(tmp_path / "tiny", **KINDS[kind])
    model = AutoModelForCausalLM.from_pretrained(folder).float().eval()
    lively(model)
    model.save_pretrained(folder)
    write(folder, tmp_path / "tiny.gguf")
    llama = llama_cpp(tmp_path / "tiny.gguf")
    for prompt in PROMPTS:
        with torch.inference_mode():
            wanted = torch.log_softmax(model(torch.tensor([prompt])).logits[0, -1], -1)
        (found,) = following(llama, prompt, 1, len(wanted))
        assert len(found) == len(wanted) and float(wanted.max() - wanted.min()) > 3
        assert max(abs(float(wanted[token]) - value) for token, value in found.items()) < 1e-3
