"""The demo's chain, whole, again, and after a job that failed."""

import pytest

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
        assert "nothing is billed" in chain.make("undeploy", "ENV=demo")
    assert chain.az("online-endpoint", "list", "--query", "[].name", "-o", "tsv") == ""
    model = "SmolLM2-135M-Instruct-azureml-chat"
    assert chain.az("model", "show", "-n", model, "-v", job, "--query", "type", "-o", "tsv") == "mlflow_model"


def test_a_failed_job_is_said_and_the_next_try_is_another_job(chain):
    chain.make("data", "compute", "ENV=demo")
    chain.make("local-fault", "NAME=job-out-of-memory")
    shown = chain.make("finetune", "ENV=demo", "AGAIN=1", code=2)
    job = chain.job
    assert f"job {job} is Failed, not Completed" in shown
    assert "Traceback" not in shown
    chain.make("local-fault", "NAME=job-out-of-memory", "CLEAR=1")
    assert "Completed" in chain.make("finetune", "ENV=demo")
    assert chain.job != job
