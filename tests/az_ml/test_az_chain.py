"""The verbs over the real SDK, the real proxy and the emulator: printed shapes, exit codes, texts."""

import json
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from scripts.az_ml.__main__ import run

GOLDEN = Path(__file__).parent / "data" / "golden"
ROOT = Path(__file__).resolve().parents[2]

COMPUTE = """\
type: amlcompute
name: gpu-cluster
size: {size}
min_instances: 0
max_instances: 1
idle_time_before_scale_down: 120
"""
JOB = """\
type: pipeline
display_name: chat
experiment_name: az-ml
settings: {{force_rerun: true, continue_on_step_failure: false}}
inputs:
  train: {{type: uri_file, path: ./train.jsonl}}
  config: {{type: uri_file, path: ./finetune_config.json}}
outputs:
  trained_model: {{type: mlflow_model, mode: rw_mount}}
jobs:
  tune:
    type: pipeline
    component: azureml://registries/azureml/components/chat_completion_pipeline/versions/0.0.82
    inputs:
      huggingface_id: HuggingFaceTB/SmolLM2-135M-Instruct
      task_name: ChatCompletion
      finetune_config_path: ${{{{parent.inputs.config}}}}
      train_file_path: ${{{{parent.inputs.train}}}}
      apply_lora: "true"
      num_train_epochs: 2
      number_of_gpu_to_use_finetuning: 1
{computes}
    outputs:
      mlflow_model_folder: ${{{{parent.outputs.trained_model}}}}
"""
STEPS = ("model_import", "preprocess", "finetune", "model_evaluation")
JOB = JOB.format(computes="\n".join(f"      compute_{step}: gpu-cluster" for step in STEPS))
CONFIG = {"instruction_template": "<|im_start|>user", "response_template": "<|im_start|>assistant"}
ROW = '{"messages": [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hello!"}]}\n'


class Az:
    """`az ml` in this process, over the emulator, in a folder of its own."""

    def __init__(self, emulator, capsys):
        named = emulator.workspace
        self.where = ["--subscription", named["subscription_id"], "-g", named["resource_group"]]
        self.where += ["-w", named["workspace"]]
        self.capsys = capsys
        self.err = ""

    def __call__(self, *words, code=0):
        """Runs a command in the workspace and returns what it printed."""
        return self.anywhere(*words, *self.where, code=code)

    def anywhere(self, *words, code=0):
        self.capsys.readouterr()
        got = run(["ml", *words])
        out, self.err = self.capsys.readouterr()
        assert got == code, f"exit {got}, not {code}: {' '.join(words)}\n{out}\n{self.err}"
        assert "Traceback" not in self.err and "\x1b" not in self.err and "experimental" not in self.err
        return out

    def json(self, *words):
        return json.loads(self(*words))


@pytest.fixture
def az(emulator, capsys, monkeypatch, tmp_path):
    for name, value in emulator.env.items():
        monkeypatch.setenv(name, value)
    for name in ("AZURE_DEFAULTS_GROUP", "AZURE_DEFAULTS_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return Az(emulator, capsys)


def name_of(kind):
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def differences(found, golden, path=""):
    """What a printed entity has otherwise than its golden file: `…` stands for anything, `key?` for a key that may be."""
    if isinstance(golden, str) and "…" in golden:
        pattern = ".*".join(re.escape(part) for part in golden.split("…"))
        return [] if golden == "…" or re.fullmatch(pattern, str(found), re.DOTALL) else [f"{path} is {found!r}"]
    if isinstance(golden, dict) and isinstance(found, dict):
        optional = {key[:-1] for key in golden if key.endswith("?")}
        allowed = {key.removesuffix("?"): value for key, value in golden.items()}
        wrong = [f"{path}.{key} is not expected" for key in found if key not in allowed]
        wrong += [f"{path}.{key} is missing" for key in allowed if key not in found and key not in optional]
        return wrong + [
            each for key in found if key in allowed for each in differences(found[key], allowed[key], f"{path}.{key}")
        ]
    return [] if found == golden else [f"{path} is {found!r}, not {golden!r}"]


def assert_shape(text, golden, **known):
    """The text is sorted JSON of exactly the golden shape."""
    start = text.index("{")
    found = json.loads(text[start:])
    assert text[start:] == json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    expected = json.loads((GOLDEN / f"{golden}.json").read_text()) | known
    assert not differences(found, expected)
    return found


def size_of(az):
    return json.loads(az("compute", "list-sizes", "--query", "[?gpus>`0`].name"))[0]


def test_registry(az):
    model = ["model", "show", "-n", "Phi-3-mini-4k-instruct", "--registry-name", "azureml"]
    assert_shape(az.anywhere(*model, "-v", "15"), "model_show_registry")
    one = az.anywhere(*model, "-v", "15", "--query", "id", "-o", "tsv")
    assert one == "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/15\n"
    assert az.anywhere(*model, "-l", "latest", "--query", "name", "-o", "tsv") == "Phi-3-mini-4k-instruct\n"
    az.anywhere(*model, code=1)
    assert "Must provide either version or label" in az.err
    az.anywhere(*model, "-v", "999", code=3)
    component = ["component", "show", "-n", "chat_completion_pipeline", "--registry-name", "azureml"]
    found = assert_shape(az.anywhere(*component, "-v", "0.0.82"), "component_show")
    assert found["inputs"]["apply_lora"]["enum"] == ["true", "false"]
    assert found["inputs"]["apply_lora"]["optional"] is True
    az.anywhere("model", "show", "-n", "x", "-v", "1", "--registry-name", "noreg", code=3)


def test_compute(az, tmp_path):
    size = size_of(az)
    Path("compute.yml").write_text(COMPUTE.format(size=size))
    assert az("compute", "create", "-f", "compute.yml", "--no-wait", "--set", "name=other") == ""
    assert_shape(az("compute", "create", "-f", "compute.yml"), "compute", size=size)
    assert_shape(az("compute", "show", "-n", "gpu-cluster"), "compute", size=size)
    # flags win over --set, which wins over the file; "0" counts as given; a second create is an update
    more = ["--min-instances", "0", "--set", "min_instances=1", "max_instances=3"]
    found = az.json("compute", "create", "-f", "compute.yml", *more)
    assert (found["min_instances"], found["max_instances"]) == (0, 3)
    found = az.json("compute", "update", "-n", "gpu-cluster", "--set", "max_instances=2", "--max-instances", "1")
    assert found["max_instances"] == 1
    az("compute", "update", "-n", "gpu-cluster", "--set", "tags.z=1", code=1)
    assert "ERROR: Couldn't find 'tags' in ''. Available options: ['createdOn', 'enableNodePublicIp'," in az.err
    assert "gpu-cluster" in az("compute", "list", "--query", "[].name", "-o", "tsv").split()
    assert az("compute", "list", "-o", "table").splitlines()[0].split()[:2] == ["Name", "Compute"]
    sizes = az.json("compute", "list-sizes", "--query", f"[?name=='{size}'].{{Name:name, Gpus:gpus}}")
    assert sizes == [{"Gpus": sizes[0]["Gpus"], "Name": size}]
    assert az.json("compute", "list-usage")[0].keys() >= {"limit", "name", "unit"}
    az("compute", "show", "-n", "nosuch", code=3)
    assert re.match(r"ERROR: \((Resource)?NotFound\) .*\nCode: \w+\nMessage: ", az.err), az.err
    az("compute", "create", "-f", "compute.yml", "--size", "Standard_NoSuch", "-n", "wrong", code=1)
    az("compute", "delete", "-n", "other", code=1)
    assert "Unable to prompt for confirmation as no tty available. Use --yes." in az.err
    assert az("compute", "delete", "-n", "other", "--yes") == "" and az.err == ""


def test_data(az):
    Path("train.jsonl").write_text(ROW)
    Path("sub").mkdir()
    Path("sub/data.yml").write_text("type: uri_file\nname: talks\npath: ../train.jsonl\ndescription: talk\n")
    assert_shape(az("data", "create", "-f", "sub/data.yml", "--set", "version=1"), "data")
    assert az("data", "show", "-n", "talks", "-v", "1", "-o", "none") == ""
    assert az("data", "show", "-n", "talks", "-l", "latest", "--query", "[name,version]", "-o", "tsv") == "talks\n1\n"
    assert "talks" in az("data", "list", "--query", "[].name", "-o", "tsv").split()
    assert az.json("data", "create", "-n", "flags", "-t", "uri_file", "-p", "train.jsonl")["version"] == "1"
    az("data", "show", "-n", "talks", "-v", "2", code=3)
    az("data", "create", "-f", "sub/data.yml", "--version", "2", "--path", "no.jsonl", code=1)
    assert "no.jsonl" in az.err
    Path("train.jsonl").write_text(ROW * 2)
    az("data", "create", "-f", "sub/data.yml", "--set", "version=1", code=1)
    assert "already exists" in az.err
    az.anywhere("data", "list", *az.where[:4], code=1)
    assert "--workspace-name/-w, --registry-name" in az.err


def test_models(az):
    Path("mdl").mkdir()
    Path("mdl/weights.bin").write_text("weights")
    Path("model.yml").write_text("name: tuned\ntype: custom_model\n")
    create = ["model", "create", "-f", "model.yml", "--path", "./mdl", "--set", "version=6"]
    assert_shape(az(*create, "--version", "7"), "model")
    assert_shape(az("model", "show", "-n", "tuned", "-v", "7"), "model")
    listed = az.json("model", "list", "-n", "tuned")
    assert listed[0]["model type"] == "custom_model" and "type" not in listed[0]
    assert az("model", "download", "-n", "tuned", "-v", "7", "-p", "down") == ""
    assert "Downloading the model" in az.err
    assert [path.read_text() for path in Path("down").rglob("weights.bin")] == ["weights"]
    assert az("model", "archive", "-n", "tuned", "-v", "7") == ""
    az("model", "show", "-n", "tuned", "-v", "8", code=3)
    az("model", "create", "-n", "tuned", "-p", "nosuch-folder", "-t", "custom_model", code=1)
    assert "No such file or directory" in az.err and az.err.count("\n") <= 2


def submitted(az, *more):
    Path("compute.yml").write_text(COMPUTE.format(size=size_of(az)))
    az("compute", "create", "-f", "compute.yml")
    Path("train.jsonl").write_text(ROW * 40)
    Path("finetune_config.json").write_text(json.dumps({"chat_special_tokens": CONFIG}))
    Path("job.yml").write_text(JOB)
    return assert_shape(az("job", "create", "-f", "job.yml", *more), "job")


def test_jobs(az):
    name = name_of("job")
    job = submitted(
        az, "-n", name, "--set", "tags.run=1", "jobs.tune.inputs.num_train_epochs=9", "--save-as", "saved.yml"
    )
    assert job["tags"]["run"] == "1"
    assert job["jobs"]["tune"]["inputs"]["num_train_epochs"] == "9"
    assert name in Path("saved.yml").read_text()
    assert_shape(az("job", "show", "-n", name), "job")
    assert az("job", "show", "-n", name, "--query", "status", "-o", "tsv").strip() in (
        *("NotStarted", "Queued", "Preparing", "Provisioning", "Starting", "Running"),
    )
    az("job", "download", "-n", name, code=1)
    assert "Download is allowed only in states" in az.err
    assert az.json("job", "update", "-n", name, "--set", "display_name=zzz")["display_name"] == "zzz"
    assert az("job", "cancel", "-n", name) == "" and az.err == ""
    text = az("job", "stream", "-n", name)  # exit 0 for a cancelled job: the trap that the Makefile knows
    assert text.startswith(f"RunId: {name}\nWeb View: https://ml.azure.com/runs/{name}?wsid=")
    assert f"Execution Summary\n=================\nRunId: {name}\n" in text
    assert az("job", "show", "-n", name, "--query", "status", "-o", "tsv") == "Canceled\n"
    assert az("job", "show", "-n", name, "--query", "nosuch") == ""
    listed = az("job", "list", "-r", "1", "--query", "[].name", "-o", "tsv")
    assert az.err.splitlines()[0] == "Displaying top 1 results from the list command." and len(listed.split()) == 1
    assert name in az("job", "list", "--all-results", "true", "--query", "[].name", "-o", "tsv").split()
    assert "Displaying" not in az.err
    assert az("job", "list", "-o", "table").splitlines()[0].split()[:3] == ["Name", "Status", "Experiment"]
    for verb in ("show", "stream", "cancel"):
        az("job", verb, "-n", "nosuch", code=3)


def test_jobs_that_are_refused(az):
    Path("train.jsonl").write_text(ROW)
    Path("finetune_config.json").write_text("{}")
    Path("job.yml").write_text(JOB)
    az("job", "create", "-f", "job.yml", "--set", "inputs.train.path=./no.jsonl", code=1)
    assert "No such file or directory" in az.err and "no.jsonl" in az.err
    az("job", "create", "-f", "job.yml", "--set", "jobs.tune.inputs.nosuch=1", code=1)
    assert "nosuch" in az.err
    az("job", "create", "-f", "job.yml", "--set", "compute=azureml:gpu-none", code=1)
    assert "gpu-none" in az.err
    assert az.json("job", "validate", "-f", "job.yml") == {"result": "Succeeded"}


def test_endpoints(az):
    name = "chat-test"
    Path("endpoint.yml").write_text("name: Chat-Test\nauth_mode: key\n")
    create = ["online-endpoint", "create", "-f", "endpoint.yml", "-n", name.upper()]
    assert_shape(az(*create), "online_endpoint")
    az(*create, code=1)
    assert "ERROR: (UserError) An endpoint with this name already exists." in az.err
    assert_shape(az("online-endpoint", "show", "-n", name), "online_endpoint")
    listed = az.json("online-endpoint", "list", "--query", f"[?name=='{name}']")
    assert set(listed[0]) == {"kind", "location", "mirror_traffic", "name", "provisioning_state", "tags", "traffic"}
    keys = assert_shape(az("online-endpoint", "get-credentials", "-n", name), "keys")
    az("online-endpoint", "regenerate-keys", "-n", name, "--key-type", "secondary")
    again = az.json("online-endpoint", "get-credentials", "-n", name)
    assert again["primaryKey"] == keys["primaryKey"] and again["secondaryKey"] != keys["secondaryKey"]
    found = az.json("online-endpoint", "update", "-n", name, "--set", "tags.new=x", "description=told")
    assert found["tags"] == {"new": "x"} and found["description"] == "told"
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
def test_deployments_that_fail(az):
    """A deployment whose model cannot be served: the LRO fails, with dots, and nothing is hidden."""
    name = name_of("ep")
    Path("mdl").mkdir()
    Path("mdl/MLmodel").write_text("flavors: {}\n")
    az("model", "create", "-n", "junk", "-v", "1", "-p", "mdl", "-t", "mlflow_model")
    text = f"name: demo\nendpoint_name: {name}\nmodel: azureml:junk:1\ninstance_type: {{}}\ninstance_count: 1\n"
    Path("deployment.yml").write_text(text.format(size_of(az)))
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
def test_from_the_job_to_the_answer(az):
    """What only a real run shows: a failed job, a trained model, a deployment that serves, and its answer."""
    quick = [
        "jobs.tune.inputs.max_steps=1",
        "jobs.tune.inputs.max_seq_length=64",
        "jobs.tune.inputs.num_train_epochs=1",
    ]
    job = submitted(az, "--set", *quick)["name"]
    assert "Streaming logs/azureml/executionlogs.txt\n====" in az("job", "stream", "-n", job)
    assert az("job", "show", "-n", job, "--query", "status", "-o", "tsv") == "Completed\n"
    assert az("job", "download", "-n", job, "--output-name", "trained_model", "-p", "down") == ""
    assert Path("down/named-outputs/trained_model/MLmodel").is_file()

    Path("model.yml").write_text("name: trained\ntype: mlflow_model\n")
    path = f"path=azureml://jobs/{job}/outputs/trained_model"
    model = az.json("model", "create", "-f", "model.yml", "--set", f"version={job}", path)
    assert model["path"].endswith(f"/paths/azureml/{job}/trained_model") and model["version"] == job

    name = name_of("ep")
    az("online-endpoint", "create", "-n", name)
    text = (
        f"name: demo\nendpoint_name: {name}\nmodel: azureml:none:1\ninstance_type: {size_of(az)}\ninstance_count: 1\n"
    )
    Path("deployment.yml").write_text(text)
    create = ["online-deployment", "create", "-f", "deployment.yml", "--set", f"model=azureml:trained:{job}"]
    out = az(*create, "--all-traffic")
    assert re.match(r"\.+\{\n", out)  # polling dots before the JSON: why nothing may read what `create` prints
    assert_shape(out, "online_deployment", endpoint_name=name)
    assert az.json("online-endpoint", "show", "-n", name)["traffic"] == {"demo": 100}
    update = ["online-deployment", "update", "-n", "demo", "-e", name]
    assert az(*update, "--set", "tags.k=v", "--query", "tags.k", "-o", "tsv").lstrip(".") == "v\n"
    az(*update, "--set", "nosuch=1", code=1)
    assert "ERROR: --set nosuch: 'nosuch' is not a key of managed online deployment" in az.err

    asked = {
        "input_data": {"input_string": [{"role": "user", "content": "Hello?"}], "parameters": {"max_new_tokens": 3}}
    }
    Path("request.json").write_text(json.dumps(asked))
    invoke = ["online-endpoint", "invoke", "-n", name, "-r", "request.json"]
    assert "output" in json.loads(az(*invoke, "-o", "tsv"))
    assert "output" in json.loads(json.loads(az(*invoke, "-d", "demo")))  # under -o json a string that holds JSON
    assert az("online-deployment", "get-logs", "-n", "demo", "-e", name, "--lines", "1").count("\n") <= 2
    az("online-endpoint", "delete", "-n", name, "--yes")

    Path("train.jsonl").write_text('{"messages": "none"}\n')
    az("job", "create", "-f", "job.yml", "--stream", code=1)
    assert "ERROR: Exception : \n {" in az.err and '"code": "UserError"' in az.err


def test_the_workspace_and_the_login(az, monkeypatch):
    name = az.where[-1]
    found = json.loads(az.anywhere("workspace", "show", "-n", name, *az.where[:4]))
    assert found["name"] == name and found["resourceGroup"] == az.where[3]
    az.anywhere("workspace", "show", "-n", "nosuch", *az.where[:4], code=3)
    monkeypatch.setenv("AZURE_DEFAULTS_GROUP", az.where[3])
    monkeypatch.setenv("AZURE_DEFAULTS_WORKSPACE", name)
    az.anywhere("job", "list", "-r", "1", *az.where[:2])
    az.capsys.readouterr()
    assert run(["account", "show", *az.where[:2], "--query", "id", "-o", "tsv"]) == 0
    assert az.capsys.readouterr().out == f"{az.where[1]}\n"
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    az("job", "list", code=1)
    assert az.err.splitlines()[-1].startswith("ERROR: Azure refused the service principal")


@pytest.mark.slow
def test_no_proxy_is_a_sentence(az, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    az("job", "list", code=1)
    assert "cannot be reached through the proxy http://127.0.0.1:1" in az.err


def test_as_a_process(az, emulator):
    line = [sys.executable, "-m", "scripts.az_ml", "ml", "compute", "list", *az.where, "-o", "json"]
    done = subprocess.run(line, cwd=ROOT, env=emulator.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and isinstance(json.loads(done.stdout), list)
