"""Faults on purpose: each reaches the SDK as the failure that the cloud would give."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
import requests
from azure.ai.ml.entities import AmlCompute, ManagedOnlineDeployment, ManagedOnlineEndpoint
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from tests.local.conftest import SIZE


def test_compute_faults(local, fault):
    for name, words in (
        ("size-not-available", "not a supported VM size"),
        ("compute-provisioning-failed", "could not be provisioned"),
        ("offer-without-compute", "total vCPU quota of 0"),
    ):
        fault(name)
        poller = local.ml.compute.begin_create_or_update(AmlCompute(name="faulty", size=SIZE))
        with pytest.raises(HttpResponseError, match=words):
            poller.result()
        found = local.ml.compute.get("faulty")
        assert found.provisioning_state == "Failed"
        assert found.provisioning_errors in (
            "InvalidPropertyValue",
            "ClusterCreationFailed",
            "ClusterMinNodesExceedCoreQuota",
        )
    local.cluster("faulty")
    assert local.ml.compute.get("faulty").identity is None  # none was sent


def test_low_priority_after_dedicated_capacity_was_missing(local, fault):
    """What the reference notebook does: the same name again, with the other tier."""
    fault("dedicated-capacity-missing")
    name = local.name("c")[:20]

    def create(tier):
        compute = AmlCompute(name=name, size=SIZE, tier=tier, max_instances=2)
        local.ml.compute.begin_create_or_update(compute).wait()

    with pytest.raises(HttpResponseError, match="Allocation failed"):
        create("Dedicated")
    create("LowPriority")
    assert local.ml.compute.get(name).tier == "low_priority"


def test_an_empty_pool_of_low_priority_cores(local, fault):
    fault("low-priority-pool-empty")
    name = local.name("c")[:20]
    compute = AmlCompute(name=name, size=SIZE, tier="LowPriority", max_instances=2)
    with pytest.raises(HttpResponseError, match="total vCPU quota of 0 and cannot accomodate"):
        local.ml.compute.begin_create_or_update(compute).result()


@pytest.fixture
def deploy(local):
    """A function that deploys a model as `blue`; `deploy.endpoint` is where."""
    model, endpoint = local.model(), local.name("ep")
    local.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=endpoint, auth_mode="key")).result()
    words = {"endpoint_name": endpoint, "model": model.id, "instance_type": SIZE, "instance_count": 1}

    def run():
        return local.ml.online_deployments.begin_create_or_update(ManagedOnlineDeployment(name="blue", **words))

    run.endpoint = endpoint
    yield run
    local.ml.online_endpoints.begin_delete(endpoint).result()


def test_deployment_faults(local, fault, deploy):
    fault("quota-exceeded")
    with pytest.raises(HttpResponseError, match=r'"VmSize":\["Not enough quota.*Additional needed: 24 ') as caught:
        deploy().result()
    assert caught.value.error.details[0].code == "InferencingClientCreateDeploymentFailed"
    for name, code, words in (
        ("quota-found-late", "OutOfQuota", "CPU quota requested is 24 and"),
        ("acr-pull-denied", "BadArgument", "does not have pull permission"),
        ("image-build-timeout", "ResourceNotFound", "timeout while waiting for Environment Image"),
        ("image-build-failed", "ImageBuildFailure", "no Environment Image available"),
        ("probe-failed", "BadArgument", "Liveness probe failed: HTTP probe failed with statuscode: 502"),
    ):
        fault(name)
        with pytest.raises(HttpResponseError, match=words) as caught:
            deploy().result()
        assert caught.value.error.code == code
        assert "https://aka.ms/oe-tsg" in caught.value.error.message
        log = local.ml.online_deployments.get_logs("blue", deploy.endpoint, lines=5)
        assert log == "There are no logs for this deployment at the moment."
        local.ml.online_deployments.begin_delete("blue", deploy.endpoint).result()
    deploy().result()
    key = local.ml.online_endpoints.get_keys(deploy.endpoint).primary_key
    url = f"https://{deploy.endpoint}.eastus.inference.ml.azure.com/score"
    headers = {"Authorization": f"Bearer {key}", "azureml-model-deployment": "blue"}
    body = {"input_data": {"input_string": ["hi"]}}
    codes = []
    for name in ("too-many-requests", "score-forbidden"):
        fault(name)
        codes.append(requests.post(url, json=body, headers=headers, timeout=20).status_code)
    codes.append(requests.post(url, json=body, headers=headers, timeout=20).status_code)
    assert codes == [429, 403, 200]


def test_a_deployment_that_never_starts_is_ended_with_its_endpoint(local, fault, deploy):
    fault("deployment-never-starts")
    poller = deploy()
    local.until(lambda: local.ml.online_deployments.get("blue", deploy.endpoint).provisioning_state == "Creating")
    log = local.ml.online_deployments.get_logs("blue", deploy.endpoint, lines=5)
    assert log == "Deployment is in deleting or creating state so logs can't be retrieved."
    with pytest.raises(HttpResponseError, match="because it is in Creating provisioning state"):
        local.ml.online_deployments.begin_delete("blue", deploy.endpoint)
    local.ml.online_endpoints.begin_delete(deploy.endpoint).result()
    with pytest.raises(HttpResponseError, match="InternalServerError"):
        poller.result(10)


@pytest.mark.parametrize(("name", "words"), [("provider-not-registered", "SubscriptionNotRegistered"),
                                             ("endpoint-failed", "InternalServerError")])  # fmt: skip
def test_an_endpoint_that_failed_takes_nothing_until_it_is_made_anew(local, fault, name, words):
    fault(name)
    endpoint = ManagedOnlineEndpoint(name=local.name("ep"), auth_mode="key")
    with pytest.raises(HttpResponseError, match=words):
        local.ml.online_endpoints.begin_create_or_update(endpoint).result()
    found = local.ml.online_endpoints.get(endpoint.name)
    assert (found.provisioning_state, found.scoring_uri) == ("Failed", None)
    with pytest.raises(HttpResponseError, match="has not been created successfully or is in deleting"):
        local.ml.online_endpoints.begin_create_or_update(endpoint)
    local.ml.online_endpoints.begin_delete(endpoint.name).result()
    fault("endpoint-name-held")
    with pytest.raises(HttpResponseError, match="InferencingClientCallFailed") as caught:
        local.ml.online_endpoints.begin_create_or_update(endpoint)
    assert caught.value.status_code == 404
    local.ml.online_endpoints.begin_create_or_update(endpoint).result()
    local.ml.online_endpoints.begin_delete(endpoint.name).result()


def test_storage_faults(local, fault):
    from azure.ai.ml.entities import Data

    fault("storage-forbidden")
    with pytest.raises(Exception, match="KeyBasedAuthenticationNotPermitted"):
        local.ml.data.create_or_update(
            Data(name=local.name("rows"), version="1", path=str(local.rows(7)), type="uri_file")
        )


def test_a_fault_of_an_older_home_is_no_crash(local):
    (local.emulated.home / "faults.yaml").write_text("image-pull-failed: {}\n")
    try:
        local.cluster("older")
        done = subprocess.run(
            [sys.executable, "-m", "scripts.local", "fault"], capture_output=True, text=True, check=False
        )
    finally:
        (local.emulated.home / "faults.yaml").unlink()
    assert done.returncode != 0
    assert "there is no fault 'image-pull-failed'" in done.stderr


def test_a_fault_happens_at_least_once(local):
    for times in ("0", "-3", "x", "1.5"):
        command = [sys.executable, "-m", "scripts.local", "fault", "probe-failed", f"--times={times}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert f"{times!r} is not a whole number of at least 1" in done.stderr


def test_an_expired_token(local, fault):
    fault("expired-token")
    with pytest.raises(ClientAuthenticationError, match="expiry UTC time"):
        local.ml.compute.get("gpu-cluster")


@pytest.mark.slow
def test_a_slow_operation(local, fault):
    fault("slow-operation")
    begun = time.monotonic()
    local.cluster("slow")
    assert time.monotonic() - begun > 10


def test_the_quota_of_the_settings(own):
    own.emulated.down()
    quota = "quota: {families: {standardNCADSA100v4Family: 12}, low_priority_cores: 40, total_cores: 30, clusters: 2}"
    (own.emulated.home / "settings.yaml").write_text(f"{quota}\nserving: {{name_held_seconds: 60}}\n")
    own.emulated.up()

    def create(name, **words):
        return own.ml.compute.begin_create_or_update(AmlCompute(name=name, **{"size": SIZE, **words})).result()

    refused = "has a Standard NCADSA100v4 family vCPU quota of 12 and cannot accomodate for at least 1 requested"
    with pytest.raises(HttpResponseError, match=refused):
        create("dedicated")
    assert own.ml.compute.get("dedicated").provisioning_errors == "ClusterMinNodesExceedCoreQuota"
    assert create("low", tier="LowPriority", min_instances=1).tier == "low_priority"  # judged by the pool alone
    with pytest.raises(HttpResponseError, match="total vCPU quota of 40"):
        create("too-low", tier="LowPriority", min_instances=2, max_instances=2)
    with pytest.raises(HttpResponseError, match="exceeding quota limits"):
        create("fourth", size="Standard_DS2_v2")
    with pytest.raises(HttpResponseError, match="not a supported VM size"):  # managed endpoints only
        create("dedicated", size="Standard_NV36ads_A10_v5")
    usage = {(each.name["value"], each.type.split("/", 1)[1]): each for each in own.ml.compute.list_usage()}
    family = usage["StandardNCADSA100v4Family", "vmFamily/dedicatedCores/usages"]
    assert (family.limit, family.currentValue) == (12, 0)
    assert usage["StandardNCADSA100v4Family", "vmFamily/lowPriorityCores/usages"].limit == -1
    low = usage["TotalLowPriorityCores", "lowPriorityCores/usages"]
    assert (low.limit, low.currentValue) == (40, 24)
    assert usage["TotalDedicatedCores", "dedicatedCores/usages"].limit == 30
    assert usage["TotalClusters", "totalClusters/usages"].currentValue == 4
    endpoint = ManagedOnlineEndpoint(name="held-ep", auth_mode="key")
    own.ml.online_endpoints.begin_create_or_update(endpoint).result()
    own.ml.online_endpoints.begin_delete("held-ep").result()
    with pytest.raises(HttpResponseError, match="is still held by an endpoint that was deleted"):
        own.ml.online_endpoints.begin_create_or_update(endpoint)


def test_a_deployments_own_cores_are_no_hindrance_to_changing_it(own):
    own.emulated.down()
    (own.emulated.home / "settings.yaml").write_text("quota: {families: {standardNCADSA100v4Family: 24}}\n")
    own.emulated.up()
    own.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="full-ep", auth_mode="key")).result()
    words = {"endpoint_name": "full-ep", "model": own.model().id, "instance_type": SIZE, "instance_count": 1}
    for variables in ({}, {"A": "1"}):
        blue = ManagedOnlineDeployment(name="blue", environment_variables=variables, **words)
        own.ml.online_deployments.begin_create_or_update(blue).result()
    with pytest.raises(HttpResponseError, match=r"Current usage/limit: 24/24\. Additional needed: 24 "):
        own.ml.online_deployments.begin_create_or_update(ManagedOnlineDeployment(name="green", **words))


def test_long_running_operations_end_soon(local):
    begun = time.monotonic()
    local.cluster("quick")
    assert time.monotonic() - begun < 2  # clients poll after 50 ms, not after 30 s
