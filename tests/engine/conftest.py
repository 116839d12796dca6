"""Jobs that train a tiny Llama in under a second."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_models import make_model, tiny, tokenizer

__all__ = ["tiny", "tokenizer"]  # fixtures of that module


@pytest.fixture(scope="session", name="make_model")
def model_maker() -> Callable[..., Path]:
    """`make_model(folder, model_type="mistral", sliding_window=6)` writes another tiny model."""
    return make_model


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
        from scripts.local.engine.job_folder import Job
        from scripts.local.engine.threads import Follower

        job = Job(folder)
        engine.run(job, Follower(1))
        return job

    return run
