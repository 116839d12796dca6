"""What a failed chain leaves behind, found and deleted by the real Makefile, days later by the service's clock."""

import json

import pytest

from scripts.chain import standing
from scripts.chain.rendered import Rendered
from scripts.files import ROOT
from scripts.targets import COSTS
from tests.chain.conftest import Chain
from tests.conftest import enter
from tests.local.conftest import FAKES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    made = Chain(tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("home"), FAKES)
    (made.project / "tests").symlink_to(ROOT / "tests")
    yield made
    made.emulated.down()


def status(fast) -> dict:
    return json.loads(fast.make("status", "OUTPUT=json"))["backends"]["local"]


@pytest.fixture
def bills(fast, tmp_path, monkeypatch):
    """Returns the last line of a target that need not have used the endpoint, as on Azure: one look is taken."""
    monkeypatch.setattr(standing, "_LOOK_SECONDS", 100.0)  # others may be at work here, too

    def line() -> str:
        patch = enter(fast.emulated)
        patch.delenv(COSTS, raising=False)
        try:
            return standing.standing("promote", Rendered("demo"), tmp_path)
        finally:
            patch.undo()

    return line


def said(fast, *words, code=0) -> str:
    return " ".join(fast.make(*words, code=code).split())


def test_what_a_failed_chain_left_is_named_with_its_price_and_reaped(fast, bills):
    assert "the local Azure ML does not run, and nothing of it" in said(fast, "status")
    assert not (fast.home / "emulator.json").exists()  # to look starts nothing
    values = fast.project / "environments/demo.yaml"
    values.write_text(values.read_text().replace("\ncompute:\n", "\ncompute:\n  ttl_hours: 2\n"))
    fast.make("render", "ENV=demo")
    fast.local("fault", "probe-failed", "--times", "1")
    fast.make("all", "KEEP=1", "ENV=demo", code=2)
    fast.emulated.up()
    endpoint = next(each for each in status(fast)["workspaces"][0]["items"] if each["kind"] == "endpoint")
    assert endpoint["per_hour"] == 0.526 and endpoint["ends"] == "make undeploy ENV=demo"
    assert [(each["state"], each["traffic"]) for each in endpoint["deployments"]] == [("Failed", 0)]
    assert f" {endpoint['name']} bills 0.53 USD an hour (1 x Standard_NC4as_T4_v3) until make undeploy" in bills()
    shown = said(fast, "status")
    name = endpoint["name"]
    assert f"endpoint {name}: would bill 0.53 USD an hour on Azure" in shown
    idle = "nobody is sent to it, and it would bill 0.53 USD an hour on Azure"
    assert f"{idle}: make reap ENV=demo NAME={name}/demo deletes it" in shown
    assert shown.endswith("on Azure this would be 0.53 USD an hour; make undeploy ENV=demo ends it")
    assert "nothing is past its time to live" in said(fast, "reap", "YES=1")

    fast.local("clock", "30")
    assert "past its 4 h to live by 26 h 0 min: make reap ENV=demo deletes it" in said(fast, "status")
    listed = said(fast, "reap")
    assert f"endpoint {name}" in listed and "cluster gpu-cluster" in listed
    assert listed.endswith("nothing was deleted: make reap BACKEND=local YES=1 deletes it")
    with fast.training():
        fast.make("finetune", "ENV=demo", "WAIT=0", "AGAIN=1")
        reaped = said(fast, "reap", "YES=1")
        assert f"cluster gpu-cluster is past its time to live and kept: job {fast.job} may run on it" in reaped
        assert "deleted; on Azure that would save 0.53 USD an hour" in reaped
        running = status(fast)
        assert running["per_hour"] == {"USD": 0.526}  # of the node
        assert [each["name"] for each in running["workspaces"][0]["items"]] == ["gpu-cluster"]
        fast.make("cancel", "ENV=demo")
    assert "no cluster gpu-cluster" in said(fast, "reap", "YES=1")
    assert status(fast)["workspaces"][0]["items"] == []
    assert bills() == ""
    assert "nothing is past its time to live" in said(fast, "reap", "BACKEND=")  # both


def test_what_is_named_and_all_endpoints_of_ours_are_deleted_and_no_other(fast):
    fast.make("deploy", "ENV=demo")  # the model of the first story
    ours = next(each["name"] for each in status(fast)["workspaces"][0]["items"] if each["kind"] == "endpoint")
    model = "model=azureml:SmolLM2-135M-Instruct-azureml-chat:1"
    file = str(fast.project / "endpoints/demo/deployment.yml")
    fast.az("online-deployment", "create", "-f", file, "-n", "demo-2", "--set", model, "-o", "none")
    fast.az("online-endpoint", "create", "-n", "somebodys-own", "--auth-mode", "key", "-o", "none")
    shown = said(fast, "reap", f"NAME={ours}/demo-2", "YES=1")
    assert f"no deployment {ours}/demo-2 deleted; on Azure that would save 0.53 USD an hour" in shown
    refused = said(fast, "undeploy", "ALL=1", code=2)
    assert "nothing was deleted: make undeploy BACKEND=local ALL=1 YES=1 deletes it" in refused
    shown = said(fast, "undeploy", "ALL=1", "YES=1")
    assert f"no endpoint {ours}" in shown and "somebodys-own" not in shown
    there = [each["name"] for each in status(fast)["workspaces"][0]["items"]]
    assert "somebodys-own" in there and ours not in there
    fast.make("reap", "NAME=somebodys-own", "YES=1")
    assert status(fast)["workspaces"][0]["items"] == []
