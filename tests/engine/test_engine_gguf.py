"""The stand-in model as read here is the one that transformers' own reader gives, bit for bit."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from scripts.conversation import tokens as chat
from scripts.local.engine import gguf, model_import, smollm2

pytestmark = pytest.mark.slow


def test_weights_and_tokens_are_those_of_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gguf as package
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # Taking the file apart is most of the work: it is done once for all four readers.
    monkeypatch.setattr("gguf.GGUFReader", functools.cache(package.GGUFReader))
    source = smollm2.find_gguf()
    gguf.convert(source, tmp_path / "ours", "float32")
    theirs = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    expected = theirs.state_dict()
    found = load_file(tmp_path / "ours" / "model.safetensors")
    assert len(found) == 272
    for name, weight in found.items():
        assert torch.equal(weight, expected[name]), name
    assert set(expected) - set(found) <= {"lm_head.weight"}  # tied to the embedding
    config = AutoModelForCausalLM.from_pretrained(tmp_path / "ours").config
    for name in ("rms_norm_eps", "num_key_value_heads", "tie_word_embeddings", "vocab_size", "rope_parameters"):
        assert getattr(config, name) == getattr(theirs.config, name), name

    ours, reference = model_import.load_tokenizer(tmp_path / "ours"), AutoTokenizer.from_pretrained(
        source.parent, gguf_file=source.name
    )  # fmt: skip
    assert ours.model_max_length == 8192
    for text in ("Hello 12345 wörld 😀\n\n  x", "a  b\t\tc 2024-11-23", "日本語 <|im_start|>user", " It's we'll  THE"):
        assert ours(text)["input_ids"] == reference(text)["input_ids"]
        assert ours.decode(ours(text)["input_ids"]) == text
    messages = [{"role": "user", "content": "Which size?"}, {"role": "assistant", "content": "An A100."}]
    assert chat.encode(ours, messages).ids == reference.apply_chat_template(messages, return_dict=True)["input_ids"]


def test_it_is_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZUREML_LOCAL_HOME", str(tmp_path))
    folder, seconds = smollm2.weights("bfloat16")
    assert seconds > 0 and folder.parent == tmp_path / "models"
    assert smollm2.weights("bfloat16") == (folder, 0.0)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
