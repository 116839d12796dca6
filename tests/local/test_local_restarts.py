"""The emulator killed with SIGKILL in each phase, and started again: nothing that was acknowledged is lost or stuck.

All of it happens to one emulator, one after another.
"""

from __future__ import annotations

import json
import time

import psutil
import pytest
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint
from azure.ai.ml.exceptions import JobException

from tests.conftest import WORKSPACE, Emulated
from tests.local.conftest import FAKES, SIZE, entered, gone

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def emulated(tmp_path_factory):
    made = Emulated(tmp_path_factory.mktemp("killed-home"), WORKSPACE, FAKES)
    yield made
    made.down()


@pytest.fixture
def own(emulated, tmp_path):
    """The emulator of this file."""
    emulated.up()
    with entered(emulated, tmp_path) as made:
        yield made


def restart(own):
    """Kills the emulator, waits for the end of what it had started, and starts it again."""
    children = psutil.Process(own.emulated.record["pid"]).children(recursive=True)
    own.emulated.kill()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
    own.emulated.up()


def test_a_kill_while_the_first_start_makes_its_databases(own):
    (database,) = own.until(lambda: list(own.emulated.home.glob("mlflow/*.sqlite")))
    own.emulated.down()
    database.unlink()
    own.emulated.up()
    partial = database.with_suffix(".partial")
    own.until(partial.exists)
    time.sleep(0.1)
    own.emulated.kill()
    assert not database.exists()
    own.emulated.up()
    assert own.ended(own.submit()) == "Completed"


def test_a_start_while_it_stops(own):
    from scripts.local import launcher
    from scripts.local.core.home import Home

    home = Home(own.emulated.home)
    job = own.submit({"seed": 1})
    own.until(lambda: own.ml.jobs.get(job).status == "Running")
    pid = launcher.request(home, "POST", "/control/stop")["pid"]
    own.emulated.up()  # waits for the end of the old one
    assert own.emulated.record["pid"] != pid
    assert own.ml.jobs.get(job).status == "Failed"


def test_a_restart_while_nothing_runs(own):
    from azure.ai.ml.entities import Data

    own.cluster()
    data = own.ml.data.create_or_update(Data(name="rows", version="1", path=str(own.rows()), type="uri_file"))
    model = own.model()
    port = own.emulated.record["proxy_port"]
    restart(own)
    assert own.emulated.record["proxy_port"] == port  # shells that have the environment go on
    assert own.ml.compute.get("gpu-cluster").size == SIZE.upper()
    assert own.ml.data.get("rows", "1").path == data.path
    assert own.ml.models.get(model.name, label="latest").version == "1"
    assert own.ml.jobs.get(model.job_name).status == "Completed"
    own.ml.models.download(model.name, "1", download_path=own.folder)
    assert list(own.folder.rglob("MLmodel"))


def test_a_restart_while_jobs_run_and_wait(own):
    running = own.submit({"seed": 1})
    own.until(lambda: own.ml.jobs.get(running).status == "Running")
    waiting = own.submit()
    own.until(lambda: own.ml.jobs.get(waiting).status == "Queued")
    restart(own)
    assert own.ml.jobs.get(running).status == "Failed"
    with pytest.raises(JobException, match="The local Azure ML was stopped while the job ran"):
        own.ml.jobs.stream(running)
    assert own.ended(waiting) == "Completed"  # it had not begun, and nothing was lost


def test_a_stop_while_a_job_runs(own):
    job = own.submit({"seed": 1})
    own.until(lambda: own.ml.jobs.get(job).status == "Running")
    own.emulated.down()
    assert gone(own.emulated.record["pid"])
    own.emulated.up()
    assert own.ml.jobs.get(job).status == "Failed"


def test_a_restart_between_cancelling_and_its_end(own):
    job = own.submit({"seed": 1})
    own.until(lambda: own.ml.jobs.get(job).status == "Running")
    process = psutil.Process(own.emulated.record["pid"])
    own.ml.jobs.begin_cancel(job)
    process.kill()
    process.wait()
    own.emulated.up()
    assert own.ended(job) == "Canceled"


def test_a_restart_while_operations_run(own):
    (own.emulated.home / "faults.yaml").write_text("slow-operation: {}\n")
    poller = own.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="slow-ep", auth_mode="key"))
    assert poller.status() == "InProgress"
    (own.emulated.home / "faults.yaml").unlink()
    restart(own)
    assert poller.result(10).provisioning_state == "Succeeded"  # the same poller, the same URL


def test_a_restart_while_a_deployment_serves_and_another_starts(own):
    model = own.model()
    endpoint = ManagedOnlineEndpoint(name="kept-ep", auth_mode="key")
    own.ml.online_endpoints.begin_create_or_update(endpoint).result()

    def deployment(name):
        words = {"endpoint_name": "kept-ep", "model": model.id, "instance_type": SIZE, "instance_count": 1}
        return ManagedOnlineDeployment(name=name, **words)

    own.ml.online_deployments.begin_create_or_update(deployment("blue")).result()
    endpoint.traffic = {"blue": 100}
    own.ml.online_endpoints.begin_create_or_update(endpoint).result()
    keys = own.ml.online_endpoints.get_keys("kept-ep")
    (own.emulated.home / "faults.yaml").write_text("slow-operation: {}\n")
    poller = own.ml.online_deployments.begin_create_or_update(deployment("green"))
    (own.emulated.home / "faults.yaml").unlink()
    restart(own)
    assert own.ml.online_endpoints.get_keys("kept-ep").primary_key == keys.primary_key
    answer = own.ml.online_endpoints.invoke("kept-ep", request_file=own.request(), deployment_name="blue")
    assert "hi" in json.loads(answer)["output"]
    assert own.ml.online_endpoints.get("kept-ep").traffic == {"blue": 100, "green": 0}
    assert poller.result(20).provisioning_state == "Succeeded"
    own.ml.online_endpoints.begin_delete("kept-ep").result()


def test_a_restart_while_an_endpoint_is_deleted(own):
    own.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="gone-ep", auth_mode="key")).result()
    (own.emulated.home / "faults.yaml").write_text("slow-operation: {}\n")
    own.ml.online_endpoints.begin_delete("gone-ep")
    (own.emulated.home / "faults.yaml").unlink()
    restart(own)
    own.until(lambda: "gone-ep" not in [each.name for each in own.ml.online_endpoints.list()])


def test_a_restart_in_the_middle_of_an_upload(own):
    from azure.storage.blob import ContainerClient

    store = own.ml.datastores.get_default(include_secrets=True)
    url = f"https://{store.account_name}.blob.core.windows.net/{store.container_name}?{store.credentials.sas_token}"
    blob = ContainerClient.from_container_url(url).get_blob_client("half")
    blob.stage_block("a", b"first ")
    (own.emulated.home / "uploads" / "half-received").write_text("1")
    restart(own)
    assert not (own.emulated.home / "uploads" / "half-received").exists()
    assert not blob.exists()
    blob.stage_block("b", b"second")
    from azure.storage.blob import BlobBlock

    blob.commit_block_list([BlobBlock("a"), BlobBlock("b")])
    assert blob.download_blob().readall() == b"first second"


def test_models_that_an_older_version_left_to_mlflow(own):
    """They were in MLflow's own registry, which is no longer asked: the workspace has them after a start."""
    from scripts.mlflow_private import ModelStore

    (database,) = own.until(lambda: list(own.emulated.home.glob("mlflow/*.sqlite")))
    own.emulated.down()
    store = ModelStore(f"sqlite:///{database}")
    store.create_registered_model("older.one", description="words")
    run = "azureml://eastus.api.azureml.ms/mlflow/v2.0/subscriptions/s/experiments/1/runs/a-run/artifacts/model"
    store.create_model_version("older.one", run, run_id="a-run")
    own.emulated.up()
    own.until(lambda: "older.one" in [each.name for each in own.ml.models.list()])
    (model,) = own.ml.models.list(name="older.one")
    assert (model.version, model.job_name) == ("1", "a-run")
    assert model.path.endswith("/datastores/workspaceartifactstore/paths/ExperimentRun/dcid.a-run/model")
    assert own.until(lambda: not store.search_registered_models(max_results=10))
