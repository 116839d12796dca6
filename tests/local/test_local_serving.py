"""What a deployment needs to come up, what of one only Azure has, and what clients ask in passing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint, Model, ProbeSettings
from azure.core.exceptions import HttpResponseError

from scripts.local.resources.forms import form
from scripts.local.serving import conda_file
from tests.local.conftest import SIZE
from tests.local.test_local_same_facts import Wire

GOOD = "dependencies: [python=3.10, pip: [mlflow==2.22.1, azureml-ai-monitoring==1.0.0]]\n"
LACKS = "dependencies: [python=3.10, pip: [mlflow==2.22.1]]\n"


@pytest.fixture
def wire(local: Any) -> Wire:
    return Wire(local)


@pytest.fixture
def endpoint(local: Any) -> Any:
    name = local.name("ep")
    local.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode="key")).result()
    yield name
    local.ml.online_endpoints.begin_delete(name).result()


def model(local: Any, conda: str) -> str:
    """Registers an MLflow model from files and returns its id."""
    folder = local.folder / local.name("files")
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors:\n  python_function:\n    env: conda.yaml\n")
    (folder / "conda.yaml").write_text(conda)
    made = Model(name=local.name("model"), version="1", path=str(folder), type="mlflow_model")
    return str(local.ml.models.create_or_update(made).id)


def deploy(local: Any, endpoint: str, given: str, name: str = "blue", **words: Any) -> Any:
    deployment = ManagedOnlineDeployment(
        name=name, endpoint_name=endpoint, model=given, instance_type=SIZE, instance_count=1, **words
    )
    return local.ml.online_deployments.begin_create_or_update(deployment).result()


@pytest.mark.parametrize(
    ("packages", "says"),
    [
        (["mlflow==2.22.1", "azureml-ai-monitoring"], None),
        (["mlflow<3", "azureml_ai_monitoring==1.0.0"], None),
        (["mlflow-skinny~=2.9", "azureml-ai-monitoring"], None),
        (["azureml-ai-monitoring"], None),
        (["mlflow>=2,<3.0", "azureml-ai-monitoring"], None),
        (["mlflow==2.22.1"], "azureml.ai"),
        ([], "azureml.ai"),
        (["mlflow", "azureml-ai-monitoring"], "takes mlflow,"),
        (["mlflow>=2", "azureml-ai-monitoring"], "mlflow>=2"),
        (["mlflow==3.6.0", "azureml-ai-monitoring"], "mlflow==3.6.0"),
        (["mlflow<4", "azureml-ai-monitoring"], "mlflow<4"),
        (["mlflow-skinny==3.*", "azureml-ai-monitoring"], "mlflow-skinny==3.*"),
    ],
)
def test_what_the_scorer_needs_of_a_conda_file(tmp_path: Path, packages: list[str], says: str | None) -> None:
    (tmp_path / "conda.yaml").write_text(f"dependencies: [python=3.10, {{pip: {packages!r}}}]\n")
    found = conda_file.reason(tmp_path)
    assert found is None if says is None else says in str(found), found
    (tmp_path / "conda.yaml").write_text(f"dependencies: {packages!r}\n".replace("==", "="))  # as conda writes pins
    assert (conda_file.reason(tmp_path) is None) == (says is None)


@pytest.mark.parametrize("text", ["", "[]", "dependencies: 5", "dependencies: [pip: 3]", "{", "dependencies: [null]"])
def test_an_odd_conda_file_is_no_crash(tmp_path: Path, text: str) -> None:
    (tmp_path / "conda.yaml").write_text(text)
    assert conda_file.reason(tmp_path) is None or "lacks azureml-ai-monitoring" in str(conda_file.reason(tmp_path))
    (tmp_path / "conda.yaml").unlink()
    assert conda_file.reason(tmp_path) is None


def test_a_model_without_the_scorers_package_fails_as_on_azure(local: Any, endpoint: str) -> None:
    words = "User container has crashed or terminated: Liveness probe failed: HTTP probe failed with statuscode: 502"
    with pytest.raises(HttpResponseError, match=words) as caught:
        deploy(local, endpoint, model(local, LACKS))
    assert caught.value.error.code == "BadArgument"
    log = local.ml.online_deployments.get_logs("blue", endpoint, lines=50)
    assert "No module named 'azureml.ai'" in log
    assert "conda.yaml lacks azureml-ai-monitoring" in log
    deploy(local, endpoint, model(local, GOOD), "green")


@pytest.mark.parametrize("probe", ["liveness", "readiness"])
def test_a_start_must_be_within_both_probes(local: Any, endpoint: str, probe: str) -> None:
    never = {"environment_variables": {"FAKE_SCORING_NEVER_READY": "1"}}
    short = ProbeSettings(initial_delay=1, period=1, failure_threshold=2)
    with pytest.raises(HttpResponseError, match=f"{probe.capitalize()} probe failed") as caught:
        deploy(local, endpoint, model(local, GOOD), **never, **{f"{probe}_probe": short})
    assert f"{probe}_probe waits 3 s" in str(caught.value)
    log = local.ml.online_deployments.get_logs("blue", endpoint, lines=50)
    assert f"Name: {probe.capitalize()}ProbeFailed, Type: Warning" in log
    assert "UserContainerStart: InProgress" in log
    deploy(local, endpoint, model(local, GOOD), "green")
    log = local.ml.online_deployments.get_logs("green", endpoint, lines=50)
    assert "(serving.start_scale 10); liveness_probe waits 310 s, readiness_probe waits 310 s" in log
    assert log.index("Instance status:\nSystemSetup: Succeeded") < log.index("Container events:\nKind: Pod, Name: Star")
    assert "UserContainerStart: Succeeded" in log


def test_a_later_change_that_failed_can_be_made_again(local: Any, endpoint: str) -> None:
    given = model(local, GOOD)
    deploy(local, endpoint, given)
    with pytest.raises(HttpResponseError, match="probe failed"):
        deploy(local, endpoint, given, environment_variables={"FAKE_SCORING_CRASH": "1"})
    assert local.ml.online_deployments.get("blue", endpoint).provisioning_state == "Failed"
    deploy(local, endpoint, given, environment_variables={"A": "1"})
    assert local.ml.online_deployments.get("blue", endpoint).provisioning_state == "Succeeded"


@pytest.mark.slow
def test_after_a_change_that_failed_a_restart_serves_what_served(own: Any) -> None:
    own.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="kept-ep", auth_mode="key")).result()
    given = model(own, GOOD)
    deploy(own, "kept-ep", given)
    with pytest.raises(HttpResponseError, match="probe failed"):
        deploy(own, "kept-ep", given, environment_variables={"FAKE_SCORING_CRASH": "1"})
    own.emulated.down()
    own.emulated.up()
    key = own.ml.online_endpoints.get_keys("kept-ep").primary_key
    headers = {"Authorization": f"Bearer {key}", "azureml-model-deployment": "blue"}
    url = "https://kept-ep.eastus.inference.ml.azure.com/score"
    answer = requests.post(url, json={"input_data": {"input_string": ["hi"]}}, headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"codeConfiguration": {"codeId": "c", "scoringScript": "score.py"}}, "scoring code of its own"),
        ({"environmentId": "azureml:e:1"}, "has an environment of its own"),
        ({"scaleSettings": {"scaleType": "TargetUtilization"}}, "no autoscale"),
        ({"endpointComputeType": "Kubernetes"}, "managed deployments only"),
        ({"dataCollector": {"collections": {"request": {}}}}, "no data collection"),
        ({"livenessProbe": {"period": "10 s"}}, "'10 s' is not an ISO 8601 duration"),
        ({"instanceType": "Standard_Foo"}, "is not known to this catalog"),
        ({"instanceType": "Standard_ND96isr_MI300X_v5"}, "do not offer"),
        ({"model": 5}, "properties.model is 5; allowed is text"),
        ({"requestSettings": []}, "requestSettings is []; allowed is an object"),
        ({"environmentVariables": {"A": 1}}, "environmentVariables.A is 1; allowed is text"),
        (5, "must be a JSON object"),
    ],
)
def test_what_only_azure_has_is_refused(wire: Wire, endpoint: str, properties: Any, says: str) -> None:
    given = {"instanceType": SIZE, "model": "azureml:m:1", **properties} if isinstance(properties, dict) else properties
    answer = wire.put(f"onlineEndpoints/{endpoint}/deployments/blue", {"location": "eastus", "properties": given})
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("onlineEndpoints/odd-ep", {"properties": {"authMode": 5}}, "authMode is 5"),
        ("onlineEndpoints/odd-ep", {"properties": {"traffic": 5}}, "traffic is 5"),
        ("onlineEndpoints/odd-ep", {"identity": 5}, "identity is 5"),
        ("onlineEndpoints/odd-ep", {"sku": 5}, "sku is 5"),
        ("onlineEndpoints/odd-ep", {"properties": {"compute": "/x/aks"}}, "attached Kubernetes cluster"),
        ("computes/odd-cluster", {"properties": {"computeType": "ComputeInstance"}}, "is a compute instance"),
        ("computes/odd-cluster", {"properties": {"computeType": "Kubernetes"}}, "an attached Kubernetes cluster"),
        ("computes/odd-cluster", {"properties": {"computeType": []}}, "computeType is []"),
    ],
)
def test_odd_requests_are_refused_in_a_sentence(wire: Wire, path: str, body: Any, says: str) -> None:
    answer = wire.put(path, {"location": "eastus", **body})
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


def test_what_clients_ask_in_passing(wire: Wire, local: Any, endpoint: str) -> None:
    def ask(path: str, body: Any = None, base: str = wire.base) -> requests.Response:
        method = "GET" if body is None else "POST"
        return requests.request(method, base + path, json=body, headers=wire.headers, timeout=20)

    local.cluster()
    assert ask("computes/gpu-cluster/listNodes", {}).json() == {"computeType": "AmlCompute", "nodes": []}
    missing = ask("computes/nobodys")
    assert (missing.status_code, missing.content) == (404, b"")
    region = (
        f"{wire.base.partition('/resourceGroups')[0]}/providers/Microsoft.MachineLearningServices/locations/eastus/"
    )
    quotas = ask("quotas", base=region).json()["value"]
    assert {"StandardNCADSA100v4Family"} <= {each["name"]["value"] for each in quotas}
    sizes = {each["name"]: each for each in ask("vmSizes", base=region).json()["value"]}
    assert sizes["Standard_NV36ads_A10_v5"]["supportedComputeTypes"] == ["MIR"]
    assert sizes[SIZE]["supportedComputeTypes"] == ["AmlCompute", "ComputeInstance", "MIR"]
    assert [sizes[name]["lowPriorityCapable"] for name in (SIZE, "Standard_NC48ads_A100_v4")] == [True, False]
    deploy(local, endpoint, model(local, GOOD))
    blue = f"onlineEndpoints/{endpoint}/deployments/blue"
    assert ask(f"{blue}/skus").json()["value"][0]["capacity"]["maximum"] == 50
    wrong = ask(f"{blue}/getLogs", {"containerType": "Sidecar"})
    assert wrong.status_code == 400
    assert "not a valid enum value. Field: containerType. Allowed values: Inf" in wrong.json()["error"]["message"]
    assert ask(f"{blue}/getLogs", {"tail": "abc"}).status_code == 400
    assert "lies on this machine" in ask(f"{blue}/getLogs", {"containerType": "StorageInitializer"}).json()["content"]
    for name, mode in (("aad-ep", "AADToken"), ("aml-ep", "AMLToken")):
        wire.put(f"onlineEndpoints/{name}", {"location": "eastus", "properties": {"authMode": mode}})
        assert wire.wait(f"onlineEndpoints/{name}")["properties"]["authMode"] == mode
        assert ask(f"onlineEndpoints/{name}/listKeys", {}).json() == {"primaryKey": None, "secondaryKey": None}
        kept = wire.put(f"onlineEndpoints/{name}", {"location": "eastus", "properties": {"authMode": "Key"}})
        assert (kept.status_code, kept.json()["properties"]["authMode"]) == (201, mode)  # recorded so in 2022
        wire.wait(f"onlineEndpoints/{name}")
    assert ask("onlineEndpoints/aml-ep/token", {}).json()["tokenType"] == "Bearer"


def test_an_endpoint_says_what_is_done_to_it(wire: Wire) -> None:
    made = wire.put("onlineEndpoints/states-ep", {"location": "eastus", "properties": {"authMode": "Key"}})
    shown = made.json()["properties"]
    assert (made.status_code, shown["provisioningState"]) == (201, "Creating")
    assert shown["scoringUri"] is shown["swaggerUri"] is None
    assert "mfeOperationsStatus" in shown["properties"]["AzureAsyncOperationUri"]
    early = wire.deploy("states-ep", "blue")
    assert early.status_code == 400
    assert "because it is in Creating provisioning state" in early.json()["error"]["message"]
    assert wire.wait("onlineEndpoints/states-ep")["properties"]["scoringUri"].endswith("/score")
    again = wire.put("onlineEndpoints/states-ep", {"location": "eastus", "tags": {"a": "1"}})
    assert (again.status_code, again.json()["properties"]["provisioningState"]) == (201, "Updating")
    wire.wait("onlineEndpoints/states-ep")
    url = f"{wire.base}onlineEndpoints/states-ep"
    patched = requests.patch(url, json={"tags": {"b": "2"}}, headers=wire.headers, timeout=20)
    assert (patched.status_code, patched.json()["tags"]) == (200, {"b": "2"})
    refused = requests.patch(url, json={"properties": {"traffic": {}}}, headers=wire.headers, timeout=20)
    assert refused.status_code == 400


def places(schema: Any, path: tuple[str, ...] = ()) -> Any:
    """Yields the path of every key that a form describes."""
    for key, part in schema.get("properties", {}).items():
        yield (*path, key)
        yield from places(part, (*path, key))


ODD: list[Any] = [5, {"x": [5]}]


@pytest.mark.parametrize("kind", ["compute", "online_endpoint", "online_deployment"])
def test_no_odd_value_anywhere_is_a_crash(wire: Wire, endpoint: str, kind: str) -> None:
    inner = {"vmSize": "Standard_DS2_v2", "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 1}}
    path, good = {
        "compute": ("computes/fuzzed", {"computeType": "AmlCompute", "properties": inner}),
        "online_endpoint": ("onlineEndpoints/fuzzed-ep", {"authMode": "Key"}),
        "online_deployment": (
            f"onlineEndpoints/{endpoint}/deployments/fuzzed",
            {"instanceType": "Standard_DS2_v2", "model": "azureml:none:1"},  # which is refused last of all
        ),
    }[kind]
    seen, session = set(), requests.Session()
    session.headers.update(wire.headers)
    for place in places(form(kind).schema):
        for odd in ODD:
            body: dict[str, Any] = {"location": "eastus", "properties": json.loads(json.dumps(good))}
            within = body
            for step in place[:-1]:
                within = within.setdefault(step, {})
            within[place[-1]] = odd
            answer = session.put(wire.base + path, json=body, timeout=20)
            assert answer.status_code in (201, 400, 404), (place, odd, answer.text)
            seen.add(answer.status_code)
    assert 400 in seen
    if kind != "online_deployment":
        assert 201 in seen
        wire.wait(path)
