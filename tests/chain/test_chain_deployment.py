"""Deployments against the answers of the service: what failed at first, what takes too long."""

import time

from scripts.chain import deployment
from scripts.errors import FAILED, WAITING
from tests.chain.world import BUSY, LOST, NO_PULL, UNRECOVERABLE, refused

MODEL = "SmolLM2-135M-Instruct-azureml-chat:1"


def test_a_deployment_gets_the_registered_version(registered):
    deployment.ensure(registered.run, MODEL, "demo")
    deployment.ensure(registered.run, MODEL, "demo")
    assert registered.calls() == ["online-deployment create", "online-deployment update"]
    assert "model=azureml:SmolLM2-135M-Instruct-azureml-chat:1" in registered.words("online-deployment create")[0]


def test_a_deployment_that_failed_at_first_is_deleted_and_made_again(registered, capsys):
    registered.say(
        "online-deployment create",
        {"code": 1, "err": "ERROR: (OutOfQuota) no\n", "set": {"deployment/demo": {"provisioning_state": "Failed"}}},
    )
    code, said = refused(deployment.ensure, registered.run, MODEL, "demo")
    assert code == FAILED and "make undeploy ENV=demo deletes it" in said
    printed = capsys.readouterr().err
    assert "log line" in printed and "(OutOfQuota) no" in printed

    registered.say("online-deployment update", {"code": 1, "err": UNRECOVERABLE})
    deployment.ensure(registered.run, MODEL, "demo")
    assert registered.calls()[1:] == [f"online-deployment {verb}" for verb in ("update", "delete", "create")]
    assert "failed when it was first made" in capsys.readouterr().out


def test_a_later_failed_update_is_only_updated_again(registered):
    registered.thing("deployment/demo", "Failed")  # Azure takes the update of one that was good once
    deployment.ensure(registered.run, MODEL, "demo")
    assert registered.calls() == ["online-deployment update"]


def test_traffic_is_taken_from_what_is_deleted(registered):
    registered.thing(registered.on, "Succeeded", traffic={"demo": 100})
    registered.thing("deployment/demo", "Failed")
    registered.say("online-deployment update", {"code": 1, "err": UNRECOVERABLE})
    deployment.ensure(registered.run, MODEL, "demo")
    assert registered.calls()[1:] == ["online-endpoint update", "online-deployment delete", "online-deployment create"]
    assert "demo=0" in registered.words("online-endpoint update")[0]


def test_an_endpoint_that_takes_no_deployment_is_made_again(registered):
    registered.say("online-deployment create", {"code": 1, "err": LOST})
    deployment.ensure(registered.run, MODEL, "demo")
    verbs = ["online-deployment create", "online-endpoint delete", "online-endpoint create", "online-deployment create"]
    assert registered.calls() == verbs


def test_an_endpoint_on_which_another_deployment_serves_is_not_made_again(registered):
    registered.thing("deployment/other", "Succeeded")
    registered.say("online-deployment create", {"code": 1, "err": LOST})
    assert refused(deployment.ensure, registered.run, MODEL, "demo")[0] == FAILED
    assert registered.calls() == ["online-deployment create"]


def test_a_deployment_that_goes_although_its_deletion_was_refused_is_waited_for(registered):
    """Somebody else deletes it at the same time."""
    registered.thing("deployment/demo", "Failed")
    registered.say("online-deployment update", {"code": 1, "err": UNRECOVERABLE})
    gone = {"deployment/demo": None}
    registered.say("online-deployment delete", {"code": 1, "err": "ERROR: (Conflict) busy\n", "set": gone})
    deployment.ensure(registered.run, MODEL, "demo")
    assert registered.calls() == [f"online-deployment {verb}" for verb in ("update", "delete", "create")]


def test_an_endpoint_that_is_changing_is_waited_for(registered):
    registered.say("online-deployment create", {"code": 1, "err": BUSY})
    deployment.ensure(registered.run, MODEL, "demo")
    assert registered.calls() == ["online-deployment create"] * 2


def test_a_role_that_had_not_arrived_is_given_one_more_try(registered, capsys):
    failed = {"code": 1, "err": NO_PULL, "set": {"deployment/demo": {"provisioning_state": "Failed"}}}
    registered.say("online-deployment create", failed)
    deployment.ensure(registered.run, MODEL, "demo")
    assert registered.calls() == [f"online-deployment {verb}" for verb in ("create", "delete", "create")]
    assert "a role seems not to have arrived yet" in capsys.readouterr().out
    registered.thing("deployment/demo", "Succeeded")
    registered.say("online-deployment update", {"code": 1, "err": NO_PULL}, {"code": 1, "err": NO_PULL})
    assert refused(deployment.ensure, registered.run, MODEL, "demo")[0] == FAILED
    assert registered.calls()[3:] == ["online-deployment update"] * 2


def test_a_deployment_in_between_is_waited_for(registered):
    registered.thing("deployment/demo", "Creating")
    creating = '[{"name": "demo", "provisioning_state": "Creating"}]'
    registered.say("online-deployment list", {"out": creating},
                   {"out": creating, "set": {"deployment/demo": {"provisioning_state": "Succeeded"}}})  # fmt: skip
    deployment.ensure(registered.run, MODEL, "demo")
    assert registered.calls() == ["online-deployment update"]


def test_what_takes_too_long_is_left_and_said(registered, capfd):
    registered.say("online-deployment create", {"seconds": 60})
    run = registered.with_values("waiting.deploy_minutes=0.05", "waiting.heartbeat_minutes=0.01")
    begun = time.monotonic()
    code, said = refused(deployment.ensure, run, MODEL, "demo")
    assert time.monotonic() - begun < 30
    assert code == WAITING and "waiting.deploy_minutes (--set: 0.05)" in said
    assert "may be there and billed; make deploy ENV=demo goes on with it" in said
    beats = [line for line in capfd.readouterr().err.splitlines() if line.startswith("deployment demo: not there yet")]
    assert beats and "DeploymentCapacity" in beats[0] and not any("DeploymentCapacity" in line for line in beats[1:])
