"""The demo's chain, whole, with real training and serving, and the same command again."""

import pytest

pytestmark = pytest.mark.slow


def test_the_demo_trains_serves_answers_and_leaves_nothing_billed(chain):
    shown = chain.make("all", "ENV=demo", "KEEP=1")
    assert "Completed" in shown
    assert "true answer:" in shown
    job = chain.job
    (endpoint,) = chain.az("online-endpoint", "list", "--query", "[].name", "-o", "tsv").split()

    again = chain.make("all", "ENV=demo")  # nothing is prepared, trained or paid for twice
    assert chain.job == job
    assert chain.az("job", "list", "--query", "[].name", "-o", "tsv").split() == [job]
    assert "true answer:" in again
    for shown in (again, chain.make("undeploy", "ENV=demo")):
        assert shown.endswith(f"no endpoint {endpoint}\n")  # and no word of money
    assert chain.az("online-endpoint", "list", "--query", "[].name", "-o", "tsv") == ""
    assert chain.versions() == [["1", job]]
