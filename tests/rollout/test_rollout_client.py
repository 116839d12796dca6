"""A client that calls throughout a rollout, whatever the new model is like: no request fails, and the end is right."""

import time

import pytest

pytestmark = pytest.mark.slow
KINDS = {  # how the new model behaves, and which check says so
    "good": ({}, ""),
    "probe": ({"never_ready": True}, "likely probe (its container did not answer the probes in time"),
    "500": ({"status": 500}, "asked directly: errors: 1 of 1 questions got no answer (endpoint"),
    "nonsense": ({"says": "lorem ipsum dolor"}, "asked directly: answers: 0.00 of 1"),
    "slow": ({"sleep": 0.6}, "asked directly: latency: the median is"),
    "empty": ({"says": " "}, "asked directly: errors: 1 of 1 questions got no answer (the answer was empty)"),
}
IN_CI = ("good", "probe", "nonsense")


def throughout(place, client, kind, requests, *sets):
    """Rolls such a model out under a client; returns the error's sentence, empty where it was good."""
    behaves, _ = KINDS[kind]
    made = place(*sets)
    first = made.model(**({"sleep": 0.3} if kind == "slow" else {})).rpartition(":")[2]
    assert made.deploy() == "" and made.there() == {"demo": (100, first)}
    caller, second = client(made), made.model(**behaves)
    sentence = made.deploy()
    while caller.count < requests:
        time.sleep(0.1)
    caller.end()
    assert caller.failed == [] and caller.count >= requests
    if kind == "good":
        assert sentence == "" and made.there() == {"demo-2": (100, second.rpartition(":")[2])}
        assert caller.answered["demo"] and caller.answered["demo-2"]
        return
    stands = "Failed" if kind == "probe" else "Succeeded"
    assert {name: share for name, (share, _) in made.there().items()} == {"demo": 100, "demo-2": 0}
    assert made.client.online_deployments.get("demo-2", made.on).provisioning_state == stands
    assert set(caller.answered) == {"demo"}
    assert KINDS[kind][1] in sentence and "\n" not in sentence
    assert sentence.startswith(f"{second} was not rolled out: ") and sentence.endswith(
        "; demo has all traffic; deployment demo-2 stands beside demo; make deploy ENV=demo goes on with it, make "
        "rollback ENV=demo deletes it and gives demo all traffic"
    )
    assert made.rolled("rollback") == "" and made.there() == {"demo": (100, first)}


@pytest.mark.parametrize("kind", IN_CI)
def test_no_request_fails(place, client, kind):
    throughout(place, client, kind, 20)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_none_of_a_thousand_requests_fails(place, client, kind):
    throughout(place, client, kind, 1000, "deployment.rollout.watch_minutes=0.05")
