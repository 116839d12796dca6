"""`az ml` in this process, over the real SDK, the real proxy and the emulator."""

import json
import re
import types
import uuid
from pathlib import Path

import pytest

from scripts.az_ml.__main__ import run

GOLDEN = Path(__file__).parent / "data" / "golden"
ROOT = Path(__file__).resolve().parents[2]

COMPUTE = """\
type: amlcompute
name: gpu-cluster
size: {size}
min_instances: 0
max_instances: 1
idle_time_before_scale_down: 120
"""
JOB = """\
type: pipeline
display_name: chat
experiment_name: az-ml
settings: {{force_rerun: true, continue_on_step_failure: false}}
inputs:
  train: {{type: uri_file, path: ./train.jsonl}}
  config: {{type: uri_file, path: ./finetune_config.json}}
outputs:
  trained_model: {{type: mlflow_model, mode: rw_mount}}
jobs:
  tune:
    type: pipeline
    component: azureml://registries/azureml/components/chat_completion_pipeline/versions/0.0.82
    inputs:
      huggingface_id: HuggingFaceTB/SmolLM2-135M-Instruct
      task_name: ChatCompletion
      finetune_config_path: ${{{{parent.inputs.config}}}}
      train_file_path: ${{{{parent.inputs.train}}}}
      apply_lora: "true"
      num_train_epochs: 2
      number_of_gpu_to_use_finetuning: 1
{computes}
    outputs:
      mlflow_model_folder: ${{{{parent.outputs.trained_model}}}}
"""
STEPS = ("model_import", "preprocess", "finetune", "model_evaluation")
JOB = JOB.format(computes="\n".join(f"      compute_{step}: gpu-cluster" for step in STEPS))
CONFIG = {"instruction_template": "<|im_start|>user", "response_template": "<|im_start|>assistant"}
ROW = '{"messages": [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hello!"}]}\n'


class Az:
    """`az ml` in this process, over the emulator, in a folder of its own."""

    def __init__(self, emulator, capsys):
        named = emulator.workspace
        self.where = ["--subscription", named["subscription_id"], "-g", named["resource_group"]]
        self.where += ["-w", named["workspace"]]
        self.capsys = capsys
        self.err = ""

    def __call__(self, *words, code=0):
        """Runs a command in the workspace and returns what it printed."""
        return self.anywhere(*words, *self.where, code=code)

    def anywhere(self, *words, code=0):
        self.capsys.readouterr()
        got = run(["ml", *words])
        out, self.err = self.capsys.readouterr()
        assert got == code, f"exit {got}, not {code}: {' '.join(words)}\n{out}\n{self.err}"
        assert "Traceback" not in self.err and "\x1b" not in self.err and "experimental" not in self.err
        return out

    def json(self, *words):
        return json.loads(self(*words))

    def size(self):
        """A GPU size that the region offers."""
        return json.loads(self("compute", "list-sizes", "--query", "[?gpus>`0`].name"))[0]

    def submit(self, *more):
        """Submits the small job in `job.yml`, with what it needs."""
        Path("compute.yml").write_text(COMPUTE.format(size=self.size()))
        self("compute", "create", "-f", "compute.yml")
        Path("train.jsonl").write_text(ROW * 40)
        saved = {"pip_requirements": ["mlflow<3", "azureml-ai-monitoring", "torch"]}
        config = {"chat_special_tokens": CONFIG, "mlflow_ft_conf": {"mlflow_save_model_kwargs": saved}}
        Path("finetune_config.json").write_text(json.dumps(config))
        Path("job.yml").write_text(JOB)
        return assert_shape(self("job", "create", "-f", "job.yml", *more), "job")


@pytest.fixture
def az(emulator, capsys, monkeypatch, tmp_path):
    for name, value in emulator.env.items():
        monkeypatch.setenv(name, value)
    for name in ("AZURE_DEFAULTS_GROUP", "AZURE_DEFAULTS_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    # The SDK writes key and deployment of a request into this shared constant, from which the next request takes them.
    headers = {"Content-Type": "application/json"}
    monkeypatch.setattr("azure.ai.ml.constants._endpoint.EndpointInvokeFields.DEFAULT_HEADER", headers)
    return Az(emulator, capsys)


def differences(found, golden, path=""):
    """What a printed entity has otherwise than its golden file: `…` is anything, `key?` a key that may be."""
    if isinstance(golden, str) and "…" in golden:
        pattern = ".*".join(re.escape(part) for part in golden.split("…"))
        return [] if golden == "…" or re.fullmatch(pattern, str(found), re.DOTALL) else [f"{path} is {found!r}"]
    if isinstance(golden, dict) and isinstance(found, dict):
        optional = {key[:-1] for key in golden if key.endswith("?")}
        allowed = {key.removesuffix("?"): value for key, value in golden.items()}
        wrong = [f"{path}.{key} is not expected" for key in found if key not in allowed]
        wrong += [f"{path}.{key} is missing" for key in allowed if key not in found and key not in optional]
        return wrong + [
            each for key in found if key in allowed for each in differences(found[key], allowed[key], f"{path}.{key}")
        ]
    return [] if found == golden else [f"{path} is {found!r}, not {golden!r}"]


def assert_shape(text, golden, **known):
    """The text is sorted JSON of exactly the golden shape."""
    start = text.index("{")
    found = json.loads(text[start:])
    assert text[start:] == json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    expected = json.loads((GOLDEN / f"{golden}.json").read_text()) | known
    assert not differences(found, expected)
    return found


@pytest.fixture
def given():
    """What several files of these tests write and compare."""
    return types.SimpleNamespace(
        shape=assert_shape, compute=COMPUTE, job=JOB, row=ROW, name=lambda kind: f"{kind}-{uuid.uuid4().hex[:8]}"
    )
