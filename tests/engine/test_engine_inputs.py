"""Inputs, files and rows: what the component refuses is refused, with a sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.azure import component
from scripts.errors import UserError
from scripts.local.engine import rows, validation
from scripts.local.engine.job_folder import Job

REFUSED = [
    ({"learning_rat": "1"}, r"inputs\.learning_rat: .*did you mean 'learning_rate'"),
    ({"learning_rate": "fast"}, r"inputs\.learning_rate: found 'fast'; allowed is a number"),
    ({"learning_rate": "0"}, r"inputs\.learning_rate: found 0; allowed is more than 0"),
    ({"num_train_epochs": "1.5"}, r"inputs\.num_train_epochs: found '1\.5'; allowed is a whole number"),
    ({"num_train_epochs": "0"}, r"inputs\.num_train_epochs: found 0; allowed is 1 or more"),
    ({"apply_lora": "True"}, r"inputs\.apply_lora: found 'True'; allowed are true, false"),
    ({"lr_scheduler_type": "cosin"}, r"did you mean 'cosine'"),
    ({"precision": "8"}, r"inputs\.precision: found '8'; allowed are 32, 16"),
    ({"lora_dropout": "1"}, r"inputs\.lora_dropout: found 1; allowed is 0 to below 1"),
    ({"lora_r": "0"}, r"inputs\.lora_r: found 0; allowed is 1 or more"),
    ({"evaluation_steps_interval": "2"}, r"evaluation_steps_interval: found 2; allowed is 0 to 1"),
    ({"apply_early_stopping": "true", "evaluation_strategy": "disable"}, "early stopping needs evaluations"),
    ({"apply_deepspeed": "true", "auto_find_batch_size": "true"}, "DeepSpeed cannot search the batch size"),
    ({"apply_deepspeed": "true", "deepspeed_stage": "3", "apply_ort": "true"}, "ONNX Runtime"),
    ({"train_file_path": None}, r"inputs\.train_file_path: missing"),
    ({"train_file_path": "/no/such.jsonl"}, r"/no/such\.jsonl does not exist"),
    ({"train_file_path": "C:\\train.jsonl"}, r"allows no \\ in a path"),
    ({"compute_finetune": "bob's"}, r"inputs\.compute_finetune: the component allows no '"),
]


@pytest.mark.parametrize(("changes", "sentence"), REFUSED)
def test_what_the_component_refuses_is_refused(
    make_job: Callable[..., Path], changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        validation.run(Job(make_job(**changes)))


def test_stage_3_needs_a_config_that_gathers_the_weights(make_job: Callable[..., Path], tmp_path: Path) -> None:
    config = tmp_path / "zero3.json"
    config.write_text('{"zero_optimization": {"stage": 3}}')
    given = {"apply_deepspeed": "true", "deepspeed_stage": "3", "deepspeed": str(config)}
    with pytest.raises(UserError, match="stage3_gather_16bit_weights_on_model_save must be true"):
        validation.run(Job(make_job(**given)))
    config.write_text('{"zero_optimization": {"stage3_gather_16bit_weights_on_model_save": true}}')
    assert validation.run(Job(make_job("second", **given)))["deepspeed_stage"] == "3"


def test_every_input_has_a_value_and_its_type() -> None:
    values = validation.parse({"learning_rate": "1e-3", "apply_lora": "true"})
    assert set(values) == set(component.catalog().inputs)
    assert values["learning_rate"] == 0.001
    assert values["apply_lora"] is True
    assert values["merge_lora_weights"] is True
    assert values["adam_epsilon"] == 1e-8
    assert values["precision"] == "32"
    assert values["train_file_path"] is None


def test_what_has_no_effect_here_is_said_in_a_line_each() -> None:
    values = validation.parse({"apply_deepspeed": "true", "number_of_gpu_to_use_finetuning": "4", "apply_ort": "true"})
    lines = validation.notices(values)
    assert len(lines) == 3
    assert any("DeepSpeed stage 2" in line for line in lines)
    assert any("1 node(s) with 4 GPU(s)" in line for line in lines)
    assert validation.notices(validation.parse({})) == []


ROW = {"messages": [{"role": "user", "content": "Hä?"}, {"role": "assistant", "content": "A\nB"}]}


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    import pandas

    line = json.dumps(ROW)
    (tmp_path / "a.jsonl").write_text(f"{line}\n\n{line}\n", encoding="utf-8")
    (tmp_path / "a.json").write_text(json.dumps([ROW, ROW]), encoding="utf-8")
    (tmp_path / "b.json").write_text(f"{line}\n{line}\n", encoding="utf-8")
    table = pandas.DataFrame({"id": [1, 2], "messages": [json.dumps(ROW["messages"])] * 2})
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    pandas.DataFrame({"id": [1, 2], "messages": [ROW["messages"]] * 2}).to_parquet(tmp_path / "a.parquet")
    folder = tmp_path / "table"
    folder.mkdir()
    (folder / "MLTable").write_text("paths:\n  - file: ./part.jsonl\n")
    (folder / "part.jsonl").write_text(f"{line}\n{line}\n", encoding="utf-8")
    for name in ("a.jsonl", "a.json", "b.json", "a.csv", "a.tsv", "a.parquet", "table"):
        read = list(rows.read(tmp_path / name))
        assert [row["messages"] for _, row in read] == [ROW["messages"]] * 2, name
    assert [where for where, _ in rows.read(tmp_path / "a.jsonl")] == ["a.jsonl:1", "a.jsonl:3"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.jsonl", b'{"messages": [}\n', r"a\.jsonl:1: not JSON"),
        ("a.jsonl", b'{"messages": []}\n[1]\n', r"a\.jsonl:2: found list"),
        ("a.jsonl", b'{"messages": "\xff"}\n', r"a\.jsonl: not UTF-8"),
        ("a.csv", b"messages\nhello\n", r"a\.csv:2: messages: not JSON"),
        ("a.parquet", b"no parquet", r"a\.parquet: not a parquet file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        list(rows.read(tmp_path / name))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"setings": {}}, "setings is unknown here"),
        ({"settings": {"max_step": 2}}, "settings.max_step is unknown here"),
        ({"settings": {"max_steps": "2"}}, "settings.max_steps: found '2', expected a whole number"),
        ({"base_model": {"folder": "x"}}, "base_model.folder is unknown here"),
        ({"mlflow": {"run": "x"}}, "mlflow.run is unknown here"),
    ],
)
def test_what_nobody_reads_in_a_jobs_description_is_refused(make_job: Any, changes: dict[str, Any], words: str) -> None:
    folder = make_job()
    description = json.loads((folder / "job.json").read_text())
    (folder / "job.json").write_text(json.dumps(description | changes))
    with pytest.raises(UserError, match=f"job.json: {re.escape(words)}.*; the emulator writes it"):
        Job(folder)
