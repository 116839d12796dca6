"""The demo's run trained for true by the engine: its gate lets the right labels through on any seed, and no others."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.conversation.held_out import Case
from scripts.dataset.prepare import prepare
from scripts.dataset.settings import from_values
from scripts.evaluate import gate, general, measure
from scripts.evaluate.kind import Observed
from scripts.evaluate.loaded_model import Model
from scripts.evaluate.measure import Asked
from scripts.files import ROOT
from scripts.local.engine import smollm2
from scripts.values.read import load

pytestmark = [pytest.mark.slow, pytest.mark.long]
VALUES = load("demo").data
Rows = list[list[dict[str, str]]]


def read(path: Path) -> Rows:
    return [json.loads(line)["messages"] for line in path.read_text(encoding="utf-8").splitlines()]


def shuffled(rows: Rows, seed: int) -> Rows:
    """Returns the rows with the answers of the triage dealt out anew."""
    ours = [row for row in rows if row[0]["role"] == "system"]
    answers = [message["content"] for row in ours for message in row if message["role"] == "assistant"]
    random.Random(seed).shuffle(answers)
    dealt = iter(answers)
    return [[{**message, "content": next(dealt)} if row in ours and message["role"] == "assistant" else message
             for message in row] for row in rows]  # fmt: skip


def train(folder: Path, files: dict[str, Path], seed: int) -> Path:
    """Trains with the demo's parameters and returns the model's folder."""
    inputs: dict[str, Any] = {key: value for key, value in VALUES["finetune"].items() if value is not None}
    inputs |= {f"{part}_file_path": path for part, path in files.items()}
    inputs |= {"task_name": "ChatCompletion", "huggingface_id": VALUES["model"]["huggingface_id"], "seed": seed,
               "finetune_config_path": ROOT / "pipelines/demo/finetune_config.json"}  # fmt: skip
    plain = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in inputs.items()}
    outputs = {name: str(folder / name) for name in ("mlflow_model_folder", "pytorch_model_folder")}
    job = {"name": "trained", "inputs": plain, "outputs": outputs, "settings": {},
           "base_model": {"reference": plain["huggingface_id"], "path": None},
           "mlflow": {"tracking_uri": None, "run_id": "trained"}}  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job))
    subprocess.run([sys.executable, "-m", "scripts.local.engine", str(folder)], cwd=ROOT, check=True)
    return Path(outputs["mlflow_model_folder"])


def asked(folder: Path) -> Asked:
    rows = read(folder / "test.jsonl") + read(folder / "heldout.jsonl")
    cases = [Case(f"case:{at}", row[:-1], row[-1]["content"]) for at, row in enumerate(rows)]
    return Asked(cases, len(cases), general.questions(), 5, {"resamples": 1000})


def observed(folder: Path, of: Asked) -> Observed:
    """Asks a model from its files."""
    model = Model(folder)
    answers = model.answers([*of.cases, *of.general], VALUES["evaluation"]["max_new_tokens"])
    return Observed("model", "weights", answers=answers[: len(of.cases)], general_answers=answers[len(of.cases) :])


@pytest.mark.parametrize(("seed", "right"), [(42, False), (1, True), (2, True), (3, True)])
def test_right_labels_pass_and_shuffled_ones_are_refused(tmp_path: Path, seed: int, right: bool) -> None:
    data = tmp_path / "data"
    prepare(from_values(VALUES), data, say=lambda line: None, stream=None)
    if not right:
        dealt = shuffled(read(data / "train.jsonl"), seed)
        (data / "train.jsonl").write_text("".join(json.dumps({"messages": row}) + "\n" for row in dealt))
    tuned = train(tmp_path, {part: data / f"{part}.jsonl" for part in ("train", "validation", "test")}, seed)
    base = smollm2.weights("bfloat16")[0]
    of = asked(data)
    found = measure.measure(of, observed(base, of), observed(tuned, of))
    require = {key: limit for key, limit in VALUES["evaluation"]["require"].items() if "json" in key or "lost" in key}
    verdicts = gate.judge(require, found)
    print(*(each.sentence for each in verdicts), sep="\n")
    missed = {each.requirement for each in verdicts if not each.met}
    assert not missed if right else "json_exact_at_least_percent" in missed
