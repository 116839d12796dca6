"""The chain after what was not made, cancelled or failed: the same command goes on. The bad day meets every fault."""

import pytest

pytestmark = pytest.mark.slow


def test_the_same_command_goes_on(chain):
    chain.make("local-fault", "NAME=compute-provisioning-failed")
    assert "compute gpu-cluster was not made" in chain.make("data", "compute", "ENV=demo", code=2)
    chain.make("local-fault", "NAME=compute-provisioning-failed", "CLEAR=1")
    assert "is in state Failed, which runs no job; it is deleted and made again" in chain.make("compute", "ENV=demo")

    chain.make("finetune", "ENV=demo", "WAIT=0")
    cancelled = chain.job
    assert f"job {cancelled}: Canceled" in chain.make("cancel", "ENV=demo")
    assert "there is nothing to cancel" in chain.make("cancel", "ENV=demo")
    assert f"job {cancelled} is Canceled, not Completed" in chain.make("await", "ENV=demo", code=2)

    chain.make("local-fault", "NAME=job-out-of-memory")
    shown = chain.make("finetune", "ENV=demo", code=2)
    failed = chain.job
    assert failed != cancelled
    assert f"job {failed} is Failed, not Completed" in shown
    assert "Traceback" not in shown
    chain.make("local-fault", "NAME=job-out-of-memory", "CLEAR=1")
    assert "Completed" in chain.make("finetune", "ENV=demo")
    assert chain.job not in (cancelled, failed)
