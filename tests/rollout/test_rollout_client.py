"""A client that calls throughout a rollout, whatever the new model is like: no request fails, and the end is right."""

import pytest

KINDS = {  # how the new model behaves, and which check says so
    "good": ({}, ""),
    "probe": ({"never_ready": True}, "likely probe"),
    "500": ({"status": 500}, "errors: 1 of 1 questions got no answer (endpoint"),
    "slow": ({"sleep": 0.8}, "latency: the median is"),
    "nonsense": ({"says": "lorem ipsum dolor"}, "answers: 0.00 of 1"),
    "empty": ({"says": " "}, "errors: 1 of 1 questions got no answer (the answer was empty)"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_request_fails(place, client, kind, capfd):
    behaves, said = KINDS[kind]
    made = place()
    first = made.model(**({"sleep": 0.3} if kind == "slow" else {}))
    assert made.deploy() == ""
    assert made.there() == {"demo": (100, first.rpartition(":")[2])}
    caller, second = client(made), made.model(**behaves)
    capfd.readouterr()
    sentence = made.deploy()
    shown = capfd.readouterr()
    caller.end()
    assert caller.failed == [] and caller.count > 5
    if kind == "good":
        assert sentence == "" and made.there() == {"demo-2": (100, second.rpartition(":")[2])}
        assert caller.answered["demo"] and caller.answered["demo-2"]
        assert "with 50 % of the traffic: 6 questions, 0 errors, median" in " ".join(shown.out.split())
        assert made.deploy() == "" and "nothing is rolled out" in capfd.readouterr().out
        return
    assert said in sentence and sentence.count("\n") == 0
    assert f"{second} was not rolled out: " in sentence and "demo has all traffic" in sentence
    assert sentence.endswith(
        "deployment demo-2 stands beside demo; make deploy ENV=demo goes on with it, make rollback ENV=demo deletes "
        "it and gives demo all traffic"
    )
    assert {name: share for name, (share, _) in made.there().items()} == {"demo": 100, "demo-2": 0}
    assert set(caller.answered) == {"demo"}
    assert made.rolled("rollback") == "" and made.there() == {"demo": (100, first.rpartition(":")[2])}
