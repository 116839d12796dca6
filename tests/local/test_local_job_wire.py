"""Jobs on the wire: as the service was recorded, and as it refuses; what is malformed is refused in a sentence."""

from __future__ import annotations

import json
import sqlite3
import time

import pytest

from tests.local.wire import Wire

REGISTRY_ENVIRONMENT = "azureml://registries/azureml/environments/sklearn-1.5/versions/1"
SERVICE = {"jobServiceType", "port", "endpoint", "status", "errorMessage", "properties", "nodes"}
COMMON = {"description", "tags", "properties", "displayName", "status", "experimentName", "services", "computeId"}
COMMON |= {"isArchived", "identity", "componentId", "notificationSetting", "secretsConfiguration", "jobType"}
COMMON |= {"inputs", "outputs"}
COMMAND = COMMON | {"resources", "codeId", "command", "environmentId", "distribution", "autologgerSettings", "limits"}
COMMAND |= {"environmentVariables", "parameters", "queueSettings"}


class Jobs(Wire):
    """Requests about jobs."""

    def job(self, method, name, body=None, verb=""):
        return self.ask(method, f"jobs/{name}{verb}", body)


@pytest.fixture
def wire(local):
    return Jobs(local)


def command(**changes):
    properties = {"jobType": "Command", "command": "echo hi", "environmentId": REGISTRY_ENVIRONMENT, **changes}
    return {"properties": {key: value for key, value in properties.items() if value is not None}}


def chain(response):
    """Returns the codes of the InnerError chain of a refusal."""
    error = response.json()["error"]
    inner = next((each for each in error["additionalInfo"] if each["type"] == "InnerError"), None)
    codes, here = [], inner and inner["info"]["value"]
    while here:
        codes.append(here["code"])
        here = here["innerError"]
    return codes


def status_when_ended(wire, name):
    for _ in range(200):
        status = wire.job("GET", name).json()["properties"]["status"]
        if status in ("Completed", "Failed", "Canceled"):
            return status
        time.sleep(0.1)
    raise AssertionError(f"job {name} is still {status}")


def test_a_command_job_as_recorded(local, wire):
    name = local.name("cmd")
    made = wire.job("PUT", name, command(outputs={"out": {"jobOutputType": "uri_folder"}}))
    assert made.status_code == 201
    assert made.headers["location"].partition("?")[0].endswith(f"/jobs/{name}")
    shown = made.json()
    assert set(shown["systemData"]) == {"createdAt", "createdBy", "createdByType"}
    properties = shown["properties"]
    assert set(properties) == COMMAND
    assert properties["status"] == "Starting"
    assert [set(each) for each in properties["services"].values()] == [SERVICE, SERVICE]
    place = f"azureml://datastores/workspaceartifactstore/ExperimentRun/dcid.{name}"
    assert properties["outputs"]["default"]["uri"] == place
    assert properties["outputs"]["out"]["uri"] is None  # Azure chooses the place, and does not say it
    assert properties["resources"]["instanceCount"] == 1
    assert properties["resources"]["shmSize"] == "2g"
    assert status_when_ended(wire, name) == "Completed"
    assert set(wire.job("GET", name).json()["properties"]) == COMMAND


def test_a_pipeline_job_as_recorded(local, wire):
    job = local.submit({"seed": 4})
    properties = wire.job("GET", job).json()["properties"]
    assert set(properties) == COMMON | {"settings", "jobs", "sourceJobId"}
    assert properties["properties"]["azureml.runsource"] == "azureml.PipelineRun"
    assert properties["properties"]["azureml.continue_on_step_failure"] == "False"
    assert properties["outputs"]["trained_model"]["uri"] is None
    assert "default" not in properties["outputs"]
    assert local.ended(job) == "Completed"
    again = wire.job("POST", job, verb="/cancel")
    assert again.status_code == 400
    assert chain(again) == ["BadArgument", "ArgumentInvalid", "CancelPipelineRunInTerminalStatus"]


def test_the_first_status_of_a_pipeline(local, wire):
    local.cluster()
    blocker = local.submit({"seed": 1})
    first = local.ml.jobs.create_or_update(local.job())
    assert first.status == "Preparing"
    local.ml.jobs.begin_cancel(blocker).wait()
    local.ml.jobs.begin_cancel(first.name).wait()


def test_cancelling_is_polled_by_its_location_alone(local, wire):
    name = local.name("cmd")
    wire.job("PUT", name, command(command="sleep 60"))
    local.until(lambda: wire.job("GET", name).json()["properties"]["status"] == "Running")
    asked = wire.job("POST", name, verb="/cancel")
    assert asked.status_code == 202
    assert "azure-asyncoperation" not in asked.headers
    poll = local.until(
        lambda: (lambda each: each if each.status_code == 200 else None)(wire.ask("GET", asked.headers["location"]))
    )
    assert poll.content == b"null"  # recorded is no body; so a client that reads JSON has some to read
    assert wire.job("GET", name).json()["properties"]["status"] == "Canceled"
    ended = wire.job("POST", name, verb="/cancel")
    assert (ended.status_code, ended.content) == (200, b"")


def test_the_same_name_with_other_content(local, wire):
    name = local.name("cmd")
    body = command(tags={"a": "1"}, inputs={"n": {"jobInputType": "literal", "value": "3"}})
    assert wire.job("PUT", name, body).status_code == 201
    assert wire.job("PUT", name, body).status_code == 200  # as a client that has heard nothing repeats it
    other = wire.job("PUT", name, command(command="echo other"))
    assert other.status_code == 400
    assert other.json()["error"]["code"] == "UserError"
    assert other.json()["error"]["message"].startswith("A job with this name already exists.")
    assert chain(other) == ["Immutable", "JobPropertyImmutable"]
    body["properties"] |= {"tags": {"a": "2"}, "displayName": "renamed", "description": "d", "isArchived": True}
    changed = wire.job("PUT", name, body)
    assert changed.status_code == 200
    assert changed.json()["properties"]["displayName"] == "renamed"
    assert changed.json()["properties"]["command"] == "echo hi"
    assert status_when_ended(wire, name) == "Completed"
    shown = wire.job("GET", name).json()
    back = wire.job("PUT", name, {"properties": shown["properties"]})  # what `az ml job update` sends: all of it
    assert back.status_code == 200
    assert back.json()["properties"]["tags"] == shown["properties"]["tags"]


def test_the_same_yaml_under_the_same_name(local):
    from azure.core.exceptions import HttpResponseError

    local.cluster()
    first = local.job()
    made = local.ml.jobs.create_or_update(first)
    assert local.ml.jobs.create_or_update(local.job(name=first.name)).name == made.name
    with pytest.raises(HttpResponseError, match="existing job's Jobs cannot be changed"):
        local.ml.jobs.create_or_update(local.job({"num_train_epochs": 7}, name=first.name))
    assert local.ended(first.name) == "Completed"


def test_a_binding_that_the_service_does_not_know(local):
    from azure.core.exceptions import HttpResponseError

    local.cluster()
    with pytest.raises(HttpResponseError) as caught:
        local.ml.jobs.create_or_update(local.job({"huggingface_id": "${{parent.name}}"}))
    assert caught.value.error.message.startswith("Invalid expression parent.name. Only parent.inputs, ")
    assert chain(caught.value.response)[-1] == "InvalidExpressionInJob"


def pipeline(wire, **node):
    step = {"type": "command", "name": "one", "componentId": f"{wire.workspace}/components/none/versions/1", **node}
    return {"properties": {"jobType": "Pipeline", "jobs": {"one": step}}}


def test_a_component_that_is_not_there(local, wire):
    answer = wire.job("PUT", local.name("p"), pipeline(wire))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NotFound")
    assert answer.json()["error"]["message"].endswith("Message: Not found component none (version: 1).")


@pytest.mark.parametrize("kind", ["automl", "sweep", "import", "spark", "parallel", "data_transfer", "do_while"])
def test_steps_that_only_azure_runs(local, wire, kind):
    answer = wire.job("PUT", local.name("p"), pipeline(wire, type=kind))
    assert answer.status_code == 400
    assert f"Step one is of type '{kind}'; the steps that the local Azure ML runs" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"jobType": "Sweep"}, "is of type 'Sweep'"),
        ({"command": " "}, "has no command"),
        ({"command": None}, "has no command"),
        ({"environmentId": None}, "has no environment"),
        ({"environmentId": "azureml:does-not-exist:7"}, "No environment exists for name: does-not-exist, version: 7"),
        ({"environmentId": "python"}, "names no environment"),
        ({"computeId": "azureml:serverless"}, "is serverless"),
        ({"computeId": "nowhere"}, "'nowhere', which workspace"),
        ({"services": {"my_ssh": {"jobServiceType": "SSH"}}}, "asks for the services my_ssh"),
        ({"secretsConfiguration": {"A": {"uri": "x"}}}, "no key vault"),
        ({"distribution": {"distributionType": "PyTorch", "processCountPerInstance": 2}}, "2 processes"),
        ({"outputs": {"o": {"jobOutputType": "uri_folder", "uri": "https://a.example/b"}}}, "a path on a datastore"),
    ],
)
def test_what_a_command_job_is_refused_for(local, wire, changes, words):
    name = local.name("cmd")
    answer = wire.job("PUT", name, command(**changes))
    assert answer.status_code in (400, 404), answer.text
    assert words in answer.json()["error"]["message"]
    assert wire.job("GET", name).status_code == 404


@pytest.mark.parametrize(
    "uri",
    [
        "https://elsewhere.blob.core.windows.net/data/iris.csv",
        "wasbs://data@elsewhere.blob.core.windows.net/",
        "azureml://datastores/no_such_datastore/paths/x",
        "azureml://datastores/workspaceblobstore/paths/no/such/file",
    ],
)
def test_data_that_is_not_there_is_taken_and_fails_in_the_job(local, wire, uri):
    """As recorded of a datastore that does not exist, 2023; and nothing is fetched from outside."""
    name = local.name("cmd")
    given = {"rows": {"jobInputType": "uri_file", "uri": uri}}
    assert wire.job("PUT", name, command(inputs=given)).status_code == 201
    assert status_when_ended(wire, name) == "Failed"
    details = wire.ask("GET", f"/history/v1.0{wire.workspace}/runs/{name}/details", host="eastus.api.azureml.ms").json()
    assert "Input rows cannot be read: " in details["error"]["error"]["message"]


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"jobType": []},
        {"jobType": 5},
        {"jobType": "Pipeline", "jobs": 5},
        {"jobType": "Pipeline", "jobs": {"a": 5}},
        {"jobType": "Pipeline", "jobs": {"a": {"componentId": 5}}},
        {"jobType": "Pipeline", "jobs": {"a": {"componentId": "x", "inputs": []}}},
        {"jobType": "Pipeline", "jobs": {"a": {"type": ["x"]}}},
        {"jobType": "Pipeline", "jobs": {"a": {}}, "settings": "x"},
        {"jobType": "Pipeline", "inputs": []},
        {"jobType": "Pipeline", "inputs": {"a": {"jobInputType": 5}}},
        {"jobType": "Command", "command": 5},
        {"jobType": "Command", "outputs": {"a": "b"}},
        {"jobType": "Command", "resources": 5},
        {"jobType": "Command", "tags": {"a": 1}},
        {"jobType": "Command", "identity": 5},
        {"jobType": "FineTuning", "fineTuningDetails": []},
        {"jobType": "FineTuning", "fineTuningDetails": {"modelProvider": "Custom", "model": 5}},
    ],
)
def test_malformed_jobs_are_refused_in_a_sentence(local, wire, properties):
    answer = wire.job("PUT", local.name("bad"), {"properties": properties})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["message"].rstrip().endswith(".")


def test_jobs_are_listed_newest_first_in_pages(local, wire):
    names = [local.name("cmd") for _ in range(3)]
    for name in names:
        wire.job("PUT", name, command(tags={"page": names[0]}))
    page = wire.get("jobs", tag=f"page={names[0]}", **{"$top": 2})
    found = [each["name"] for each in page["value"]]
    assert len(found) == 2
    assert "%24skipToken=" in page["nextLink"]
    found += [each["name"] for each in wire.get(page["nextLink"])["value"]]
    assert found == names[::-1]
    for name in names:
        assert status_when_ended(wire, name) == "Completed"


def test_a_job_of_an_older_home(own):
    """Without what later versions keep: it is shown whole, and sent again it is the same job."""
    words = own.emulated.workspace
    scope = "/".join((words["subscription_id"], words["resource_group"], words["workspace"])).lower()
    place = "azureml://datastores/workspaceblobstore/paths/azureml/old/out/"
    properties = {
        **command()["properties"],
        "displayName": "old",
        "experimentName": "Default",
        "tags": {},
        "properties": {},
        "isArchived": False,
        "inputs": {"rows": {"jobInputType": "uri_file", "uri": place}},
        "outputs": {"out": {"mode": "ReadWriteMount", "jobOutputType": "uri_folder", "uri": place}},
    }
    own.emulated.down()
    with sqlite3.connect(own.emulated.home / "state.sqlite") as database:
        database.execute(
            "insert into documents (scope, kind, name, version, body, created, modified) values (?, ?, ?, ?, ?, ?, ?)",
            (scope, "jobs", "old", "", json.dumps({"properties": properties, "status": "Completed"}), 1.0, 2.0),
        )
    own.emulated.up()
    wire = Jobs(own)
    assert set(wire.get("jobs/old")["properties"]) == COMMAND
    assert [each["name"] for each in wire.get("jobs")["value"]] == ["old"]
    sent = command(inputs=properties["inputs"], outputs={"out": {"jobOutputType": "uri_folder"}}, tags={"a": "b"})
    assert wire.job("PUT", "old", sent).status_code == 200
    assert wire.job("PUT", "old", command(command="echo other")).status_code == 400
    details = wire.ask("GET", f"/history/v1.0{wire.workspace}/runs/old/details", host="eastus.api.azureml.ms")
    assert details.json()["status"] == "Completed"


@pytest.mark.parametrize("name", ["", " ", "a.b", "a/b", "é", "-a", "e" * 257, "a\n"])
def test_an_experiment_that_azure_refuses_is_refused(local, wire, name):
    answer = wire.job("PUT", local.name("exp"), command(experimentName=name))
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("Experiment name must be 1-256 characters")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("runs/create", {"experiment_id": "0", "start_time": {}}),
        ("runs/search", {"experiment_ids": ["1"], "max_results": {}}),
        ("runs/search", {"experiment_ids": ["x"]}),
        ("runs/log-batch", {"run_id": "x", "metrics": ["a"], "params": [], "tags": []}),
        ("runs/log-batch", {"run_id": "x", "metrics": ["\ud800"], "params": [], "tags": []}),
        ("experiments/create", []),
    ],
)
def test_what_mlflow_cannot_read_is_refused(wire, path, body):
    place = f"/mlflow/v2.0{wire.workspace}/api/2.0/mlflow/{path}"
    answer = wire.ask("POST", place, body, host="eastus.api.azureml.ms")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_REQUEST")


def test_half_a_character_is_refused(wire):
    answer = wire.job("PUT", "half", command(displayName="\ud800"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequestContent")
