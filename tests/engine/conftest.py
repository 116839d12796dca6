"""A tiny random Llama with a small tokenizer, and jobs that train it in under a second."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
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


@pytest.fixture(scope="session", name="make_model")
def model_maker() -> Callable[..., Path]:
    """`make_model(folder, model_type="mistral", sliding_window=6)` writes another tiny model."""
    return make_model


@pytest.fixture(scope="session")
def tokenizer(tiny: Path) -> Any:
    """Its tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny)


def conversation(number: int) -> list[dict[str, str]]:
    """A conversation of two turns, different for each number."""
    return [
        {"role": "user", "content": f"Which size trains model {number}?"},
        {"role": "assistant", "content": f"Size {number % 5} does."},
        {"role": "user", "content": "Sure?"},
        {"role": "assistant", "content": "An A100 does."},
    ]


def write_rows(path: Path, count: int, start: int = 0) -> Path:
    """Writes `count` conversations as JSON lines."""
    rows = [json.dumps({"messages": conversation(number), "prompt_id": "x"}) for number in range(start, start + count)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def make_job(tmp_path: Path, tiny: Path) -> Callable[..., Any]:
    """Makes job folders: `make_job(learning_rate="1e-2", settings={...})` returns the folder with its job.json."""

    def make(name: str = "job", settings: dict[str, Any] | None = None, **inputs: str | None) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        given: dict[str, str | None] = {
            "pytorch_model_path": str(tiny),
            "task_name": "ChatCompletion",
            "train_file_path": str(write_rows(tmp_path / "train.jsonl", 24)),
            "validation_file_path": str(write_rows(tmp_path / "validation.jsonl", 6, start=30)),
            "test_file_path": str(write_rows(tmp_path / "test.jsonl", 3, start=40)),
            "apply_lora": "true",
            "lora_r": "4",
            "lora_alpha": "8",
            "per_device_train_batch_size": "4",
            "learning_rate": "1e-2",
            "logging_steps": "1",
            **inputs,
        }
        description = {
            "name": name,
            "inputs": {key: value for key, value in given.items() if value is not None},
            "base_model": {"reference": "azureml://registries/azureml/models/tiny/versions/1", "path": None},
            "outputs": {
                "mlflow_model_folder": str(folder / "outputs" / "mlflow_model_folder"),
                "pytorch_model_folder": str(folder / "outputs" / "pytorch_model_folder"),
            },
            "settings": settings or {},
            "mlflow": {"tracking_uri": None, "run_id": name},
        }
        (folder / "job.json").write_text(json.dumps(description), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def run_job() -> Callable[[Path], Any]:
    """Runs the steps of a job in this process; returns the job."""

    def run(folder: Path) -> Any:
        from scripts.local.engine import __main__ as engine
        from scripts.local.engine.job import Job
        from scripts.local.engine.threads import Follower

        job = Job(folder)
        engine.run(job, Follower(1))
        return job

    return run
