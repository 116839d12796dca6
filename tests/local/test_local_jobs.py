"""Jobs: streams, failures, cancelling, downloads, archiving, fine-tuning jobs and pipelines with command steps."""

from __future__ import annotations

import concurrent.futures
import json
import sqlite3

import pytest
from azure.ai.ml.exceptions import JobException
from azure.core.exceptions import HttpResponseError

from scripts.metrics import job_facts
from tests.local.conftest import COMPONENT, MODEL
from tests.local.wire import Wire


def test_a_failed_job_tells_why(local, capsys):
    job = local.submit({"seed": 2})
    with pytest.raises(JobException, match="The training file has 3 rows"):
        local.ml.jobs.stream(job)
    assert capsys.readouterr().out.count("The training file has 3 rows") == 1
    assert local.ended(job) == "Failed"


def test_a_job_that_dies_without_a_word_has_failed(local):
    job = local.submit({"seed": 3})
    assert local.ended(job) == "Failed"
    with pytest.raises(JobException, match="signal 9"):
        local.ml.jobs.stream(job)


def test_a_missing_input_file_fails_the_job(local):
    inputs = {
        "base_model": {"type": "mlflow_model", "path": MODEL},
        "train_file": {"type": "uri_file", "path": "azureml://datastores/workspaceblobstore/paths/none/train.jsonl"},
    }
    job = local.submit(inputs=inputs)
    assert local.ended(job) == "Failed"
    with pytest.raises(JobException, match=r"train_file_path cannot be read: .*none/train\.jsonl does not exist"):
        local.ml.jobs.stream(job)


def test_cancelling_a_running_job(local):
    job = local.submit({"seed": 1})
    local.until(lambda: local.ml.jobs.get(job).status == "Running")
    local.ml.jobs.begin_cancel(job).wait()
    assert local.ml.jobs.get(job).status == "Canceled"
    local.ml.jobs.stream(job)  # prints the summary, and raises nothing


def test_cancelling_a_job_that_has_ended_changes_nothing(local):
    import mlflow

    job = local.submit()
    assert local.ended(job) == "Completed"
    with pytest.raises(HttpResponseError, match=f"The pipeline run {job} is in terminal status"):
        local.ml.jobs.begin_cancel(job)
    assert local.ml.jobs.get(job).status == "Completed"
    assert mlflow.MlflowClient(local.tracking()).get_run(job).info.status == "FINISHED"


def test_a_job_that_is_submitted_twice_at_once_runs_once(local):
    local.cluster()
    job = local.job(experiment_name=local.name("new"))  # MLflow makes the experiment, which takes a while
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        names = set(pool.map(lambda _: local.ml.jobs.create_or_update(job).name, range(4)))
    assert names == {job.name}
    assert local.ended(job.name) == "Completed"
    log = next(local.emulated.home.glob(f"blobs/*/azureml/ExperimentRun/dcid.{job.name}/logs/azureml/*.txt"))
    assert log.read_text().count("fine-tuning") == 1


def test_a_job_ends_although_mlflow_is_broken(own):
    job = own.submit({"seed": 4})
    own.until(lambda: own.ml.jobs.get(job).status == "Running")
    with sqlite3.connect(next(own.emulated.home.glob("mlflow/*.sqlite"))) as database:
        database.execute("alter table runs rename to lost")
    assert own.ended(job) == "Completed"


def test_a_second_job_waits_for_the_first(local):
    first = local.submit({"seed": 1})
    local.until(lambda: local.ml.jobs.get(first).status == "Running")
    second = local.submit()
    local.until(lambda: local.ml.jobs.get(second).status == "Queued")
    local.ml.jobs.begin_cancel(first).wait()
    assert local.ended(second) == "Completed"


def test_a_compute_in_use_cannot_be_deleted(local):
    job = local.submit({"seed": 1})
    with pytest.raises(HttpResponseError, match=job):
        local.ml.compute.begin_delete("gpu-cluster")
    local.ml.jobs.begin_cancel(job).wait()
    local.ml.compute.begin_delete("gpu-cluster").wait()
    assert "gpu-cluster" not in [each.name for each in local.ml.compute.list()]


def test_downloading_outputs_and_logs(local):
    job = local.submit()
    assert local.ended(job) == "Completed"
    local.ml.jobs.download(job, output_name="trained_model", download_path=local.folder / "out")
    model = local.folder / "out" / "named-outputs" / "trained_model"
    assert json.loads((model / "model" / "weights.json").read_text()) == {"rows": 12, "job": job}
    local.ml.jobs.download(job, download_path=local.folder / "logs")
    log = local.folder / "logs" / "artifacts" / "logs" / "azureml" / "executionlogs.txt"
    assert "done" in log.read_text()


def test_archiving_hides_a_job(local):
    job = local.submit()
    assert local.ended(job) == "Completed"
    assert job in [each.name for each in local.ml.jobs.list()]
    local.ml.jobs.archive(job)
    assert job not in [each.name for each in local.ml.jobs.list()]
    local.ml.jobs.restore(job)
    assert job in [each.name for each in local.ml.jobs.list()]


def test_the_steps_of_a_job_are_its_children(local):
    job = local.submit()
    assert local.ended(job) == "Completed"
    names = [child.display_name for child in local.ml.jobs.list(parent_job_name=job)]
    assert names == ["finetune", "finetune.chat_completion_finetune"]
    wire, host = Wire(local), "eastus.api.azureml.ms"
    runs = f"/history/v1.0{wire.workspace}/runs"
    listed = wire.get(f"{runs}/{job}/children", host=host)["value"]
    assert [wire.get(f"{runs}/{each['runId']}", host=host)["runId"] for each in listed] == [
        f"{job}.{name}" for name in names
    ]
    assert wire.ask("GET", f"{runs}/{job}.none", host=host).status_code == 404


def test_what_the_engine_gets(local):
    job = local.submit({"num_train_epochs": 3, "learning_rate": 5e-6, "seed": 4})
    folder = local.until(lambda: next(local.emulated.home.glob(f"jobs/*/{job}/finetune"), None))
    content = json.loads(local.until(lambda: (folder / "job.json").exists() and (folder / "job.json").read_text()))
    assert content["name"] == job
    assert content["inputs"]["num_train_epochs"] == "3"
    assert content["inputs"]["learning_rate"] == "5e-06"
    assert content["inputs"]["optim"] == "adamw_torch"  # a default of the component
    assert content["inputs"]["train_file_path"].startswith(str(local.emulated.home))
    assert "mlflow_model_path" not in content["inputs"]
    assert content["base_model"] == {"reference": MODEL, "path": None, "stand_in": True}
    assert content["mlflow"]["run_id"] == job
    assert local.ended(job) == "Completed"


def finetuning(local, **changes):
    from azure.ai.ml import load_job

    content = {
        "type": "finetuning",
        "name": local.name("ft"),
        "experiment_name": "tests",
        "task": "chat_completion",
        "model_provider": "custom",
        "model": {"path": MODEL, "type": "mlflow_model"},
        "training_data": {"type": "uri_file", "path": str(local.rows())},
        "hyperparameters": {"num_train_epochs": "1"},
        "compute": "gpu-cluster",
        "outputs": {"registered_model": {"name": local.name("tuned"), "type": "mlflow_model"}},
        **changes,
    }
    path = local.folder / "finetuning.yml"
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
    return load_job(str(path))


def test_a_fine_tuning_job_registers_its_model(local, capsys):
    local.cluster()
    wanted = finetuning(local)
    job = local.ml.jobs.create_or_update(wanted)
    local.ml.jobs.stream(job.name)
    assert "Streaming user_logs/std_log.txt" in capsys.readouterr().out
    assert local.ml.jobs.get(job.name).status == "Completed"
    model = local.ml.models.get(wanted.outputs["registered_model"].name, label="latest")
    assert (model.version, model.type, model.job_name) == ("1", "mlflow_model", job.name)
    assert job.name in [each.name for each in local.ml.jobs.list()]
    told = job_facts.of(local.ml.jobs.get(job.name))  # what make metrics says of it
    assert told["base model"] == "Phi-3-mini-4k-instruct:15" and told["train"].endswith("train.jsonl")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"training_data": None}, "trainingData is missing"),
        ({"outputs": None}, "registered_model is missing"),
        ({"compute": "nowhere"}, "'nowhere'"),
        ({"compute": None}, "neither computeId nor resources.instanceTypes"),
        ({"resources": {"instance_types": ["Standard_NC24ads_A100_v4"]}}, "both computeId and resources.instanceTypes"),
        ({"compute": None, "resources": {"instance_types": ["Standard_Moon"]}}, "Standard_Moon"),
        ({"hyperparameters": {"compute_finetune": "gpu-cluster"}}, "'compute_finetune' is unknown"),
        ({"hyperparameters": {"train_file_path": "x"}}, "'train_file_path' is unknown"),
        ({"model": {"path": MODEL.replace("Phi-3", "Phi-7"), "type": "mlflow_model"}}, "Phi-7"),
        ({"model": {"path": "azureml:nothing:1", "type": "mlflow_model"}}, "nothing:1"),
        ({"hyperparameters": {"epochs": "1"}}, "'epochs' is unknown"),
        ({"hyperparameters": {"num_train_epochs": "0"}}, "at least 1"),
    ],
)
def test_a_wrong_fine_tuning_job_is_refused(local, changes, words):
    local.cluster()
    with pytest.raises(HttpResponseError, match=words):
        local.ml.jobs.create_or_update(finetuning(local, **changes))


PREP = """
import sys
from pathlib import Path
source, target, count = sys.argv[1:]
lines = Path(source).read_text().splitlines()
print(f"kept {count} of {len(lines)}")
Path(target).write_text("".join(line + "\\n" for line in lines[: int(count)]))
"""


def with_prep(local, command="python prep.py ${{inputs.raw}} ${{outputs.train}} ${{inputs.n}}", **step):
    """Returns a pipeline whose command step cuts the training file for the fine-tuning step."""
    source = local.folder / "prep_src"
    source.mkdir(exist_ok=True)
    (source / "prep.py").write_text(PREP)
    prep = {
        "type": "command",
        "code": str(source),
        "command": command,
        "environment": "azureml://registries/azureml/environments/sklearn-1.5/versions/1",
        "compute": "azureml:cpu-cluster",
        "inputs": {"raw": "${{parent.inputs.train_file}}", "n": 5},
        "outputs": {"train": {"type": "uri_file"}},
        **step,
    }
    finetune = {
        "type": "pipeline",
        "component": COMPONENT,
        "inputs": {
            "mlflow_model_path": "${{parent.inputs.base_model}}",
            "train_file_path": "${{parent.jobs.prep.outputs.train}}",
            **{f"compute_{stage}": "gpu-cluster" for stage in ("model_import", "preprocess", "finetune")},
        },
        "outputs": {"mlflow_model_folder": "${{parent.outputs.trained_model}}"},
    }
    return {"jobs": {"finetune": finetune, "prep": prep}}  # the order of the file is not the order of work


def test_a_command_step_feeds_the_fine_tuning(local, capsys):
    local.cluster("cpu-cluster")
    job = local.submit(**with_prep(local))
    local.ml.jobs.stream(job)
    assert "kept 5 of 12" in capsys.readouterr().out
    assert local.ended(job) == "Completed"
    local.ml.jobs.download(job, output_name="trained_model", download_path=local.folder)
    weights = local.folder / "named-outputs" / "trained_model" / "model" / "weights.json"
    assert json.loads(weights.read_text())["rows"] == 5
    again = local.submit(**with_prep(local))
    assert local.ended(again) == "Completed"


def test_a_command_step_that_fails_fails_the_job(local):
    local.cluster("cpu-cluster")
    job = local.submit(**with_prep(local, "python prep.py && exit 3"))
    assert local.ended(job) == "Failed"
    with pytest.raises(JobException, match="Step prep ended with exit code 1"):
        local.ml.jobs.stream(job)


def test_a_command_job_of_its_own(local, capsys):
    from azure.ai.ml import Input, command

    local.cluster("cpu-cluster")
    wanted = command(
        command="echo rows $(wc -l < ${{inputs.rows}}) by $AZUREML_RUN_ID",
        inputs={"rows": Input(type="uri_file", path=str(local.rows(7)))},
        environment="azureml://registries/azureml/environments/sklearn-1.5/versions/1",
        compute="cpu-cluster",
        experiment_name="tests",
    )
    job = local.ml.jobs.create_or_update(wanted)
    local.ml.jobs.stream(job.name)
    assert f"rows 7 by {job.name}" in capsys.readouterr().out
