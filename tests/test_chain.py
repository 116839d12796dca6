"""The chain as a user runs it: the real Makefile over the real verbs, on Azure ML on localhost, with real training."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.files import ROOT
from tests.test_acceptance import AUTHORED

pytestmark = pytest.mark.slow

SHORT_TRAINING = "training:\n  max_steps: 2\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """The home of a local Azure ML that trains for two steps; shared, so that the base model is converted once."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "settings.yaml").write_text(SHORT_TRAINING)
    yield folder
    subprocess.run([sys.executable, "-m", "scripts.local", "down"], cwd=ROOT, env=environment(folder), check=True)


def environment(home: Path) -> dict[str, str]:
    return os.environ | {"AZUREML_LOCAL_HOME": str(home), "VENV": str(Path(sys.executable).parent.parent)}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh copy of what is authored, as a clone has it."""
    for name in AUTHORED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, tmp_path / name)
    return tmp_path


def make(project: Path, home: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", "BACKEND=local", *words], cwd=project, env=environment(home), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=400, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) == (code == 0), done.stdout
    return done.stdout


def az(project: Path, home: Path, *words: str) -> str:
    prefix = [
        sys.executable,
        "-m",
        "scripts.local",
        "run",
        "--env",
        "demo",
        "--",
        sys.executable,
        "-m",
        "scripts.az_ml",
    ]
    where = ["-g", "my-resource-group", "-w", "demo-workspace"]
    done = subprocess.run(
        [*prefix, "ml", *words, *where], cwd=project, env=environment(home), text=True, capture_output=True, check=True
    )
    return done.stdout.strip()


def test_the_demo_trains_serves_answers_and_leaves_nothing_billed(project, home):
    shown = make(project, home, "all", "ENV=demo", "KEEP=1")
    assert "Completed" in shown
    assert "true answer:" in shown
    job = (project / ".runs/demo/local/job").read_text().strip()

    again = make(project, home, "all", "ENV=demo", "KEEP=1")  # nothing is prepared, trained or paid for twice
    assert (project / ".runs/demo/local/job").read_text().strip() == job
    assert az(project, home, "job", "list", "--query", "[].name", "-o", "tsv").split() == [job]
    assert "true answer:" in again

    made = az(project, home, "online-endpoint", "list", "--query", "[].name", "-o", "tsv").split()
    assert len(made) == 1
    for _ in range(2):
        assert "nothing is billed" in make(project, home, "undeploy", "ENV=demo")
    assert az(project, home, "online-endpoint", "list", "--query", "[].name", "-o", "tsv") == ""
    model = "SmolLM2-135M-Instruct-azureml-chat"
    assert az(project, home, "model", "show", "-n", model, "-v", job, "--query", "type", "-o", "tsv") == "mlflow_model"


def test_a_failed_job_is_said_and_the_next_try_is_another_job(project, home):
    make(project, home, "data", "compute", "ENV=demo")
    make(project, home, "local-fault", "NAME=job-out-of-memory")
    shown = make(project, home, "finetune", "ENV=demo", "AGAIN=1", code=2)
    job = (project / ".runs/demo/local/job").read_text().strip()
    assert f"job {job} is Failed, not Completed" in shown
    assert "Traceback" not in shown
    make(project, home, "local-fault", "NAME=job-out-of-memory", "CLEAR=1")
    assert "Completed" in make(project, home, "finetune", "ENV=demo")
    assert (project / ".runs/demo/local/job").read_text().strip() != job


def test_prod_is_rehearsed_with_a_stand_in_that_is_named(project, home):
    shown = make(project, home, "all", "ENV=prod")
    assert "stand" in shown
    assert "Phi-4" in shown
    assert "true answer:" in shown
    assert "nothing is billed" in shown


def test_the_pipeline_prepares_the_data_itself(project, home):
    environment_file = project / "environments" / "demo.yaml"
    text = environment_file.read_text()
    environment_file.write_text(text.replace("dataset:\n", "dataset:\n  where: azureml\n", 1))
    make(project, home, "render", "validate", "ENV=demo")
    shown = make(project, home, "all", "ENV=demo")
    assert "rows in" in shown
    assert "true answer:" in shown
    assert (project / "data" / "demo" / "report.html").exists()
    assert not (project / "data" / "demo" / "train.jsonl").exists()
