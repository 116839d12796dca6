"""Fixtures of the emulator's own tests: an emulator whose engine and scoring server are fast fakes."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import WORKSPACE, Emulated, enter

FAKES = {"AZUREML_LOCAL_ENGINE": "tests.local.fakes.engine", "AZUREML_LOCAL_SCORING": "tests.local.fakes.scoring"}
SIZE = "Standard_NC24ads_A100_v4"
COMPONENT = "azureml://registries/azureml/components/chat_completion_pipeline/versions/0.0.82"
MODEL = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/15"


def gone(pid: int) -> bool:
    """Says whether a process has ended (one that its parent, a test, has not waited for yet is a zombie)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@dataclasses.dataclass
class Local:
    """An emulator with fakes, the SDK's clients for it, and shortcuts that tests need."""

    emulated: Emulated
    folder: Path
    ml: Any = None
    registry: Any = None
    count: int = 0

    def name(self, stem: str) -> str:
        """Returns a name that no other test uses."""
        self.count += 1
        return f"{stem}-{int(time.time() * 1000) % 10**9}{self.count}"

    def tracking(self) -> str:
        """Returns the tracking URI of the listener for jobs, and gives this process a token for it."""
        token = self.ml._credential.get_token("https://management.azure.com/.default").token
        os.environ["MLFLOW_TRACKING_TOKEN"] = token
        words = self.emulated.workspace
        path = f"/subscriptions/{words['subscription_id']}/resourceGroups/{words['resource_group']}"
        path += f"/providers/Microsoft.MachineLearningServices/workspaces/{words['workspace']}"
        return f"http://127.0.0.1:{self.emulated.record['plain_port']}/mlflow/v2.0{path}"

    def cluster(self, name: str = "gpu-cluster") -> str:
        """Makes sure that a cluster exists and returns its name."""
        from azure.ai.ml.entities import AmlCompute

        self.ml.compute.begin_create_or_update(AmlCompute(name=name, size=SIZE, max_instances=1)).result()
        return name

    def rows(self, count: int = 12, name: str = "train.jsonl") -> Path:
        """Writes a training file and returns its path."""
        path = self.folder / name
        path.write_text('{"messages": []}\n' * count)
        return path

    def job(self, step: dict[str, Any] | None = None, **top: Any) -> Any:
        """Returns a fine-tuning pipeline as the SDK loads it from YAML; `step` changes inputs, a None removes one."""
        from azure.ai.ml import load_job

        inputs: dict[str, Any] = {
            "mlflow_model_path": "${{parent.inputs.base_model}}",
            "train_file_path": "${{parent.inputs.train_file}}",
            **{
                f"compute_{stage}": "gpu-cluster"
                for stage in ("model_import", "preprocess", "finetune", "model_evaluation")
            },
            **(step or {}),
        }
        content: dict[str, Any] = {
            "type": "pipeline",
            "name": self.name("job"),
            "experiment_name": "tests",
            "inputs": {
                "base_model": {"type": "mlflow_model", "path": MODEL},
                "train_file": {"type": "uri_file", "path": str(self.rows())},
            },
            "outputs": {"trained_model": {"type": "mlflow_model"}},
            "settings": {"force_rerun": True, "continue_on_step_failure": False},
            "jobs": {
                "finetune": {
                    "type": "pipeline",
                    "component": COMPONENT,
                    "inputs": {key: value for key, value in inputs.items() if value is not None},
                    "outputs": {"mlflow_model_folder": "${{parent.outputs.trained_model}}"},
                }
            },
            **top,
        }
        path = self.folder / f"{content['name']}.yml"
        path.write_text(json.dumps(content))
        return load_job(str(path))

    def submit(self, step: dict[str, Any] | None = None, **top: Any) -> str:
        """Submits such a job and returns its name."""
        self.cluster()
        return str(self.ml.jobs.create_or_update(self.job(step, **top)).name)

    def until(self, what: Callable[[], Any], seconds: float = 60) -> Any:
        """Waits until something is true and returns it."""
        deadline = time.monotonic() + seconds
        while not (result := what()):
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.05)
        return result

    def ended(self, job: str) -> str:
        """Waits for the end of a job and returns its status."""
        self.until(lambda: self.ml.jobs.get(job).status in ("Completed", "Failed", "Canceled"))
        return str(self.ml.jobs.get(job).status.value)

    def model(self) -> Any:
        """Trains and registers a model and returns it."""
        from azure.ai.ml.entities import Model

        job = self.submit()
        assert self.ended(job) == "Completed"
        path = f"azureml://jobs/{job}/outputs/trained_model"
        return self.ml.models.create_or_update(
            Model(name=self.name("model"), version="1", path=path, type="mlflow_model")
        )

    def request(self, **parameters: Any) -> str:
        """Writes a scoring request and returns its path."""
        path = self.folder / f"{self.name('request')}.json"
        content = {"input_string": [{"role": "user", "content": "hi"}], "parameters": parameters}
        path.write_text(json.dumps({"input_data": content, "params": {}}))
        return str(path)


@pytest.fixture(scope="session")
def fake_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    """An emulator with fakes."""
    emulated = Emulated(tmp_path_factory.mktemp("fake-home"), WORKSPACE, FAKES)
    emulated.up()
    yield emulated
    emulated.down()


@contextlib.contextmanager
def entered(emulated: Emulated, folder: Path) -> Iterator[Local]:
    """An emulator with the SDK's clients, in whose environment this process is."""
    patch = enter(emulated)
    patch.setenv("MLFLOW_TRACKING_TOKEN", "")  # a test may give it a value
    yield Local(emulated, folder, *emulated.clients())
    patch.undo()


@pytest.fixture
def local(fake_emulator: Emulated, tmp_path: Path) -> Iterator[Local]:
    """The emulator with fakes and the SDK's clients; the test runs in the emulator's environment."""
    with entered(fake_emulator, tmp_path) as made:
        yield made


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Local]:
    """As `local`, but with an emulator of its own, which a test may kill."""
    emulated = Emulated(tmp_path_factory.mktemp("own-home"), WORKSPACE, FAKES)
    emulated.up()
    with entered(emulated, tmp_path) as made:
        yield made
    emulated.down()


@pytest.fixture
def fault(local):
    """A function that sets a fault once; all are cleared afterwards."""
    from scripts.local.__main__ import fault, parser
    from scripts.local.core.home import Home

    def run(*words):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert fault(Home(local.emulated.home), parser().parse_args(["fault", *words])) == 0
        return out.getvalue()

    yield lambda name: run(name, "--times", "1")
    assert "* " not in run()  # each happened exactly once
    run("--clear")
