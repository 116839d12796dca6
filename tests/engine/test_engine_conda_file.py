"""The trained model's conda.yaml: the base model's where that has one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from scripts.local.engine import conda_file


def test_the_base_models_file_is_copied(tmp_path: Path) -> None:
    base, model = tmp_path / "base", tmp_path / "model"
    for folder in (base, model):
        folder.mkdir()
    (base / "conda.yaml").write_text("dependencies: [pip: [mlflow==2.12.2, torch]]\n")
    (model / "conda.yaml").write_text("dependencies: [pip: [mlflow==3.1.0]]\n")
    said: list[str] = []
    job: Any = SimpleNamespace(base_model={"path": str(base)}, log=said.append)
    conda_file.write(job, model)
    assert (model / "conda.yaml").read_text() == (base / "conda.yaml").read_text()
    assert said == ["conda.yaml: the base model's, as the component copies it"]
    (base / "conda.yaml").unlink()
    (model / "conda.yaml").write_text(
        "dependencies: [python=3.11, pip: [mlflow==3.1.0, azureml-ai-monitoring==1.0.0, torch]]\n"
    )
    conda_file.write(job, model)
    assert "- mlflow<3\n  - azureml-ai-monitoring==1.0.0\n  - torch\n" in (model / "conda.yaml").read_text()
