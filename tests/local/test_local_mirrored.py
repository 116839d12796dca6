"""Mirrored traffic: copies of a share of the requests, whose answers nobody gets, and which delay nobody."""

import concurrent.futures
import time

import pytest
from azure.core.exceptions import HttpResponseError

from tests.local import test_local_endpoints as endpoints
from tests.local.test_local_endpoints import ask

served = endpoints.served  # a fixture


def mirrored(served, share, **shares):
    endpoint = served.ml.online_endpoints.get(served.endpoint)
    endpoint.traffic, endpoint.mirror_traffic = shares, share
    return served.ml.online_endpoints.begin_create_or_update(endpoint).result()


def copies(served, deployment="green"):
    """How many copies came, as far as the deployment's log says, each with what it was answered."""
    log = served.ml.online_deployments.get_logs(deployment, served.endpoint, 5000)
    return [line.rpartition(" ")[2] for line in log.splitlines() if line.startswith("a mirrored request: ")]


def test_a_share_of_the_requests_is_copied_and_nobody_gets_the_answers(served):
    for name in ("blue", "green"):
        served.deploy(name, settings={"max_concurrent_requests_per_instance": 4})
    mirrored(served, {"green": 50}, blue=100)
    key = served.ml.online_endpoints.get_keys(served.endpoint).primary_key
    answers = [ask(served, key) for _ in range(60)]
    assert {answer.headers["azureml-model-deployment"] for answer in answers} == {"blue"}
    assert all(answer.status_code == 200 for answer in answers)
    served.until(lambda: len(copies(served)) > 15)
    time.sleep(0.3)
    count = len(copies(served))
    assert count < 45 and set(copies(served)) == {"200"} and copies(served, "blue") == []
    assert all(ask(served, key, "blue").status_code == 200 for _ in range(20))
    assert len(copies(served)) == count  # what names its deployment is not copied
    mirrored(served, {"green": 0}, blue=100)
    assert all(ask(served, key).status_code == 200 for _ in range(20)) and len(copies(served)) == count


def test_a_copy_delays_and_fails_nobody(served):
    """Every second request is copied to a deployment that takes none of them: the client notices nothing."""
    for name in ("blue", "green"):
        served.deploy(name)
    mirrored(served, {"green": 50}, blue=100)
    key, begun = served.ml.online_endpoints.get_keys(served.endpoint).primary_key, time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        hangs = [pool.submit(ask, served, key, "green", sleep=2) for _ in range(2)]  # all that it takes on
        time.sleep(0.5)
        answers = [ask(served, key) for _ in range(12)]
        assert [answer.status_code for answer in answers] == [200] * 12 and time.monotonic() - begun < 3
        assert [hang.result().status_code for hang in hangs] == [200, 200]
    assert "many" in copies(served)
    answers = [ask(served, key, status=500) for _ in range(4)]  # the copies fail as well
    assert {answer.status_code for answer in answers} == {424}


@pytest.mark.parametrize(
    ("share", "shares", "said"),
    [({"green": 10}, {"blue": 90, "green": 10}, "has live traffic and mirror traffic"),
     ({"red": 10}, {"blue": 100}, "which does not exist"), ({"green": 60}, {"blue": 100}, "at most 50")],
)  # fmt: skip
def test_wrong_copies_are_refused(served, share, shares, said):
    for name in ("blue", "green"):
        served.deploy(name)
    with pytest.raises(HttpResponseError, match=said):
        mirrored(served, share, **shares)


def test_a_mirrored_deployment_that_is_deleted_leaves_no_share(served):
    for name in ("blue", "green"):
        served.deploy(name)
    mirrored(served, {"green": 10}, blue=100)
    served.ml.online_deployments.begin_delete("green", served.endpoint).result()
    assert served.ml.online_endpoints.get(served.endpoint).mirror_traffic == {}
    assert ask(served).status_code == 200


def test_copies_take_no_place_of_a_request(served):
    """As when a rollout goes from copies to traffic: those that are still at work refuse nobody."""
    served.deploy("blue", settings={"max_concurrent_requests_per_instance": 8})
    served.deploy("green")
    mirrored(served, {"green": 50}, blue=100)
    key = served.ml.online_endpoints.get_keys(served.endpoint).primary_key
    with concurrent.futures.ThreadPoolExecutor(14) as pool:
        asked = [pool.submit(ask, served, key, sleep=2) for _ in range(14)]
        time.sleep(0.7)
        assert ask(served, key, "green").status_code == 200
        assert {each.result().status_code for each in asked} == {200}
    served.until(lambda: "many" in copies(served))  # so that all that green takes on were copies
