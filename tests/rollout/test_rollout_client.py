"""A client that calls throughout a rollout, whatever the new model is like: no request fails, and the end is right."""

import time
from collections import Counter

import pytest

pytestmark = pytest.mark.slow
KINDS = {  # how the new model behaves, and which check says so
    "good": ({}, ""),
    "probe": ({"never_ready": True}, "likely probe (its container did not answer the probes in time"),
    "500": ({"status": 500}, "asked directly: errors: 1 of 1 questions got no answer (endpoint"),
    "nonsense": ({"says": "lorem ipsum dolor"}, "asked directly: answers: 0.00 of 1"),
    "slow": ({"sleep": 0.5}, "asked directly: latency: the median is"),
    "empty": ({"says": " "}, "asked directly: errors: 1 of 1 questions got no answer (the answer was empty)"),
}
IN_CI = ("good", "nonsense")


def throughout(place, client, kind, requests, *sets):
    """Rolls such a model out under clients who call throughout, three at a time: one place of four is left for us."""
    behaves, _ = KINDS[kind]
    made = place(*sets)
    first = made.model(**({"sleep": 0.25} if kind == "slow" else {})).rpartition(":")[2]
    assert made.deploy() == "" and made.there() == {"demo": (100, first)}
    callers, second = [client(made) for _ in range(3)], made.model(**behaves)
    sentence = made.deploy()
    while sum(each.count for each in callers) < requests:
        time.sleep(0.1)
    for each in callers:
        each.end()
    assert [each.failed for each in callers] == [[]] * 3
    answered = sum((each.answered for each in callers), Counter())
    print(f"{kind}: {answered.total()} requests, {dict(answered)}: {sentence}")
    if kind == "good":
        assert sentence == "" and made.there() == {"demo-2": (100, second.rpartition(":")[2])}
        assert answered["demo"] and answered["demo-2"]
        return
    stands = "Failed" if kind == "probe" else "Succeeded"
    assert {name: share for name, (share, _) in made.there().items()} == {"demo": 100, "demo-2": 0}
    assert made.client.online_deployments.get("demo-2", made.on).provisioning_state == stands
    assert set(answered) == {"demo"}
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
