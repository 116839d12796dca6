"""The chain after a job that was cancelled, a job that failed, and things that were not made at first."""

import pytest

pytestmark = pytest.mark.slow


def test_a_job_is_cancelled_and_then_there_is_another(chain):
    chain.make("data", "compute", "ENV=demo")
    chain.make("finetune", "ENV=demo", "AGAIN=1", "WAIT=0")
    job = chain.job
    assert f"job {job}: Canceled" in chain.make("cancel", "ENV=demo")
    assert "there is nothing to cancel" in chain.make("cancel", "ENV=demo")
    assert f"job {job} is Canceled, not Completed" in chain.make("await", "ENV=demo", code=2)
    chain.make("finetune", "ENV=demo", "WAIT=0")
    assert chain.job != job
    chain.make("cancel", "ENV=demo", f"NAME={chain.job}")


def test_what_failed_at_first_is_made_again_by_the_same_command(chain):
    chain.make("data", "compute", "finetune", "register", "ENV=demo")
    for fault in ("compute-provisioning-failed", "probe-failed"):
        chain.make("local-fault", f"NAME={fault}")
    chain.az("compute", "delete", "-n", "gpu-cluster", "--yes")
    assert "compute gpu-cluster was not made" in chain.make("compute", "ENV=demo", code=2)
    shown = chain.make("deploy", "ENV=demo", "PREFLIGHT=warn", code=2)
    assert "Liveness probe failed" in shown and "make undeploy ENV=demo BACKEND=local deletes it" in shown
    for fault in ("compute-provisioning-failed", "probe-failed"):
        chain.make("local-fault", f"NAME={fault}", "CLEAR=1")
    assert "is in state Failed, which runs no job; it is deleted and made again" in chain.make("compute", "ENV=demo")
    assert "all traffic to demo" in chain.make("deploy", "ENV=demo")
    assert "nothing is billed" in chain.make("undeploy", "ENV=demo")


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
