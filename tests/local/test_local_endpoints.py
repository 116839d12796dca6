"""Endpoints and deployments: keys, tokens, traffic, limits, and what happens when a model fails."""

from __future__ import annotations

import concurrent.futures
import json
import time

import psutil
import pytest
import requests
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint, OnlineRequestSettings
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tests.local.conftest import MODEL, SIZE


@pytest.fixture
def served(local):
    """An endpoint, and a function that deploys a model to it."""
    model = local.model()
    endpoint = ManagedOnlineEndpoint(name=local.name("ep"), auth_mode="key")
    local.ml.online_endpoints.begin_create_or_update(endpoint).result()

    def deploy(name="blue", **words):
        settings = {"request_timeout_ms": 5000, "max_concurrent_requests_per_instance": 1, **words.pop("settings", {})}
        words = {"model": model.id, "instance_type": SIZE, "instance_count": 1, **words}
        deployment = ManagedOnlineDeployment(
            name=name, endpoint_name=endpoint.name, request_settings=OnlineRequestSettings(**settings), **words
        )
        return local.ml.online_deployments.begin_create_or_update(deployment).result()

    local.deploy, local.endpoint = deploy, endpoint.name
    yield local
    local.ml.online_endpoints.begin_delete(name=endpoint.name).result()


def traffic(local, **shares):
    endpoint = local.ml.online_endpoints.get(local.endpoint)
    endpoint.traffic = shares
    return local.ml.online_endpoints.begin_create_or_update(endpoint).result()


def ask(local, key=None, deployment=None, body=None, **parameters):
    """Sends a scoring request without the SDK and returns the response."""
    headers = {"azureml-model-deployment": deployment} if deployment else {}
    key = local.ml.online_endpoints.get_keys(local.endpoint).primary_key if key is None else key
    if key:
        headers["Authorization"] = f"Bearer {key}"
    content = {"input_data": {"input_string": ["hi"], "parameters": parameters}} if body is None else body
    url = f"https://{local.endpoint}.eastus.inference.ml.azure.com/score"
    return requests.post(url, json=content, headers=headers, timeout=20)


def test_keys_are_checked_and_regenerated(served):
    served.deploy()
    traffic(served, blue=100)
    keys = served.ml.online_endpoints.get_keys(served.endpoint)
    assert ask(served, keys.primary_key).status_code == ask(served, keys.secondary_key).status_code == 200
    assert ask(served, "").status_code == ask(served, "wrong").status_code == 401
    served.ml.online_endpoints.begin_regenerate_keys(served.endpoint, key_type="primary").result()
    renewed = served.ml.online_endpoints.get_keys(served.endpoint)
    assert ask(served, keys.primary_key).status_code == 401
    assert ask(served, renewed.primary_key).status_code == 200
    assert renewed.secondary_key == keys.secondary_key


@pytest.mark.parametrize("mode", ["aml_token", "aad_token"])
def test_tokens_open_endpoints_of_their_mode(served, mode):
    endpoint = ManagedOnlineEndpoint(name=served.name("tok"), auth_mode=mode)
    served.ml.online_endpoints.begin_create_or_update(endpoint).result()
    deployment = ManagedOnlineDeployment(
        name="blue", endpoint_name=endpoint.name, model=served.model().id, instance_type=SIZE, instance_count=1
    )
    served.ml.online_deployments.begin_create_or_update(deployment).result()
    endpoint.traffic = {"blue": 100}
    served.ml.online_endpoints.begin_create_or_update(endpoint).result()
    # The deployment is named because the SDK keeps the name of an earlier call in the same process.
    words = {"endpoint_name": endpoint.name, "deployment_name": "blue", "request_file": served.request()}
    answer = served.ml.online_endpoints.invoke(**words)
    assert "hi" in json.loads(answer)["output"]
    key = served.ml.online_endpoints.get_keys(served.endpoint).primary_key
    url = f"https://{endpoint.name}.eastus.inference.ml.azure.com/score"
    assert requests.post(url, json={}, headers={"Authorization": f"Bearer {key}"}, timeout=20).status_code == 401
    served.ml.online_endpoints.begin_delete(name=endpoint.name).result()


def test_traffic_follows_its_weights(served):
    assert ask(served).status_code == 404  # no deployment, no traffic
    assert ask(served).text.startswith("No valid deployments to route to. Please check that the endpoint has at least")
    served.deploy("blue")
    served.deploy("green")
    assert ask(served).status_code == 404  # no traffic yet
    assert ask(served, deployment="green").status_code == 200
    assert ask(served, deployment="red").status_code == 404
    traffic(served, blue=70, green=30)
    key = served.ml.online_endpoints.get_keys(served.endpoint).primary_key
    seen = [ask(served, key).headers["azureml-model-deployment"] for _ in range(60)]
    assert 25 < seen.count("blue") < 57
    words = r"Can't delete deployment \[blue\] with non-zero traffic weight, Current traffic \[70\]"
    with pytest.raises(HttpResponseError, match=words) as caught:
        served.ml.online_deployments.begin_delete("blue", served.endpoint).result()
    assert caught.value.error.code == "InferencingClientCallFailed"
    traffic(served, blue=0, green=100)
    served.ml.online_deployments.begin_delete("blue", served.endpoint).result()
    assert {ask(served, key).headers["azureml-model-deployment"] for _ in range(5)} == {"green"}
    assert served.ml.online_endpoints.get(served.endpoint).traffic == {"green": 100}
    traffic(served, green=100)  # the map that was read can be sent again


def put_traffic(local, shares):
    """Sends traffic as the CLI does, which does not add it up; None is an endpoint without its traffic."""
    words = local.emulated.workspace
    path = f"/subscriptions/{words['subscription_id']}/resourceGroups/{words['resource_group']}"
    path += (
        f"/providers/Microsoft.MachineLearningServices/workspaces/{words['workspace']}/onlineEndpoints/{local.endpoint}"
    )
    token = local.ml._credential.get_token("https://management.azure.com/.default").token
    headers = {"Authorization": f"Bearer {token}"}
    properties = {"authMode": "Key"} if shares is None else {"authMode": "Key", "traffic": shares}
    body = {"location": "eastus", "properties": properties}
    return requests.put(
        f"https://management.azure.com{path}?api-version=2022-05-01", json=body, headers=headers, timeout=20
    )


def test_wrong_traffic_is_refused(served):
    served.deploy()
    for shares, words in (
        ({"blue": 90, "blu": 10}, "did you mean 'blue'"),
        ({"blue": 110}, "allowed is 0 to 100"),
        ({"nothing": 100}, "'nothing'"),
    ):
        answer = put_traffic(served, shares)
        assert answer.status_code == 400
        assert words in answer.json()["error"]["message"]
    served.deploy("green")
    assert "adds up to 110" in put_traffic(served, {"blue": 90, "green": 20}).json()["error"]["message"]
    assert "allowed is 0 or 100" in put_traffic(served, {"blue": 90}).json()["error"]["message"]


def test_an_endpoint_that_is_put_without_its_traffic_goes_dark(served):
    served.deploy()
    traffic(served, blue=100)
    assert ask(served).status_code == 200
    assert put_traffic(served, None).status_code == 201
    served.until(lambda: served.ml.online_endpoints.get(served.endpoint).provisioning_state == "Succeeded")
    assert not any(served.ml.online_endpoints.get(served.endpoint).traffic.values())
    assert ask(served).status_code == 404


def test_wrong_deployments_are_refused(served):
    def refused(**words):
        with pytest.raises(HttpResponseError) as caught:
            served.deploy(**words)
        return str(caught.value)

    workspace = served.deploy("fine").model.rpartition("/models/")[0]
    assert "nothing:1" in refused(model=f"{workspace}/models/nothing/versions/1")
    assert "did you mean" in refused(instance_type="Standard_NC24ads_A100_v5")
    assert "retired" in refused(instance_type="Standard_NC6s_v3")
    assert "do not offer" in refused(instance_type="Standard_ND96isr_H200_v5")
    assert "180000" in refused(settings={"request_timeout_ms": 900000})
    assert "1 to 50" in refused(instance_count=51)
    assert "base_models" in refused(model=MODEL)  # accepted, and its weights are not on this machine
    assert served.ml.online_deployments.get("blue", served.endpoint).provisioning_state == "Failed"


def test_names_of_endpoints_are_unique_in_a_region(served):
    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential

    from scripts.local import launcher
    from scripts.local.core.home import Home

    words = {**served.emulated.workspace, "workspace": "neighbours"}
    launcher.register(Home(served.emulated.home), words)
    other = MLClient(DefaultAzureCredential(), words["subscription_id"], words["resource_group"], "neighbours")
    with pytest.raises(HttpResponseError, match="There is already an endpoint with this name"):
        other.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=served.endpoint, auth_mode="key"))


def test_what_the_model_answers_comes_through(served):
    served.deploy(settings={"request_timeout_ms": 500})
    traffic(served, blue=100)
    good = ask(served)
    assert good.headers["server"] == "azureml-frontdoor"
    assert good.headers["x-ms-run-function-failed"] == "False"
    assert float(good.headers["x-ms-run-fn-exec-ms"]) > 0
    assert good.headers["x-request-id"]
    for status in (400, 405, 500):
        failing = ask(served, status=status)
        assert (failing.status_code, failing.json()["error"]["message"]) == (424, "boom")
        assert failing.headers["ms-azureml-model-error-statuscode"] == str(status)
        assert failing.headers["ms-azureml-model-error-reason"] == "model_error"
        assert failing.headers["x-ms-run-function-failed"] == "True"
    slow = ask(served, sleep=1)
    assert (slow.status_code, slow.text) == (408, "upstream request timeout")


def test_the_swagger_uri_is_not_the_scoring_uri(served):
    key = served.ml.online_endpoints.get_keys(served.endpoint).primary_key
    url = f"https://{served.endpoint}.eastus.inference.ml.azure.com/swagger.json"
    answer = requests.post(url, json={}, headers={"Authorization": f"Bearer {key}"}, timeout=20)
    assert answer.status_code == 424
    assert answer.headers["ms-azureml-model-error-statuscode"] == "405"


def test_too_many_requests_are_turned_away(served):
    served.deploy()
    traffic(served, blue=100)
    key = served.ml.online_endpoints.get_keys(served.endpoint).primary_key
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: ask(served, key, sleep=0.5), range(5)))
    assert sorted(each.status_code for each in answers) == [200, 200, 429, 429, 429]  # one at a time, one in the queue
    turned_away = next(each for each in answers if each.status_code == 429)
    assert turned_away.headers["ms-azureml-model-error-reason"] == "too_many_pending_request"
    assert (turned_away.text, turned_away.headers["content-type"]) == ("", "text/plain; charset=utf-8")


def test_a_server_that_dies_is_started_again(served):
    served.deploy()
    traffic(served, blue=100)
    ended = ask(served, exit=True)
    assert (ended.status_code, ended.headers["ms-azureml-model-error-statuscode"]) == (424, "502")
    served.until(lambda: ask(served).status_code == 200)


def test_an_update_replaces_the_server_only_when_it_must(served):
    def server():
        rows = [
            each
            for each in psutil.process_iter(["cmdline"])
            if str(served.emulated.home) in " ".join(each.info["cmdline"] or [])
        ]
        return {each.pid for each in rows if "tests.local.fakes.scoring" in each.info["cmdline"]}

    before = server()
    served.deploy()
    traffic(served, blue=100)
    first = server() - before
    served.deploy(tags={"a": "1"})
    assert server() - before == first
    served.deploy(environment_variables={"A": "1"})
    assert len(server() - before) == 1
    assert server() - before != first
    assert ask(served).status_code == 200


@pytest.mark.parametrize("variable", ["FAKE_SCORING_CRASH"])
def test_a_deployment_that_cannot_start_has_failed(served, variable):
    with pytest.raises(HttpResponseError, match="cannot import name") as caught:
        served.deploy(environment_variables={variable: "1"})
    assert caught.value.error.code == "BadArgument"
    assert served.ml.online_deployments.get("blue", served.endpoint).provisioning_state == "Failed"
    assert "cannot import name" in served.ml.online_deployments.get_logs("blue", served.endpoint, lines=5)
    with pytest.raises(HttpResponseError, match=r"\[blue\] failed during initial provisioning.*Delete and re-create"):
        served.deploy()
    served.ml.online_deployments.begin_delete("blue", served.endpoint).result()
    served.deploy()  # and it can be put right
    assert ask(served, deployment="blue").status_code == 200


def servers(local):
    """Returns the scoring servers of the emulator that serve, or start to serve, the endpoint."""
    found = psutil.Process(local.emulated.record["pid"]).children()
    return [each for each in found if local.endpoint in " ".join(each.cmdline())]


def test_a_deployment_that_is_put_many_times_at_once_has_one_server(served):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: served.deploy(environment_variables={"N": str(n)}), range(4)))
    served.until(lambda: len(servers(served)) == 1)
    assert ask(served, deployment="blue").status_code == 200


def test_deleting_an_endpoint_ends_what_only_starts(served):
    never = {"environment_variables": {"FAKE_SCORING_NEVER_READY": "1"}}
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        pending = [pool.submit(served.deploy, **never) for _ in range(2)]
        served.until(lambda: servers(served))
        poller = served.ml.online_endpoints.begin_delete(name=served.endpoint)
        with pytest.raises(HttpResponseError, match=r"in deleting provisioning state|was not found"):
            served.deploy("green")
        served.until(poller.done)
        assert servers(served) == []
        for each in pending:
            each.exception(10)  # both have ended, in whatever way
    with pytest.raises(ResourceNotFoundError):
        served.ml.online_endpoints.get(served.endpoint)


def test_deleting_an_endpoint_gives_its_memory_back(served):
    served.deploy()
    name = served.name("gone")
    served.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode="key")).result()
    served.ml.online_endpoints.begin_delete(name=name).result()
    with pytest.raises(ResourceNotFoundError):
        served.ml.online_endpoints.get(name)
    served.ml.online_deployments.begin_delete("blue", served.endpoint).result()
    time.sleep(0.1)
    children = psutil.Process(served.emulated.record["pid"]).children()
    assert not [each for each in children if served.endpoint in " ".join(each.cmdline())]
