"""The steps against the answers of the service: what failed at first, what is still going on, what takes too long."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts import state
from scripts.chain import cluster, deployment, endpoint, job, model
from scripts.chain.az import Az
from scripts.chain.run import Run
from scripts.errors import FAILED, MISSING, UNREACHABLE, WAITING, UserError
from scripts.files import ROOT
from scripts.values.read import load
from tests.az_ml.test_az_makefile import faults

FAKE = Path(__file__).parent / "fakes" / "az.py"
NOT_KNOWN = {"code": 1, "err": "ERROR: (AuthorizationFailed) The client has no authorization.\n"}
# The service's words, from field reports of 2022 to 2026; of the endpoint that is busy: azure-sdk-for-net#36961, of the
# name that is taken: mlops-project-template#29.
UNRECOVERABLE = (
    "ERROR: (BadRequest) The request is invalid.\nInferencingClientCallFailed: Specified deployment [demo] "
    "failed during initial provisioning and is in an unrecoverable state. Delete and re-create.\n"
)
LOST = (
    "ERROR: (BadRequest) The request is invalid.\nThis endpoint has not been created successfully or is in deleting "
    "provisioning state. Please recreate endpoint\n"
)
BUSY = "ERROR: (BadRequest) Cannot create a deployment in endpoint x because it is in Updating provisioning state\n"
NO_PULL = "ERROR: (BadArgument) Endpoint identity does not have pull permission on the registry\n"
TAKEN = (
    "ERROR: (BadRequest) There is already an endpoint with this name, Endpoint name needs to be unique within a "
    "region. Try some other name.\n"
)


class World:
    """The fake service, and demo's run on it."""

    def __init__(self, folder, monkeypatch):
        self.place = folder / "world.json"
        self.put({"calls": [], "things": {}, "models": [], "script": {}})
        monkeypatch.setenv("FAKE_AZ_WORLD", str(self.place))
        self.folder = folder / "state"
        self.program = [sys.executable, str(FAKE)]
        self.run = self.with_values()
        self.cluster, self.on = "compute/gpu-cluster", f"endpoint/{endpoint.name_of(self.run)}"

    def with_values(self, *sets):
        where = ["--subscription", "s", "--resource-group", "g", "--workspace-name", "w"]
        return Run(Az(self.program, where), load("demo", sets), self.folder, "ENV=demo BACKEND=local")

    def put(self, world):
        self.place.write_text(json.dumps(world))

    def get(self):
        return json.loads(self.place.read_text())

    def has(self, **things):
        """Puts things there: `has(compute__x="Failed")` by kind and name."""
        world = self.get()
        for key, found in things.items():
            world["things"][key.replace("__", "/")] = found
        self.put(world)

    def thing(self, key, state, **more):
        world = self.get()
        world["things"][key] = {"provisioning_state": state, **more}
        self.put(world)

    def say(self, command, *answers):
        world = self.get()
        world["script"][command] = list(answers)
        self.put(world)

    def calls(self, *but):
        """The commands that changed something, in their order."""
        asked = ("show", "list", "get-logs", *but)
        return [" ".join(words[:2]) for words in self.get()["calls"] if words[1] not in asked]

    def words(self, command):
        """Every command line of a command."""
        return [words for words in self.get()["calls"] if " ".join(words[:2]) == command]


@pytest.fixture
def world(tmp_path, monkeypatch):
    made = World(tmp_path, monkeypatch)
    yield made
    wrong = [fault for words in made.get()["calls"] for fault in faults(["ml", *words])]
    assert not wrong  # every command line is one that the official CLI accepts


def refused(step, *arguments):
    with pytest.raises(UserError) as caught:
        step(*arguments)
    return caught.value.code, str(caught.value)


def test_a_cluster_is_made_once(world, capsys):
    cluster.ensure(world.run, "finetune")
    cluster.ensure(world.run, "finetune")
    assert world.calls() == ["compute create"]
    assert capsys.readouterr().out == "compute gpu-cluster\n" * 2


def test_a_cluster_that_is_there_otherwise_is_taken_and_said(world, capsys):
    world.thing(world.cluster, "Succeeded", size="STANDARD_NC4AS_T4_V3", max_instances=4, min_instances=0)
    cluster.ensure(world.run, "finetune")
    said = capsys.readouterr().out
    assert "not as pipelines/demo/compute.yml says: max_instances is 4, not 1;" in said
    assert world.calls() == []


def test_a_failed_cluster_is_said_and_made_again(world, capsys):
    world.thing(world.cluster, "Failed", provisioning_errors="ClusterMinNodesExceedCoreQuota: quota of 0")
    cluster.ensure(world.run, "finetune")
    assert world.calls() == ["compute delete", "compute create"]
    said = capsys.readouterr().out
    assert "is in state Failed" in said and "ClusterMinNodesExceedCoreQuota" in said


FAILED_THEN_GONE = ({"out": '{"provisioning_state": "Failed"}'}, {"code": 3})


def test_a_cluster_that_is_failed_right_after_it_was_deleted_is_not_deleted_for_ever(world):
    failed, gone = FAILED_THEN_GONE
    world.thing(world.cluster, "Failed")
    world.say("compute show", failed, gone, failed, failed)
    code, said = refused(cluster.ensure, world.run, "finetune")
    assert code == FAILED and "is failed again right after it was deleted" in said
    assert world.calls() == ["compute delete"]


def test_a_cluster_that_goes_although_its_deletion_was_refused_is_made_again(world):
    world.thing(world.cluster, "Failed")
    world.say("compute delete", {"code": 1, "err": "ERROR: (Conflict) busy\n", "set": {world.cluster: None}})
    cluster.ensure(world.run, "finetune")
    assert world.calls() == ["compute delete", "compute create"]


def test_a_cluster_in_between_is_waited_for(world):
    world.thing(world.cluster, "Creating")
    creating = {"out": '{"provisioning_state": "Creating"}'}
    done = {world.cluster: {"provisioning_state": "Succeeded"}}
    world.say("compute show", creating, {**creating, "set": done})
    cluster.ensure(world.run, "finetune")
    assert world.calls() == []


def test_a_refused_cluster_says_how_to_go_on(world, capsys):
    world.say("compute create", {"code": 1, "err": "ERROR: (BadRequest) quota\n"})
    code, said = refused(cluster.ensure, world.run, "finetune")
    assert code == FAILED and "make compute ENV=demo BACKEND=local" in said
    assert "(BadRequest) quota" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "step"),
    [
        ("compute show", lambda run: cluster.ensure(run, "finetune")),
        ("online-endpoint show", endpoint.ensure),
        ("online-endpoint show", endpoint.undeploy),
        ("job show", job.submit),
        ("model list", model.register),
    ],
)
def test_what_nobody_can_say_is_not_taken_for_missing(world, command, step):
    state.write(world.folder, "data-version", "1")
    state.write(world.folder, "job", "demo-1")
    state.write(world.folder, "status", "Completed")
    world.say(command, NOT_KNOWN)
    code, said = refused(step, world.run)
    assert code == UNREACHABLE and "could not ask for" in said and "(AuthorizationFailed)" in said
    assert world.calls() == []


def test_an_endpoint_that_was_never_made_is_made_again(world, capsys):
    world.thing(world.on, "Failed")
    endpoint.ensure(world.run)
    assert world.calls() == ["online-endpoint delete", "online-endpoint create"]
    assert "is in state Failed and serves nothing" in capsys.readouterr().out


def test_an_endpoint_that_serves_is_never_deleted(world, capsys):
    world.thing(world.on, "Failed")
    world.thing("deployment/other", "Succeeded")
    endpoint.ensure(world.run)
    assert world.calls() == []
    assert "it serves, so it is kept" in capsys.readouterr().out


def test_a_name_that_is_still_being_deleted_is_waited_for(world):
    world.thing(world.on, "Deleting")
    world.say("online-endpoint show", {"out": '{"provisioning_state": "Deleting"}'},
              {"out": '{"provisioning_state": "Deleting"}', "set": {world.on: None}})  # fmt: skip
    endpoint.ensure(world.run)
    assert world.calls() == ["online-endpoint create"]


def test_a_name_taken_in_the_region_names_the_value_to_change(world):
    world.say("online-endpoint create", {"code": 1, "err": TAKEN})
    code, said = refused(endpoint.ensure, world.run)
    assert (
        code == FAILED
        and "taken by another workspace" in said
        and "give endpoint.name (environments/demo.yaml:" in said
    )


def test_an_endpoint_that_is_failed_right_after_it_was_deleted_is_not_deleted_for_ever(world):
    failed, gone = FAILED_THEN_GONE
    world.thing(world.on, "Failed")
    world.say("online-endpoint show", failed, failed, gone, failed, failed)
    code, said = refused(endpoint.ensure, world.run)
    assert code == FAILED and "is failed again right after it was deleted" in said
    assert world.calls() == ["online-endpoint delete"]


def test_a_refused_endpoint_that_is_there_is_none_of_a_name_held_back(world):
    world.thing(world.on, "Failed")
    failed = {world.on: {"provisioning_state": "Failed"}}
    world.say("online-endpoint create", {"code": 1, "err": "ERROR: (Conflict) busy\n", "set": failed})
    code, said = refused(endpoint.ensure, world.run)
    assert code == FAILED and "was not created" in said and "held back" not in said
    assert world.calls() == ["online-endpoint delete", "online-endpoint create"]


def test_a_name_held_back_after_a_deletion_names_the_value_to_change(world):
    world.say(
        "online-endpoint create", {"code": 3, "err": "ERROR: (NotFound) InferencingClientCallFailed: Not Found\n"}
    )
    code, said = refused(endpoint.ensure, world.run)
    assert code == FAILED and "held back" in said and "endpoint.name" in said


@pytest.fixture
def registered(world):
    """A run whose model is registered, on an endpoint that is there."""
    state.write(world.folder, "job", "demo-1")
    state.write(world.folder, "status", "Completed")
    model.register(world.run)
    world.thing(world.on, "Succeeded")
    before = world.get()
    world.put({**before, "calls": []})
    return world


def test_a_deployment_gets_the_registered_version(registered):
    deployment.ensure(registered.run)
    deployment.ensure(registered.run)
    assert registered.calls() == ["online-deployment create", "online-deployment update"]
    assert "model=azureml:SmolLM2-135M-Instruct-azureml-chat:1" in registered.words("online-deployment create")[0]


def test_a_deployment_that_failed_at_first_is_deleted_and_made_again(registered, capsys):
    registered.say(
        "online-deployment create",
        {"code": 1, "err": "ERROR: (OutOfQuota) no\n", "set": {"deployment/demo": {"provisioning_state": "Failed"}}},
    )
    code, said = refused(deployment.ensure, registered.run)
    assert code == FAILED and "make undeploy ENV=demo BACKEND=local deletes it" in said
    printed = capsys.readouterr().err
    assert "log line" in printed and "(OutOfQuota) no" in printed

    registered.say("online-deployment update", {"code": 1, "err": UNRECOVERABLE})
    deployment.ensure(registered.run)
    assert registered.calls()[1:] == [f"online-deployment {verb}" for verb in ("update", "delete", "create")]
    assert "failed when it was first made" in capsys.readouterr().out


def test_a_later_failed_update_is_only_updated_again(registered):
    registered.thing("deployment/demo", "Failed")  # Azure takes the update of one that was good once
    deployment.ensure(registered.run)
    assert registered.calls() == ["online-deployment update"]


def test_traffic_is_taken_from_what_is_deleted(registered):
    registered.thing(registered.on, "Succeeded", traffic={"demo": 100})
    registered.thing("deployment/demo", "Failed")
    registered.say("online-deployment update", {"code": 1, "err": UNRECOVERABLE})
    deployment.ensure(registered.run)
    assert registered.calls()[1:] == ["online-endpoint update", "online-deployment delete", "online-deployment create"]
    assert "demo=0" in registered.words("online-endpoint update")[0]


def test_an_endpoint_that_takes_no_deployment_is_made_again(registered):
    registered.say("online-deployment create", {"code": 1, "err": LOST})
    deployment.ensure(registered.run)
    verbs = ["online-deployment create", "online-endpoint delete", "online-endpoint create", "online-deployment create"]
    assert registered.calls() == verbs


def test_an_endpoint_on_which_another_deployment_serves_is_not_made_again(registered):
    registered.thing("deployment/other", "Succeeded")
    registered.say("online-deployment create", {"code": 1, "err": LOST})
    assert refused(deployment.ensure, registered.run)[0] == FAILED
    assert registered.calls() == ["online-deployment create"]


def test_a_deployment_that_goes_although_its_deletion_was_refused_is_waited_for(registered):
    """Somebody else deletes it at the same time."""
    registered.thing("deployment/demo", "Failed")
    registered.say("online-deployment update", {"code": 1, "err": UNRECOVERABLE})
    gone = {"deployment/demo": None}
    registered.say("online-deployment delete", {"code": 1, "err": "ERROR: (Conflict) busy\n", "set": gone})
    deployment.ensure(registered.run)
    assert registered.calls() == [f"online-deployment {verb}" for verb in ("update", "delete", "create")]


def test_an_endpoint_that_is_changing_is_waited_for(registered):
    registered.say("online-deployment create", {"code": 1, "err": BUSY})
    deployment.ensure(registered.run)
    assert registered.calls() == ["online-deployment create"] * 2


def test_a_role_that_had_not_arrived_is_given_one_more_try(registered, capsys):
    failed = {"code": 1, "err": NO_PULL, "set": {"deployment/demo": {"provisioning_state": "Failed"}}}
    registered.say("online-deployment create", failed)
    deployment.ensure(registered.run)
    assert registered.calls() == [f"online-deployment {verb}" for verb in ("create", "delete", "create")]
    assert "a role seems not to have arrived yet" in capsys.readouterr().out
    registered.thing("deployment/demo", "Succeeded")
    registered.say("online-deployment update", {"code": 1, "err": NO_PULL}, {"code": 1, "err": NO_PULL})
    assert refused(deployment.ensure, registered.run)[0] == FAILED
    assert registered.calls()[3:] == ["online-deployment update"] * 2


def test_a_deployment_in_between_is_waited_for(registered):
    registered.thing("deployment/demo", "Creating")
    creating = '[{"name": "demo", "provisioning_state": "Creating"}]'
    registered.say("online-deployment list", {"out": creating},
                   {"out": creating, "set": {"deployment/demo": {"provisioning_state": "Succeeded"}}})  # fmt: skip
    deployment.ensure(registered.run)
    assert registered.calls() == ["online-deployment update"]


def test_what_takes_too_long_is_left_and_said(registered, capfd):
    registered.say("online-deployment create", {"seconds": 60})
    run = registered.with_values("waiting.deploy_minutes=0.05", "waiting.heartbeat_minutes=0.01")
    begun = time.monotonic()
    code, said = refused(deployment.ensure, run)
    assert time.monotonic() - begun < 30
    assert code == WAITING and "waiting.deploy_minutes (--set: 0.05)" in said
    assert "may be there and billed; make deploy ENV=demo BACKEND=local goes on with it" in said
    beats = [line for line in capfd.readouterr().err.splitlines() if line.startswith("deployment demo: not there yet")]
    assert beats and "DeploymentCapacity" in beats[0] and not any("DeploymentCapacity" in line for line in beats[1:])


def test_undeploy_waits_until_nothing_is_left(world, capsys):
    world.thing(world.on, "Succeeded")
    gone = {"out": '{"provisioning_state": "Deleting"}'}
    world.say("online-endpoint delete", {"set": {world.on: {"provisioning_state": "Deleting"}}})
    there = {"out": '{"provisioning_state": "Succeeded"}'}
    world.say("online-endpoint show", there, there, gone, {**gone, "set": {world.on: None}})
    endpoint.undeploy(world.run)
    said = capsys.readouterr().out
    assert "6 to 8 minutes" in said and said.endswith("nothing is billed\n")
    assert len(world.words("online-endpoint show")) == 5
    endpoint.undeploy(world.run)
    assert world.calls() == ["online-endpoint delete"]


def test_an_endpoint_that_goes_already_is_only_waited_for(world):
    gone = {"out": '{"provisioning_state": "Deleting"}'}
    world.thing(world.on, "Deleting")
    world.say("online-endpoint show", gone, gone, {**gone, "set": {world.on: None}})
    endpoint.undeploy(world.run)
    assert world.calls() == []


def test_an_endpoint_that_cannot_be_deleted_is_still_billed(world):
    world.thing(world.on, "Succeeded")
    world.say("online-endpoint delete", {"code": 1, "err": "ERROR: (ScopeLocked) The scope is locked.\n"})
    code, said = refused(endpoint.undeploy, world.run)
    assert code == FAILED and "billed until it is" in said


@pytest.fixture
def completed(world):
    state.write(world.folder, "job", "demo-1")
    state.write(world.folder, "status", "Completed")
    return world


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
    completed.say("model list", {"code": 3}, {"code": 3}, {"out": '["4"]'})
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


@pytest.fixture
def prepared(world):
    state.write(world.folder, "data-version", "abc")
    return world


def test_a_job_is_submitted_once_and_bound_to_its_data(prepared):
    for _ in range(2):
        job.submit(prepared.run)
    assert prepared.calls() == ["job create"]
    words = prepared.words("job create")[0]
    assert "inputs.train_file_path.path=azureml:azureml-chat-train:abc" in words
    job.wait(prepared.run)
    assert (prepared.folder / "status").read_text() == "Completed\n"


def test_a_job_that_ended_badly_elsewhere_has_a_successor(prepared, capsys):
    name = state.job_name(prepared.folder, "demo")
    (prepared.folder / "job").unlink()
    prepared.has(**{f"job__{name}": {"status": "Failed"}})
    job.submit(prepared.run)
    assert prepared.words("job create")[0][5] == f"{name[:-1]}2"
    assert f"job {name} ended before: Failed" in capsys.readouterr().out


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
    assert code == WAITING and "its machine is billed; make await ENV=demo BACKEND=local goes on waiting" in said
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
    job.cancel(prepared.run, "demo-1")
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
    prepared.has(**{"job__demo-6": {"status": "Running"}})
    prepared.say("job cancel", {"code": 1, "err": "ERROR: (Conflict) busy\n"})
    assert refused(job.cancel, prepared.run, "demo-6")[0] == FAILED
    assert (prepared.folder / "job").read_text() == "demo-6\n"
    assert not (prepared.folder / "status").exists()  # it was the other job's


@pytest.mark.parametrize(
    ("command", "step", "left"),
    [
        ("job stream", "await", "job demo-1 goes on, and its machine is billed; make await ENV=demo goes on waiting"),
        ("online-deployment create", "deployment", "may be there and billed; make deploy ENV=demo goes on with it"),
        ("online-endpoint delete", "undeploy", "may still be there and billed; make undeploy ENV=demo goes on"),
    ],
)
def test_ctrl_c_says_what_is_left(registered, command, step, left):
    if step == "deployment":
        registered.thing(registered.on, "Succeeded")
    registered.has(**{"job__demo-1": {"status": "Running"}})
    registered.say(command, {"seconds": 60})
    words = [sys.executable, "-m", "scripts.chain", step, "--env", "demo", "--folder", str(registered.folder)]
    program = subprocess.Popen(
        [*words, "--az", shlex.join(registered.program)], cwd=ROOT, env=os.environ, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not registered.words(command) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    os.killpg(program.pid, signal.SIGINT)
    _, err = program.communicate(timeout=30)
    assert program.returncode == 130
    assert "error: interrupted; " in err and left in err
    assert err.count("Traceback") <= 1  # of the fake, which knows no Ctrl-C


def test_a_program_that_is_not_there_is_named(world):
    world.run.az._program[:] = ["no-such-az"]
    code, said = refused(cluster.ensure, world.run, "finetune")
    assert code == MISSING and said.startswith("no-such-az: no such program")
