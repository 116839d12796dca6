"""Jobs and models against the answers of the service: submitted once, waited for, registered once."""

import json
import shlex
import subprocess
import sys

from scripts import state
from scripts.chain import job, model
from scripts.chain.alone import alone
from scripts.errors import FAILED, MISSING, WAITING
from scripts.files import ROOT
from tests.chain.world import refused


def test_a_job_is_submitted_once_and_bound_to_its_data(prepared):
    for _ in range(2):
        job.submit(prepared.run)
    assert prepared.calls() == ["job create"]
    words = prepared.words("job create")[0]
    assert "inputs.train_file_path.path=azureml:azureml-chat-train:abc" in words
    job.wait(prepared.run)
    assert (prepared.folder / "status").read_text() == "Completed\n"


def test_a_job_that_ended_badly_elsewhere_has_a_successor(prepared, capsys):
    name = state.job_name(prepared.folder, "demo", root=prepared.root)
    (prepared.folder / "job").unlink()
    prepared.has(**{f"job__{name}": {"status": "Failed"}})
    job.submit(prepared.run)
    assert prepared.words("job create")[0][5] == f"{name[:-1]}2"
    assert f"job {name} ended before: Failed" in capsys.readouterr().out


def test_a_stream_that_breaks_ends_no_waiting(prepared, capsys):
    state.write(prepared.folder, "job", "demo-1")
    prepared.has(**{"job__demo-1": {"status": "Running"}})
    prepared.say("job stream", {"code": 1})
    running = {"out": '{"status": "Running"}'}
    prepared.say(
        "job show",
        running,
        running,
        running,
        {"out": '{"status": "Running"}', "set": {"job/demo-1": {"status": "Completed"}}},
    )
    job.wait(prepared.run)
    assert "its log cannot be followed any more" in capsys.readouterr().out


def test_the_log_of_a_job_that_failed_at_once_is_shown(prepared):
    """Its sentence says that the log above says why."""
    state.write(prepared.folder, "job", "demo-1")
    for status, looks in (("Failed", 1), ("Canceled", 2), ("Completed", 2)):
        prepared.has(**{"job__demo-1": {"status": status}})
        job.wait(prepared.run) if status == "Completed" else refused(job.wait, prepared.run)
        assert len(prepared.words("job stream")) == looks


def test_a_job_that_another_run_followed_ends_as_itself(prepared, monkeypatch):
    """A second `make finetune AGAIN=1`, or `make await NAME=…`, while the first job is waited for, or cancelled."""
    ask = prepared.run.az.ask

    def another(*words):
        found = ask(*words)
        if found["status"] != "Running":
            state.write(prepared.folder, "job", "demo-2")
        return found

    for step, status in ((job.wait, "Completed"), (job.cancel, "Canceled")):
        state.write(prepared.folder, "job", "demo-1")
        prepared.has(**{"job__demo-1": {"status": "Running"}})
        prepared.say("job stream", {"set": {"job/demo-1": {"status": "Completed"}}})
        with monkeypatch.context() as patch:
            patch.setattr(prepared.run.az, "ask", another)
            if step is job.wait:
                said = refused(step, prepared.run)[1]
                assert "job demo-1: Completed; another run has made the state one of demo-2 meanwhile" in said
            else:
                step(prepared.run)
        assert prepared.get()["things"]["job/demo-1"]["status"] == status
        assert state.kept(prepared.folder, "job") == "demo-2" and not state.kept(prepared.folder, "status")


def test_a_job_that_takes_too_long_goes_on_and_is_said(prepared, capfd):
    state.write(prepared.folder, "job", "demo-1")
    prepared.has(**{"job__demo-1": {"status": "Running", "creation_context": {"created_at": "2026-01-01T00:00:00Z"}}})
    steps = json.dumps([{"name": "s", "label": "finetune", "status": "Queued", "type": "command"}])
    prepared.say("job list", *[{"out": steps}] * 50)
    of_family = {"name": {"value": "Standard NCASv3_T4 Family"}}
    usage = [{**of_family, "current_value": used, "limit": limit} for used, limit in ((3, -1), (None, 6), (8, 8))]
    prepared.say("compute list-usage", *[{"out": json.dumps(usage)}] * 50)
    prepared.say("job stream", {"seconds": 60})
    run = prepared.with_values("waiting.finetune_hours=0.0008", "waiting.heartbeat_minutes=0.01")
    code, said = refused(job.wait, run)
    assert code == WAITING and "its machine billed; make finetune ENV=demo goes on with it" in said
    beat = next(line for line in capfd.readouterr().err.splitlines() if line.startswith("job demo-1: Running, made"))
    assert "step finetune Queued" in beat and "8 of 8 cores in use" in beat
    assert not (prepared.folder / "status").exists()


def test_a_step_that_follows_another_waits_for_no_node(prepared):
    prepared.has(**{"job__demo-1": {"status": "Running"}})
    steps = [{"name": name, "label": name, "status": status, "type": "command"} for name, status in
             (("finetune", "Running"), ("evaluation", "NotStarted"))]  # fmt: skip
    prepared.say("job list", {"out": json.dumps(steps)})
    said = job._seen(prepared.run, "demo-1")
    assert "step evaluation NotStarted" in said and "waits for a node" not in said


def test_a_job_is_cancelled_and_what_is_left_is_said(prepared, capsys):
    prepared.has(**{"job__demo-1": {"status": "Running"}})
    state.write(prepared.folder, "job", "demo-1")
    job.cancel(prepared.run)
    said = capsys.readouterr().out
    assert "job demo-1: Canceled" in said and "cluster gpu-cluster" in said
    assert (prepared.folder / "status").read_text() == "Canceled\n"
    job.cancel(prepared.run)
    assert "there is nothing to cancel" in capsys.readouterr().out
    assert prepared.calls() == ["job cancel"]


def test_a_job_of_another_machine_is_waited_for_by_name(prepared):
    prepared.has(**{"job__demo-5": {"status": "Completed"}})
    assert refused(job.wait, prepared.run)[0] == MISSING
    job.wait(prepared.run, "demo-5")
    assert (prepared.folder / "job").read_text() == "demo-5\n"
    for step in (job.wait, job.cancel):
        code, said = refused(step, prepared.run, "nowhere")
        assert code == MISSING and "there is no job nowhere" in said
        assert (prepared.folder / "job").read_text() == "demo-5\n"  # a misspelt name costs no state
        assert (prepared.folder / "status").read_text() == "Completed\n"
    for name in ("--help", "a b"):
        assert "is no job's name" in refused(job.wait, prepared.run, name)[1]
    prepared.has(**{"job__demo-6": {"status": "Running"}})
    prepared.say("job cancel", {"code": 1, "err": "ERROR: (Conflict) busy\n"})
    assert refused(job.cancel, prepared.run, "demo-6")[0] == FAILED
    job.cancel(prepared.run, "demo-6")
    assert (prepared.folder / "job").read_text() == "demo-5\n"  # who cancels a job need not go on with it
    assert (prepared.folder / "status").read_text() == "Completed\n"


def test_a_job_of_another_machine_takes_no_place_under_another_run(prepared):
    prepared.has(**{"job__demo-5": {"status": "Completed"}, "job__demo-6": {"status": "Completed"}})
    state.write(prepared.folder, "job", "demo-6")
    words = [sys.executable, "-m", "scripts.chain", "await", "--env", "demo", "--folder", str(prepared.folder)]
    command = [*words, "--az", shlex.join(prepared.program), "--name", "demo-5"]
    with alone(prepared.folder, "make all ENV=demo"):
        second = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert "make all ENV=demo" in second.stdout.readline()
        assert state.kept(prepared.folder, "job") == "demo-6"
    assert "job demo-5: Completed" in second.communicate(timeout=30)[0]
    assert state.kept(prepared.folder, "job") == "demo-5"


def test_a_repeated_register_makes_no_second_version(completed, capsys):
    for _ in range(2):
        model.register(completed.run)
    assert completed.calls() == ["model create"]
    assert state.model_version(completed.folder, "demo") == ("1", "demo-1")
    (completed.folder / "model-version").unlink()  # Ctrl-C between the two, or a lost folder
    model.register(completed.run)
    assert completed.calls() == ["model create"]
    assert capsys.readouterr().out.endswith("model SmolLM2-135M-Instruct-azureml-chat:1\n")
    state.write(completed.folder, "job", "demo-2")
    model.register(completed.run)
    assert state.model_version(completed.folder, "demo") == ("2", "demo-2")


def test_the_place_is_registered_where_the_output_is_not_found(completed, capsys):
    completed.say("model create", {"code": 1, "err": "ERROR: (UserError) NoMatchingArtifactsFoundFromJob\n"})
    model.register(completed.run)
    place = "azureml://datastores/workspaceblobstore/paths/azureml/demo-1/trained_model/"
    assert completed.get()["models"][0]["path"] == place
    assert place in capsys.readouterr().out


def test_a_version_that_is_not_printed_is_looked_up(completed):
    completed.say("model list", {"code": 3}, {"out": '[{"version": "4", "job": "demo-1"}]'})
    completed.say("model create", {"out": ""})
    model.register(completed.run)
    assert state.model_version(completed.folder, "demo") == ("4", "demo-1")


def test_versions_with_names_are_met_with_a_sentence(completed, capsys):
    world = completed.get()
    world["models"] = [{"version": "demo-1", "tags": {}, "path": "x"}]
    completed.put(world)
    state.write(completed.folder, "model-version", "demo-1")
    code, said = refused(model.confirmed, completed.run)
    assert code == 4 and "holds 'demo-1'" in said and "make register ENV=demo" in said
    model.register(completed.run)
    assert "1 versions with names (demo-1" in capsys.readouterr().out
    assert model.confirmed(completed.run) == "SmolLM2-135M-Instruct-azureml-chat:1"


def test_the_workspace_has_the_last_word_on_a_version(completed, capsys):
    state.write(completed.folder, "model-version", "7 demo-1")
    code, said = refused(model.confirmed, completed.run)
    assert code == MISSING and "no version of model" in said
    world = completed.get()
    world["models"] = [{"version": "2", "tags": {"job": "demo-1"}}, {"version": "7", "tags": {"job": "other"}}]
    completed.put(world)
    state.write(completed.folder, "job", "demo-9")
    assert model.confirmed(completed.run).endswith(":2")
    assert state.model_version(completed.folder, "demo") == ("2", "demo-1")
    assert "the newest job demo-9 is not registered" in capsys.readouterr().out


def test_the_newest_of_a_jobs_versions_is_the_one(completed):
    world = completed.get()
    world["models"] = [{"version": each, "tags": {"job": "demo-1"}} for each in ("9", "10", "2")]
    completed.put(world)
    assert model.find(completed.run, "demo-1") == "10"


def test_a_refusal_that_names_no_missing_output_is_said(completed):
    completed.say("model create", {"code": 1, "err": "ERROR: (AuthorizationFailed) no\n"})
    code, said = refused(model.register, completed.run)
    assert code == FAILED and "was not registered" in said
    assert completed.calls() == ["model create"]
