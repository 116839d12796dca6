"""`python -m scripts.trained`: what a job trained, looked at through the SDK, and from files alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import trained
from scripts.errors import UserError

TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
GOOD = ["mlflow<3", "azureml-ai-monitoring==1.0.0", "transformers==5.3.0"]


def write(folder: Path, packages: list[str] | None, flavor: str = "hftransformersv2", template: str = TEMPLATE) -> Path:
    """Writes the small files of a model as Azure's converter lays them out; no packages, no conda.yaml."""
    tokenizer = folder / "data" / "tokenizer"
    tokenizer.mkdir(parents=True)
    (folder / "MLmodel").write_text(f"flavors:\n  {flavor}: {{}}\n  python_function: {{}}\n")
    (tokenizer / "tokenizer_config.json").write_text(json.dumps({"chat_template": template} if template else {}))
    if packages is not None:
        listed = "".join(f"  - '{package}'\n" for package in packages)
        (folder / "conda.yaml").write_text(f"dependencies:\n- python=3.10\n- pip\n- pip:\n{listed}")
    return folder


def test_a_model_that_a_deployment_can_load_gives_no_warning(tmp_path: Path) -> None:
    assert list(trained.look(write(tmp_path, GOOD))) == []


@pytest.mark.parametrize(
    ("packages", "fault"),
    [
        (["mlflow", *GOOD[1:]], "takes any mlflow"),
        (["mlflow==3.11.1", *GOOD[1:]], "takes mlflow==3.11.1"),
        (["mlflow-skinny>=2.12", *GOOD[1:]], "takes mlflow-skinny>=2.12"),
        (["mlflow<3"], "lacks azureml-ai-monitoring, which the scorer imports"),
    ],
)
def test_packages_with_which_a_deployment_dies(tmp_path: Path, packages: list[str], fault: str) -> None:
    (warning,) = trained.look(write(tmp_path, packages))
    assert warning.startswith(f"conda.yaml: {fault}")
    assert "mlflow_ft_conf.mlflow_save_model_kwargs.pip_requirements" in warning


@pytest.mark.parametrize("package", ["mlflow==2.22.2", "mlflow-skinny<3", "mlflow>=2.12,<3.0"])
def test_packages_that_keep_mlflow_3_out(tmp_path: Path, package: str) -> None:
    assert list(trained.look(write(tmp_path, [package, *GOOD[1:]]))) == []


def test_a_model_without_a_list_of_packages(tmp_path: Path) -> None:
    (warning,) = trained.look(write(tmp_path, None))
    assert warning.startswith("conda.yaml: not there")


def test_a_lost_template_is_refused_where_a_tokenizer_belongs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the chat template was lost"):
        list(trained.look(write(tmp_path / "chat", GOOD, template="")))
    assert list(trained.look(write(tmp_path / "other", GOOD, flavor="sklearn", template=""))) == []


def test_a_list_that_is_none(tmp_path: Path) -> None:
    folder = write(tmp_path, GOOD)
    (folder / "conda.yaml").write_text("dependencies: [\n")
    with pytest.raises(UserError, match=r"conda\.yaml: is not YAML"):
        list(trained.look(folder))
