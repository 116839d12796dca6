"""The trained model's conda.yaml: what is configured, the base model's, or a stand-in's with what Azure wants."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from scripts.local.engine import conda_file
from scripts.local.engine.job_folder import Base


def test_the_base_models_file_is_copied(tmp_path: Path) -> None:
    base, model = tmp_path / "base", tmp_path / "model"
    for folder in (base, model):
        folder.mkdir()
    (base / "conda.yaml").write_text("dependencies: [pip: [mlflow==2.12.2, torch]]\n")
    (model / "conda.yaml").write_text("dependencies: [pip: [mlflow==3.1.0]]\n")
    said: list[str] = []
    job: Any = SimpleNamespace(base_model=Base(path=str(base)), log=said.append)
    conda_file.write(job, model, configured=False, registered=True)
    assert (model / "conda.yaml").read_text() == (base / "conda.yaml").read_text()
    assert said == ["conda.yaml: the base model's, as the component copies it"]
    (base / "conda.yaml").unlink()
    written = "dependencies: [python=3.11, pip: [mlflow==3.1.0, azureml-ai-monitoring==1.0.0, torch]]\n"
    (model / "conda.yaml").write_text(written)
    for words in ({"configured": True, "registered": True}, {"configured": False, "registered": False}):
        conda_file.write(job, model, **words)
        assert (model / "conda.yaml").read_text() == written
    assert "mlflow_ft_conf" in said[1]
    assert "which Azure's server wants" in said[2]
    conda_file.write(job, model, configured=False, registered=True)
    assert "- mlflow<3\n  - azureml-ai-monitoring==1.0.0\n  - torch\n" in (model / "conda.yaml").read_text()
