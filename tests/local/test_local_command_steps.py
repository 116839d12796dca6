"""Command jobs and steps: what their scripts may rely on, as on Azure, and what the log says is not used here."""

from __future__ import annotations

import json

import pytest
from azure.core.exceptions import HttpResponseError

CURATED = "azureml://registries/azureml/environments/sklearn-1.5/versions/1"


def submitted(local, text, **words):
    """Submits a command as a job of its own and returns it."""
    from azure.ai.ml import command

    words = {"environment": CURATED, "experiment_name": "tests", **words}
    return local.ml.jobs.create_or_update(command(command=text, **words))


def said(local, job, capsys):
    """Returns what a stream of a job prints."""
    local.ml.jobs.stream(job)
    return capsys.readouterr().out


def steps(local, **nodes):
    """Returns a pipeline of command steps as the SDK loads it from YAML."""
    from azure.ai.ml import load_job

    local.cluster("cpu-cluster")
    nodes = {name: {"type": "command", "environment": CURATED, **node} for name, node in nodes.items()}
    content = {"type": "pipeline", "name": local.name("p"), "compute": "azureml:cpu-cluster", "jobs": nodes}
    path = local.folder / f"{content['name']}.yml"
    path.write_text(json.dumps(content))
    return load_job(str(path))


def test_what_is_written_to_outputs_is_kept(local):
    job = submitted(local, "mkdir outputs/deep && echo 5 > outputs/deep/five.txt && test -d outputs")
    assert local.ended(job.name) == "Completed"
    local.ml.jobs.download(job.name, download_path=local.folder / "out")
    assert (local.folder / "out" / "artifacts" / "outputs" / "deep" / "five.txt").read_text() == "5\n"


def test_an_artifact_that_mlflow_logs(local, capsys):
    script = local.folder / "src"
    script.mkdir()
    (script / "run.py").write_text(
        "import mlflow, os\n"
        "open('note.txt', 'w').write('kept')\n"
        "mlflow.log_artifact('note.txt', 'notes')\n"
        "mlflow.log_metric('loss', 0.5)\n"
        "print(mlflow.artifacts.load_text(f\"runs:/{os.environ['AZUREML_RUN_ID']}/notes/note.txt\"))\n"
    )
    job = submitted(local, "python run.py", code=str(script))
    assert "kept" in said(local, job.name, capsys)
    assert local.ended(job.name) == "Completed"
    local.ml.jobs.download(job.name, download_path=local.folder / "out")
    assert (local.folder / "out" / "artifacts" / "notes" / "note.txt").read_text() == "kept"


def test_the_log_says_what_is_not_used(local, capsys):
    from azure.ai.ml.entities import Environment

    conda = local.folder / "conda.yaml"
    conda.write_text("name: x\ndependencies: [python=3.10]\n")
    environment = Environment(image="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04", conda_file=str(conda))
    job = submitted(local, "echo done", environment=environment)
    log = said(local, job.name, capsys)
    assert "(image mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04, a conda file) is not built here" in log
    assert "No compute is named: Azure ML takes serverless compute" in log
    assert "\ndone\n" in log


def test_each_step_has_its_own_output_and_variables(local):
    job = local.ml.jobs.create_or_update(
        steps(
            local,
            one={"command": "echo one says $WORD", "environment_variables": {"WORD": "hello"}},
            two={"command": "echo two && exit 3"},
        )
    )
    assert local.ended(job.name) == "Failed"
    folder = next(local.emulated.home.glob(f"jobs/*/{job.name}"))
    assert (folder / "one" / "output.txt").read_text() == "one says hello\n"
    assert (folder / "two" / "output.txt").read_text() == "two\n"
    with pytest.raises(Exception, match=r"Step two ended with exit code 3\. Its last line was: two"):
        local.ml.jobs.stream(job.name)


def test_the_artifacts_of_a_step_feed_another(local, capsys):
    """As in an official sample: an output called `artifacts` is what the step leaves in ./outputs."""
    job = local.ml.jobs.create_or_update(
        steps(
            local,
            one={"command": "echo hello > outputs/word.txt", "outputs": {"artifacts": {"type": "uri_folder"}}},
            two={
                "command": "cat ${{inputs.given}}/outputs/word.txt",
                "inputs": {"given": "${{parent.jobs.one.outputs.artifacts}}"},
            },
        )
    )
    assert "\nhello\n" in said(local, job.name, capsys)
    assert local.ended(job.name) == "Completed"


def test_a_command_takes_a_file_for_a_folder(local):
    """Official samples bind a uri_file to a uri_folder, and a folder to an mltable."""
    from azure.ai.ml import Input, dsl, load_component

    path = local.folder / "component.yml"
    content = {"type": "command", "name": "reads", "command": "cat ${{inputs.rows}}", "environment": CURATED}
    path.write_text(json.dumps({**content, "inputs": {"rows": {"type": "uri_folder"}}}))
    component = load_component(str(path))
    local.cluster("cpu-cluster")

    @dsl.pipeline(compute="cpu-cluster")
    def reading(rows):
        component(rows=rows)

    job = local.ml.jobs.create_or_update(reading(Input(type="uri_file", path=str(local.rows()))))
    assert local.ended(job.name) == "Completed"


def test_an_unknown_environment_is_refused(local):
    from azure.ai.ml.entities import Environment

    known = local.ml.environments.create_or_update(Environment(name=local.name("env"), version="1", image="python"))
    with pytest.raises(HttpResponseError) as caught:
        submitted(local, "echo", environment=f"azureml:{known.name[:-1]}x:7")
    assert f"did you mean '{known.name}'" in caught.value.error.message
    job = submitted(local, "echo", environment=f"azureml:{known.name}:1")
    assert local.ended(job.name) == "Completed"


def test_a_curated_environment_that_nobody_publishes_is_refused(local):
    with pytest.raises(HttpResponseError, match=r"did you mean 'sklearn-1\.5'"):
        submitted(local, "echo", environment="azureml://registries/azureml/environments/sklearn-1.55/versions/1")


def test_serverless_as_a_compute_is_refused_in_one_sentence(local):
    job = steps(local, one={"command": "echo"})
    job.settings.default_compute = "serverless"
    with pytest.raises(HttpResponseError) as caught:
        local.ml.jobs.create_or_update(job)
    assert caught.value.error.message.startswith("settings.default_compute is serverless: Azure ML would choose")
