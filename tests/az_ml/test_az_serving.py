"""Endpoints and deployments through `az ml`, and the whole way from the job to the answer."""

import json
import re
from pathlib import Path

import pytest


def test_endpoints(az, given):
    name = "chat-test"
    Path("endpoint.yml").write_text("name: Chat-Test\nauth_mode: key\n")
    create = ["online-endpoint", "create", "-f", "endpoint.yml", "-n", name.upper()]
    given.shape(az(*create), "online_endpoint")
    az(*create, code=1)
    assert "ERROR: (UserError) An endpoint with this name already exists." in az.err
    given.shape(az("online-endpoint", "show", "-n", name), "online_endpoint")
    listed = az.json("online-endpoint", "list", "--query", f"[?name=='{name}']")
    assert set(listed[0]) == {"kind", "location", "mirror_traffic", "name", "provisioning_state", "tags", "traffic"}
    given.shape(az("online-endpoint", "get-credentials", "-n", name), "keys")
    found = az.json("online-endpoint", "update", "-n", name, "--set", "tags.new=x", "description=told")
    assert found["tags"] == {"new": "x"} and found["description"] == "told"
    Path("other.yml").write_text(f"name: {name}\nauth_mode: key\ndescription: from the file\n")
    found = az.json("online-endpoint", "update", "-f", "other.yml", "--set", "tags.n=1")
    assert found["description"] == "from the file" and found["tags"]["n"] == "1"
    az("online-endpoint", "update", "-n", name, "--set", "descripton=x", code=1)
    assert az.err.startswith("ERROR: --set descripton: unknown key (did you mean 'description'?)"), az.err
    az("online-endpoint", "update", "-n", name, "--traffic", "nodep=100", code=1)
    az("online-endpoint", "update", "-n", name, "--traffic", "a=50,b=50", code=1)
    Path("request.json").write_text("{}")
    az("online-endpoint", "invoke", "-n", name, "-r", "request.json", "-d", "nodep", code=1)
    assert "nodep" in az.err
    az("online-deployment", "show", "-n", "nodep", "-e", name, code=1)
    assert "ERROR: Deployment does not exist: 'nodep' of endpoint 'chat-test'." in az.err
    assert az.json("online-deployment", "list", "-e", name) == []
    out = az("online-endpoint", "delete", "-n", name, "--yes")
    assert set(out) <= {"."} and az.err.startswith("Delete request initiated. If you interrupt this command")
    az("online-endpoint", "show", "-n", name, code=3)
    az("online-endpoint", "delete", "-n", name, "--yes", code=1)
    assert az.err == f"ERROR: Online endpoint {name} does not exist.\n"
    az("online-endpoint", "update", "-n", name, "--traffic", "a=100", code=1)
    assert "Endpoint does not exist" in az.err
    az("online-endpoint", "create", "-n", "x" * 33, code=1)
    assert "at most 32 characters" in az.err


@pytest.mark.slow
def test_deployments_that_fail(az, given):
    """A deployment whose model cannot be served: the LRO fails, with dots, and nothing is hidden."""
    name = given.name("ep")
    Path("mdl").mkdir()
    Path("mdl/MLmodel").write_text("flavors: {}\n")
    az("model", "create", "-n", "junk", "-v", "1", "-p", "mdl", "-t", "mlflow_model")
    text = f"name: demo\nendpoint_name: {name}\nmodel: azureml:junk:1\ninstance_type: {{}}\ninstance_count: 1\n"
    Path("deployment.yml").write_text(text.format(az.size()))
    create = ["online-deployment", "create", "-f", "deployment.yml"]
    az(*create, code=3)
    assert f"Check: endpoint {name} exists" in az.err
    az("online-endpoint", "create", "-n", name)
    az(*create, "-n", "x", code=1)
    assert "at least 3" in az.err
    out = az(*create, code=1)
    assert set(out) <= {".", "\n"} and re.search(r"ERROR: \(\w+\) ", az.err)
    shown = az.json("online-deployment", "show", "-n", "demo", "-e", name)
    assert shown["provisioning_state"] == "Failed"
    az(*create, code=1)
    assert "A deployment with this name already exists." in az.err
    assert az("online-deployment", "delete", "-n", "demo", "-e", name, "--yes") == ""
    az("online-deployment", "update", "-n", "demo", "-e", name, "--set", "instance_count=2", code=1)
    assert "Deployment does not exist" in az.err
    az("online-endpoint", "delete", "-n", name, "--yes")


@pytest.mark.slow
def test_from_the_job_to_the_answer(az, given):
    """What only a real run shows: a failed job, a trained model, a deployment that serves, and its answer."""
    quick = [
        "jobs.tune.inputs.max_steps=1",
        "jobs.tune.inputs.max_seq_length=64",
        "jobs.tune.inputs.num_train_epochs=1",
    ]
    job = az.submit("--set", *quick)["name"]
    assert "Streaming logs/azureml/executionlogs.txt\n====" in az("job", "stream", "-n", job)
    assert az("job", "show", "-n", job, "--query", "status", "-o", "tsv") == "Completed\n"
    assert az("job", "download", "-n", job, "--output-name", "trained_model", "-p", "down") == ""
    assert Path("down/named-outputs/trained_model/MLmodel").is_file()

    Path("model.yml").write_text("name: trained\ntype: mlflow_model\n")
    path = f"path=azureml://jobs/{job}/outputs/trained_model"
    model = az.json("model", "create", "-f", "model.yml", "--set", path)
    assert model["path"].endswith(f"/paths/azureml/{job}/trained_model")
    version = model["version"]
    assert version.isdecimal()

    name = given.name("ep")
    az("online-endpoint", "create", "-n", name)
    text = f"name: demo\nendpoint_name: {name}\nmodel: azureml:none:1\ninstance_type: {az.size()}\ninstance_count: 1\n"
    Path("deployment.yml").write_text(text)
    create = ["online-deployment", "create", "-f", "deployment.yml", "--set", f"model=azureml:trained:{version}"]
    out = az(*create)
    assert re.match(r"\.+\{\n", out)  # polling dots before the JSON: why nothing may read what `create` prints
    given.shape(out, "online_deployment", endpoint_name=name)
    az("online-endpoint", "update", "-n", name, "--traffic", "demo=100", "-o", "none")
    assert az.json("online-endpoint", "show", "-n", name)["traffic"] == {"demo": 100}
    update = ["online-deployment", "update", "-n", "demo", "-e", name]
    assert az(*update, "--set", "tags.k=v", "--query", "tags.k", "-o", "tsv").lstrip(".") == "v\n"
    az(*update, "--set", "nosuch=1", code=1)
    assert "ERROR: --set nosuch: unknown key; allowed: app_insights_enabled, " in az.err
    again = az(
        *update, "-f", "deployment.yml", "--set", f"model=azureml:trained:{version}", "--query", "name", "-o", "tsv"
    )
    assert again.lstrip(".") == "demo\n"

    asked = {
        "input_data": {"input_string": [{"role": "user", "content": "Hello?"}], "parameters": {"max_new_tokens": 3}}
    }
    Path("request.json").write_text(json.dumps(asked))
    invoke = ["online-endpoint", "invoke", "-n", name, "-r", "request.json"]
    assert "0" in json.loads(az(*invoke, "-o", "tsv"))[0]  # in the shape of Azure's scorer
    assert "0" in json.loads(json.loads(az(*invoke, "-d", "demo")))[0]  # under -o json a string that holds JSON
    assert az("online-deployment", "get-logs", "-n", "demo", "-e", name, "--lines", "1").count("POST /score") == 1
    az("online-endpoint", "delete", "-n", name, "--yes")

    Path("train.jsonl").write_text('{"messages": "none"}\n')
    failing = az.json("job", "create", "-f", "job.yml")["name"]
    az("job", "stream", "-n", failing, code=1)
    assert "ERROR: Exception : \n {" in az.err and '"code": "UserError"' in az.err
