"""A tokenizer that is trained in a moment, in the files that a model's folder has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.dataset import manifest_shape
from scripts.dataset import prepare as preparing
from scripts.dataset.manifest import manifest_of

TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(autouse=True)
def no_converted_models(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the tests from finding what a run of the engine has left on this machine."""
    monkeypatch.setenv("AZUREML_LOCAL_HOME", str(tmp_path_factory.getbasetemp() / "home"))


@pytest.fixture(scope="session")
def small_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a byte-level BPE tokenizer and a chat template."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers

    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(["what is the answer to this question word word"] * 10, trainer)
    tokenizer.add_special_tokens(
        [AddedToken(f"<|{each}|>", special=True) for each in ("user", "assistant", "system", "end")]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"chat_template": TEMPLATE, "model_max_length": 8192, "eos_token": "<|end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(autouse=True)
def every_manifest_has_its_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holds all manifests that the tests make against the shape that readers rely on."""

    def made(*given: Any) -> dict[str, Any]:
        manifest = manifest_of(*given)
        assert not manifest_shape.fault(json.loads(json.dumps(manifest)))
        return manifest

    monkeypatch.setattr(preparing, "manifest_of", made)
