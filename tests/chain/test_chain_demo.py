"""The demo's chain, whole, and the same commands again."""

import shutil

import pytest

MODEL = "SmolLM2-135M-Instruct-azureml-chat"
pytestmark = pytest.mark.slow


def test_the_demo_trains_serves_answers_and_leaves_nothing_billed(chain):
    shown = chain.make("all", "ENV=demo", "KEEP=1")
    assert "Completed" in shown
    assert "true answer:" in shown
    job = chain.job

    again = chain.make("all", "ENV=demo", "KEEP=1")  # nothing is prepared, trained or paid for twice
    assert chain.job == job
    assert chain.az("job", "list", "--query", "[].name", "-o", "tsv").split() == [job]
    assert "true answer:" in again

    made = chain.az("online-endpoint", "list", "--query", "[].name", "-o", "tsv").split()
    assert len(made) == 1
    for _ in range(2):
        assert f"no endpoint {made[0]}\n" in chain.make("undeploy", "ENV=demo")  # and no word of money
    assert chain.az("online-endpoint", "list", "--query", "[].name", "-o", "tsv") == ""
    assert versions(chain) == [["1", job]]

    chain.make("finetune", "ENV=demo", "AGAIN=1", "WAIT=0")  # another job, which is another version
    assert "make await ENV=demo waits for the job" in chain.make("register", "ENV=demo", code=2)
    for _ in range(2):
        shown = " ".join(chain.make("await", "register", "ENV=demo").split())
    assert f"model {MODEL}:2 is the one of job {chain.job} already" in shown
    assert versions(chain) == [["2", chain.job], ["1", job]]
    shutil.rmtree(chain.project / ".runs")  # the state may be lost: the workspace knows what belongs to what
    again = " ".join(chain.make("data", "compute", "finetune", "register", "ENV=demo").split())
    assert f"model {MODEL}:1 is the one of job {job} already" in again
    assert len(versions(chain)) == 2


def versions(chain):
    """Returns the model's versions, newest first, each with the job of its tag."""
    query = "[].[version, tags.job]"
    return [line.split() for line in chain.az("model", "list", "-n", MODEL, "--query", query, "-o", "tsv").splitlines()]
