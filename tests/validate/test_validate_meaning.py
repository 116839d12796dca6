"""Values that their schema lets through and nobody can mean: regions, registries, versions, numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.files import ROOT
from scripts.validate.__main__ import run, validate
from scripts.values.read import load
from tests.validate.conftest import MODEL, Fault

CASES = [
    ("reference", ["azure.region=eastsu"], "azure.region", "no region of Azure's (did you mean 'eastus'?)"),
    ("reference", ["azure.region=mars"], "azure.region", "no region of Azure's"),
    ("reference", ["model.registry=azurml"], "model.registry", "did you mean 'azureml'"),
    ("prod", ['model.version="99"'], "model.version", 'take "8", or run make lock ENV=prod'),
    ("reference", ["model.name=Phi-4"], "model.version", "written for another model than Phi-4 (--set)"),
    ("reference", ["model.name=Phi-4"], "model.version", 'give model.version beside model.name; take "8"'),
    ("reference", ["model.huggingface_id=someone/Else"], "model.name", "written for another model than someone/Else"),
    ("prod", ["model.huggingface_id=someone/Else"], "model.name", "beside model.huggingface_id: Else"),
    ("reference", ["finetune.learning_rate=5e-3"], "finetune.learning_rate", "100 times or more outside 5e-7 to 5e-5"),
    ("reference", ["finetune.learning_rate=1e-9"], "finetune.learning_rate", "100 times or more outside"),
    ("demo", ["finetune.learning_rate=0.5"], "finetune.learning_rate", "outside 1e-07 to 0.005"),
    ("reference", ["deployment.request_timeout_ms=90"], "deployment.request_timeout_ms", "expected 1000 or more"),
    ("reference", ["deployment.request_timeout_ms=90"], "deployment.request_timeout_ms", "would end with 408"),
    ("reference", ["finetune.lora_r=4096"], "finetune.lora_r", "expected at most 512: an adapter of a higher rank"),
    (
        "reference",
        ["compute.idle_time_before_scale_down=120000"],
        "compute.idle_time_before_scale_down",
        "at most 86400",
    ),
]


@pytest.mark.parametrize(("env", "sets", "key", "said"), CASES)
def test_a_value_that_cannot_be_meant(env: str, sets: list[str], key: str, said: str) -> None:
    values = load(env, sets, check=False)
    found = [str(each) for each in validate(values) if each.key == key]
    assert len(found) == 1, found
    assert found[0].startswith(f"{values.where(key)}: {key}: found ")
    assert said in found[0]


@pytest.mark.parametrize(
    ("env", "sets"),
    [
        ("reference", []), ("demo", []), ("prod", []), ("reference", ["model.registry=our-own"]),
        ("reference", ["model.name=Phi-4", 'model.version="8"']), ("reference", ["finetune.learning_rate=1e-4"]),
        ("reference", ["deployment.request_timeout_ms=1000"]), ("reference", ["finetune.lora_r=512"]),
        ("reference", ["model.huggingface_id=microsoft/phi-3-mini-4k-instruct"]),
        ("reference", ["model.huggingface_id=someone/else", "model.name=ours"]),
        ("demo", ["finetune.learning_rate=0.1"]), ("demo", ['model.version="main"']),
    ],
)  # fmt: skip
def test_values_that_can_be_meant(env: str, sets: list[str]) -> None:
    keys = {"azure.region", "model.name", "model.registry", "model.version", "finetune.learning_rate",
            "finetune.lora_r", "deployment.request_timeout_ms"}  # fmt: skip
    assert not [str(each) for each in validate(load(env, sets, check=False)) if each.key in keys]


def test_an_environment_that_names_another_model_and_inherits_the_version(tmp_path: Path) -> None:
    for name in ("values.yaml", "values.schema.json"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "prod.yaml").write_text("azure:\n  workspace: w-1\nmodel:\n  name: Phi-4\n")
    values = load("prod", root=tmp_path)
    found = [str(each) for each in validate(values) if each.key == "model.version"]
    line = (ROOT / "values.yaml").read_text().splitlines().index('  version: "15"') + 1
    assert len(found) == 1
    assert found[0].startswith(f"values.yaml:{line}: model.version: found 15, which was written for another model")
    assert "(environments/prod.yaml:4)" in found[0]


def test_the_command_tells_them_with_the_files_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--env", "reference", "--set", "azure.region=westus9"]) == 4
    assert "error: --set: azure.region: found westus9" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["reference-ff68c580ac-1", "1.0", "0", "-1", '"2026-11-24"', "true"])
def test_a_model_version_that_is_no_positive_integer(is_said: Fault, version: str) -> None:
    before = "type: mlflow_model"
    is_said(MODEL, before, f"{before}\nversion: {version}", "version", "expected a positive integer")


@pytest.mark.parametrize("version", ["7", '"7"'])
def test_a_model_version_that_azure_takes(broken: object, version: str) -> None:
    assert callable(broken)
    before = "type: mlflow_model"
    assert not [each for each in broken(MODEL, before, f"{before}\nversion: {version}") if "positive" in each]
