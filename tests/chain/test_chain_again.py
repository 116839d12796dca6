"""The chain after what was not made, cancelled, failed, lost or killed: the same command goes on.

The bad day meets every fault, and test_chain_killed.py kills everything.
"""

import shutil

import pytest

from tests.chain.test_chain_killed import assert_nothing_is_there_twice, kill

pytestmark = pytest.mark.slow
MODEL = "SmolLM2-135M-Instruct-azureml-chat"


def test_the_same_command_goes_on(fast):
    fast.make("local-fault", "NAME=compute-provisioning-failed")
    assert "compute gpu-cluster was not made" in fast.make("data", "compute", "ENV=demo", code=2)
    fast.make("local-fault", "NAME=compute-provisioning-failed", "CLEAR=1")
    shown = " ".join(fast.make("compute", "ENV=demo").split())
    assert "is in state Failed, which runs no job; it is deleted and made again" in shown

    with fast.training():
        fast.make("finetune", "ENV=demo", "WAIT=0")
        cancelled = fast.job
        assert f"job {cancelled}: Canceled" in fast.make("cancel", "ENV=demo")
    assert "there is nothing to cancel" in fast.make("cancel", "ENV=demo")
    assert f"job {cancelled} is Canceled, not Completed" in fast.make("await", "ENV=demo", code=2)

    fast.local("fault", "job-out-of-memory", "--times", "1")
    shown = fast.make("finetune", "ENV=demo", code=2)
    failed = fast.job
    assert failed != cancelled
    assert f"job {failed} is Failed, not Completed" in shown
    assert "Traceback" not in shown
    assert "Completed" in fast.make("finetune", "register", "ENV=demo")
    job = fast.job
    assert job not in (cancelled, failed)
    assert fast.versions() == [["1", job]]

    with fast.training():
        # The name is there before the job, which is being made then.
        assert kill(fast, ("finetune", "AGAIN=1"), None, 60, when=lambda: fast.job != job)
        fast.make("finetune", "ENV=demo", "WAIT=0")  # one repeat is enough: another job, which is another version
        assert "make await ENV=demo waits for the job" in fast.make("register", "ENV=demo", code=2)
    for _ in range(2):
        shown = " ".join(fast.make("await", "register", "ENV=demo").split())
    assert f"model {MODEL}:2 is the one of job {fast.job} already" in shown
    assert fast.versions() == [["2", fast.job], ["1", job]]
    shutil.rmtree(fast.project / ".runs")  # the state may be lost: the workspace knows what belongs to what
    again = " ".join(fast.make("data", "compute", "finetune", "register", "ENV=demo").split())
    assert f"model {MODEL}:1 is the one of job {job} already" in again
    assert len(fast.versions()) == 2
    assert_nothing_is_there_twice(fast)
