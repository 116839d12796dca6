"""A bad day: every fault on one project; the chain stops with a sentence, and the same command goes on from there.

Nothing is there twice afterwards. What only foretells a failure (quota, sizes) stops preflight until it is put right,
so PREFLIGHT=warn meets the failure itself.
"""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from scripts.local.core.faults import FAULTS

pytestmark = [pytest.mark.slow, pytest.mark.long]
MODEL = "SmolLM2-135M-Instruct-azureml-chat"
# Each fault, and what the sentence says with which the chain stops.
OF_A_CLUSTER = {
    "low-priority-pool-empty": "compute gpu-cluster was not made",
    "size-not-available": "compute gpu-cluster was not made",
    "compute-provisioning-failed": "compute gpu-cluster was not made",
    "dedicated-capacity-missing": "compute gpu-cluster was not made",
    "offer-without-compute": "compute gpu-cluster was not made",
}
OF_AN_ENDPOINT = {
    "endpoint-failed": "was not created",
    "endpoint-name-held": "is held back, as happens after a deletion",
    "provider-not-registered": "was not created",
    "quota-exceeded": "deployment demo failed",
    "quota-found-late": "deployment demo failed",
    "image-build-timeout": "deployment demo failed",
    "image-build-failed": "deployment demo failed",
    "probe-failed": "deployment demo failed",
}
OF_A_JOB = {
    "job-out-of-memory": "is Failed, not Completed",
    "data-access-denied": "is Failed, not Completed",
    "job-canceled": "is Canceled, not Completed",
}
OF_A_LATE_JOB = {"upload-time-out": "is Failed, not Completed", "job-output-empty": "no files"}
# With these the chain goes on, and says so where there is something to say.
OF_A_JOB_THAT_GOES_ON = {"preemption", "log-unreadable"}
OF_SCORING = {"score-forbidden", "too-many-requests"}
OF_REQUESTS = {"expired-token", "storage-forbidden", "slow-operation"}
OF_MAKE = re.compile(r"make(\[\d+\])?: ")  # numbered where a make runs in another
NEVER_STARTS = "SET=waiting.deploy_minutes=0.2"


class Day:
    """One project on one local Azure ML, with a model that is registered."""

    def __init__(self, chain):
        self.chain = chain

    def fault(self, name):
        """Sets a fault that happens once."""
        self.chain.local("fault", name, "--times", "1")

    def stops(self, *words):
        """Calls targets that stop, and returns the sentence, which is the last thing that they say."""
        shown = self.chain.make(*words, "ENV=demo", "PREFLIGHT=warn", code=2)
        assert "Traceback" not in shown, shown
        last = [line for line in shown.splitlines() if not OF_MAKE.match(line)][-1]
        assert last.startswith("error: "), shown
        return last

    def good(self, *words):
        """Calls targets that reach their end."""
        shown = self.chain.make(*words, "ENV=demo", "PREFLIGHT=warn")
        assert "Traceback" not in shown, shown
        return shown

    def whatever(self, *words):
        """Calls targets that reach their end, or stop with a sentence."""
        shown = self.chain.make(*words, "ENV=demo", "PREFLIGHT=warn", code=None)
        last = [line for line in shown.splitlines() if not OF_MAKE.match(line)][-1]
        good = not re.search(r"^make", shown, re.M) or last.startswith("error: ") or "answers now" in last
        assert "Traceback" not in shown and good, shown
        return shown

    def interrupted(self, *words, at="", after):
        """Calls targets, sends Ctrl-C some seconds after a line that holds `at`, and returns what they print."""
        process = subprocess.Popen(
            self.chain.words(*words, "ENV=demo", "PREFLIGHT=warn"), cwd=self.chain.project, text=True,
            env=self.chain.env, start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which a shell's & had ignored
        )  # fmt: skip
        shown = ""
        while at and at not in shown and (line := process.stdout.readline()):
            shown += line
        time.sleep(after)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        shown += process.stdout.read()
        process.wait()
        assert "Traceback" not in shown, shown
        return shown

    def names(self, *words, query="[].name"):
        return self.chain.az(*words, "--query", query, "-o", "tsv").split()

    def served(self):
        """Returns the deployments of the one endpoint that there is, with their states."""
        (endpoint,) = self.names("online-endpoint", "list")
        found = self.names("online-deployment", "list", "-e", endpoint, query="[].[name, provisioning_state]")
        return dict(zip(found[::2], found[1::2], strict=True))

    def versions(self):
        """Returns the jobs that versions of the model belong to."""
        return self.names("model", "list", "-n", MODEL, query="[].tags.job")


@pytest.fixture(scope="module")
def day(chain):
    made = Day(chain)
    made.good("data", "compute", "finetune", "register")
    return made


@pytest.fixture(autouse=True)
def no_fault_is_left(day):
    yield
    day.chain.local("fault", "--clear")


def test_every_fault_is_met():
    of_jobs = (OF_A_JOB, OF_A_LATE_JOB, OF_A_JOB_THAT_GOES_ON)
    alone = {"acr-pull-denied", "deployment-never-starts"}
    assert set().union(OF_A_CLUSTER, OF_AN_ENDPOINT, *of_jobs, OF_SCORING, OF_REQUESTS, alone) == set(FAULTS)


def test_a_cluster_that_is_refused_is_made_by_the_same_command(day):
    day.chain.az("compute", "delete", "-n", "gpu-cluster", "--yes")
    file = day.chain.project / "pipelines" / "demo" / "compute.yml"
    dedicated = file.read_text()
    for fault, said in OF_A_CLUSTER.items():
        day.fault(fault)
        low = fault == "low-priority-pool-empty"
        file.write_text(dedicated.replace("tier: dedicated", "tier: low_priority") if low else dedicated)
        assert said in day.stops("compute"), fault
    assert "it is deleted and made again" in day.good("compute")
    assert "compute gpu-cluster" in day.good("compute")
    assert day.names("compute", "list", query="[].[name, provisioning_state]") == ["gpu-cluster", "Succeeded"]


def test_an_endpoint_or_deployment_that_fails_is_made_by_the_same_command(day):
    for fault, said in OF_AN_ENDPOINT.items():
        day.fault(fault)
        assert said in day.stops("deploy"), fault
    day.fault("acr-pull-denied")
    assert "tried once more" in day.good("deploy")
    assert day.served() == {"demo": "Succeeded"}
    for fault in OF_SCORING:
        day.fault(fault)
        assert "answers now; the same command asks anew" in day.whatever("invoke") or fault == "too-many-requests"
        assert "true answer:" in day.good("invoke")
    day.fault("slow-operation")
    assert "may still be there and billed" in day.interrupted("undeploy", at="deleting endpoint", after=3)
    day.good("undeploy")
    assert day.names("online-endpoint", "list") == []


def test_a_deployment_that_never_starts_is_given_up_and_undeployed(day):
    day.fault("deployment-never-starts")
    assert "waiting.deploy_minutes" in day.stops("deploy", NEVER_STARTS)
    day.good("undeploy")
    assert day.names("online-endpoint", "list") == []


@pytest.mark.parametrize("fault", OF_A_JOB)
def test_a_job_that_fails_is_followed_by_one_other(day, fault):
    before = day.names("job", "list")
    day.fault(fault)
    assert OF_A_JOB[fault] in day.stops("finetune", "AGAIN=1")
    for _ in range(2):
        day.good("finetune", "WAIT=0")
    after = day.names("job", "list")
    assert len(after) == len(set(after)) == len(before) + 2
    day.good("cancel")


def test_a_job_that_loses_its_output_is_trained_anew(day):
    for fault in OF_A_LATE_JOB:
        day.fault(fault)
    assert OF_A_LATE_JOB["upload-time-out"] in day.stops("finetune", "AGAIN=1")
    assert "make finetune AGAIN=1 trains anew" in day.stops("finetune", "register")
    before = day.versions()
    for fault in OF_A_JOB_THAT_GOES_ON:
        day.fault(fault)
    day.good("finetune", "AGAIN=1")
    day.interrupted("register", after=4)
    for _ in range(2):
        day.good("register")
    assert sorted(day.versions()) == sorted([*before, day.chain.job])
    shutil.rmtree(day.chain.project / ".runs")
    day.good("data", "await", "register", f"NAME={day.versions()[0]}")
    assert len(day.versions()) == len(before) + 1


def test_requests_that_are_refused_once_leave_nothing_twice(day):
    before = day.versions(), day.names("job", "list"), day.names("data", "list", "-n", "azureml-chat-train")
    for target in ("data", "compute", "finetune", "register", "undeploy"):
        for fault in OF_REQUESTS - {"slow-operation"}:
            day.fault(fault)
        day.whatever(target)  # a client may ask again by itself
        day.good(target)
    after = day.versions(), day.names("job", "list"), day.names("data", "list", "-n", "azureml-chat-train")
    assert after == before
