"""A look at workspaces as Azure Resource Manager answers for them, in the forms that Microsoft's tests recorded."""

import time

import pytest

from scripts.status.look import look, serves
from scripts.status.seen import AZURE, Place
from tests.azure import fake_arm

PLACES = [Place(AZURE, fake_arm.SUBSCRIPTION, "g", name, "eastus", ("dev",)) for name in ("one", "two", "gone")]
WAYS = {
    "Command": ({"jobType": "Command", "computeId": "/subscriptions/s/computes/GPU-Cluster"}, True),
    "another": ({"jobType": "Command", "computeId": "/subscriptions/s/computes/cpu"}, False),
    "steps": ({"jobType": "Pipeline", "jobs": {"a": {"inputs": {"compute_finetune": {"value": "gpu-cluster"}}}}}, True),
    "other steps": ({"jobType": "Pipeline", "jobs": {"a": {"computeId": "/x/computes/cpu"}}}, False),
    "unknown steps": ({"jobType": "Pipeline"}, True),
}


def path(workspace, *kind):
    parts = ("providers/Microsoft.MachineLearningServices/workspaces", workspace, *kind)
    return "/".join((f"{fake_arm.ROOT}/resourceGroups/g", *parts))


def job(name, status, **properties):
    system = {"createdAt": "2026-11-20T08:00:00.123Z", "createdBy": "jane"}
    return {"name": name, "properties": {"status": status, "tags": {"a": None}, **properties}, "systemData": system}


def compute(name, kind="AmlCompute", provisioning="Succeeded", **inner):
    outer = {"createdOn": "2026-11-20T08:00:00+00:00", "computeType": kind, "provisioningState": provisioning}
    return {"name": name, "tags": None, "properties": {**outer, "properties": inner}}


CLUSTER = compute("gpu-cluster", vmSize="STANDARD_NC40ADS_H100_V5", vmPriority="LowPriority", currentNodeCount=2,
                  nodeStateCounts={"runningNodeCount": 1, "idleNodeCount": 1},
                  scaleSettings={"minNodeCount": 1, "maxNodeCount": 4})  # fmt: skip
MACHINES = [
    CLUSTER,
    compute("failed", provisioning="Failed", vmSize="Standard_D12", currentNodeCount=None),
    compute("jane", "ComputeInstance", vmSize="STANDARD_DS3_V2", state="Running"),
    compute("joe", "ComputeInstance", vmSize="STANDARD_DS3_V2", state="Stopped"),
    compute("k8s", "Kubernetes"),
]
ENDPOINT = {"name": "chat", "tags": {"ttl_hours": "24"}, "properties": {"provisioningState": "Succeeded", "traffic": {
    "blue": 90, "green": 10}, "mirrorTraffic": {}}, "systemData": {"createdAt": "2026-11-20T08:00:00Z"}}  # fmt: skip
BLUE = {"name": "blue", "tags": {}, "sku": {"capacity": 3}, "properties": {"instanceType": "Standard_DS3_v2", "model":
        "/subscriptions/s/resourceGroups/g/providers/p/workspaces/one/models/chat/versions/7", "provisioningState":
        "Failed", "endpointComputeType": "Managed"}, "systemData": {"createdAt": "2026-11-21T08:00:00Z"}}  # fmt: skip
NOTHING = {"value": []}
REFUSED = (403, {"error": {"code": "AuthorizationFailed", "message": "The client does not have authorization."}})


def answers(*jobs):
    return {
        path("one"): (200, {"location": "eastus"}),
        path("one", "onlineEndpoints"): (200, {"value": [ENDPOINT]}),
        path("one", "onlineEndpoints", "chat", "deployments"): (200, {"value": [BLUE]}),
        path("one", "jobs"): (200, {"value": list(jobs)}),
        path("one", "computes"): (200, {"value": MACHINES}),
        path("two"): (200, {}),
        path("two", "onlineEndpoints"): REFUSED,
    }


def test_what_is_there_and_what_cannot_be_asked():
    jobs = [job("runs", "Running", jobType="Pipeline"), job("ended", "Completed"), job("before", "Failed")]
    arm, table = fake_arm.arm(answers(*jobs))
    table.ahead = 7200
    one, two, gone = look(PLACES, arm)
    assert one.now == pytest.approx(time.time() + 7200, abs=5)  # the service's clock, not this machine's
    assert [(each.name, each.ended) for each in one.jobs] == [("runs", False), ("ended", True)]
    machines = {each.name: each for each in one.computes}
    assert {name: each.nodes for name, each in machines.items()} == {"gpu-cluster": 2, "failed": 0, "jane": 1, "joe": 0}
    assert machines["gpu-cluster"].size == "Standard_NC40ads_H100_v5" and machines["gpu-cluster"].low_priority
    assert {name: each.at_work for name, each in machines.items() if each.at_work} == {"gpu-cluster": 1}
    (chat,) = one.endpoints
    (blue,) = chat.deployments
    assert (blue.traffic, blue.instances, blue.model, blue.state) == (90, 3, "chat:7", "Failed")
    assert chat.since == blue.made > chat.made and chat.tags == {"ttl_hours": "24"}
    assert "does not have authorization" in two.error and gone.error == "there is no workspace gone in resource group g"
    assert all(len(query["api-version"]) == 1 for _, query in table.asked)


@pytest.mark.parametrize("way", WAYS)
def test_which_job_may_use_a_cluster(way):
    properties, uses = WAYS[way]
    for status in ("Running", "Queued", "CancelRequested", "Completed", "Canceled"):
        arm, _ = fake_arm.arm(answers(job("it", status, **properties)))
        cluster = next(each for each in look(PLACES[:1], arm)[0].computes if each.name == "gpu-cluster")
        assert bool(cluster.job) == (uses and status not in ("Completed", "Canceled")), status


def test_one_question_tells_whether_an_endpoint_serves():
    arm, table = fake_arm.arm({**answers(), path("one", "onlineEndpoints", "empty", "deployments"): (200, NOTHING)})
    assert [serves(PLACES[0], name, arm) for name in ("chat", "empty", "none")] == [True, False, False]
    assert len(table.asked) == 3
