"""Clusters and endpoints against the answers of the service: what failed, what is still going on, what is taken."""

from scripts.chain import cluster, endpoint
from scripts.errors import FAILED
from tests.chain.world import TAKEN, refused

FAILED_THEN_GONE = ({"out": '{"provisioning_state": "Failed"}'}, {"code": 3})


def test_a_cluster_is_made_once(world, capsys):
    cluster.ensure(world.run, "finetune")
    cluster.ensure(world.run, "finetune")
    assert world.calls() == ["compute create"]
    assert capsys.readouterr().out == "compute gpu-cluster\n" * 2


def test_a_cluster_that_is_there_otherwise_is_taken_and_said(world, capsys):
    world.thing(world.cluster, "Succeeded", size="STANDARD_NC4AS_T4_V3", max_instances=4, min_instances=0)
    cluster.ensure(world.run, "finetune")
    said = capsys.readouterr().out
    assert "not as pipelines/demo/compute.yml says: max_instances is 4, not 1;" in said
    assert world.calls() == []


def test_a_failed_cluster_is_said_and_made_again(world, capsys):
    world.thing(world.cluster, "Failed", provisioning_errors="ClusterMinNodesExceedCoreQuota: quota of 0")
    cluster.ensure(world.run, "finetune")
    assert world.calls() == ["compute delete", "compute create"]
    said = capsys.readouterr().out
    assert "is in state Failed" in said and "ClusterMinNodesExceedCoreQuota" in said


def test_a_cluster_that_is_failed_right_after_it_was_deleted_is_not_deleted_for_ever(world):
    failed, gone = FAILED_THEN_GONE
    world.thing(world.cluster, "Failed")
    world.say("compute show", failed, gone, failed, failed)
    code, said = refused(cluster.ensure, world.run, "finetune")
    assert code == FAILED and "is failed again right after it was deleted" in said
    assert world.calls() == ["compute delete"]


def test_a_cluster_that_goes_although_its_deletion_was_refused_is_made_again(world):
    world.thing(world.cluster, "Failed")
    world.say("compute delete", {"code": 1, "err": "ERROR: (Conflict) busy\n", "set": {world.cluster: None}})
    cluster.ensure(world.run, "finetune")
    assert world.calls() == ["compute delete", "compute create"]


def test_a_cluster_in_between_is_waited_for(world):
    world.thing(world.cluster, "Creating")
    creating = {"out": '{"provisioning_state": "Creating"}'}
    done = {world.cluster: {"provisioning_state": "Succeeded"}}
    world.say("compute show", creating, {**creating, "set": done})
    cluster.ensure(world.run, "finetune")
    assert world.calls() == []


def test_a_refused_cluster_says_how_to_go_on(world, capsys):
    world.say("compute create", {"code": 1, "err": "ERROR: (BadRequest) quota\n"})
    code, said = refused(cluster.ensure, world.run, "finetune")
    assert code == FAILED and "make compute ENV=demo" in said
    assert "(BadRequest) quota" in capsys.readouterr().err


def test_an_endpoint_that_was_never_made_is_made_again(world, capsys):
    world.thing(world.on, "Failed")
    endpoint.ensure(world.run)
    assert world.calls() == ["online-endpoint delete", "online-endpoint create"]
    assert "is in state Failed and serves nothing" in capsys.readouterr().out


def test_an_endpoint_that_serves_is_never_deleted(world, capsys):
    world.thing(world.on, "Failed")
    world.thing("deployment/other", "Succeeded")
    endpoint.ensure(world.run)
    assert world.calls() == []
    assert "it serves, so it is kept" in capsys.readouterr().out


def test_a_name_that_is_still_being_deleted_is_waited_for(world):
    world.thing(world.on, "Deleting")
    world.say("online-endpoint show", {"out": '{"provisioning_state": "Deleting"}'},
              {"out": '{"provisioning_state": "Deleting"}', "set": {world.on: None}})  # fmt: skip
    endpoint.ensure(world.run)
    assert world.calls() == ["online-endpoint create"]


def test_a_name_taken_in_the_region_names_the_value_to_change(world):
    world.say("online-endpoint create", {"code": 1, "err": TAKEN})
    code, said = refused(endpoint.ensure, world.run)
    assert (
        code == FAILED
        and "taken by another workspace" in said
        and "give endpoint.name (environments/demo.yaml:" in said
    )


def test_an_endpoint_that_is_failed_right_after_it_was_deleted_is_not_deleted_for_ever(world):
    failed, gone = FAILED_THEN_GONE
    world.thing(world.on, "Failed")
    world.say("online-endpoint show", failed, failed, gone, failed, failed)
    code, said = refused(endpoint.ensure, world.run)
    assert code == FAILED and "is failed again right after it was deleted" in said
    assert world.calls() == ["online-endpoint delete"]


def test_a_refused_endpoint_that_is_there_is_none_of_a_name_held_back(world):
    world.thing(world.on, "Failed")
    failed = {world.on: {"provisioning_state": "Failed"}}
    world.say("online-endpoint create", {"code": 1, "err": "ERROR: (Conflict) busy\n", "set": failed})
    code, said = refused(endpoint.ensure, world.run)
    assert code == FAILED and "was not created" in said and "held back" not in said
    assert world.calls() == ["online-endpoint delete", "online-endpoint create"]


def test_a_name_held_back_after_a_deletion_names_the_value_to_change(world):
    world.say(
        "online-endpoint create", {"code": 3, "err": "ERROR: (NotFound) InferencingClientCallFailed: Not Found\n"}
    )
    code, said = refused(endpoint.ensure, world.run)
    assert code == FAILED and "held back" in said and "endpoint.name" in said


def test_a_workspace_that_is_not_there_is_no_name_held_back(world):
    world.say("online-endpoint create", {"code": 3, "err": "ERROR: (ResourceNotFound) The Resource was not found.\n"})
    code, said = refused(endpoint.ensure, world.run)
    assert code == FAILED and "was not created" in said and "held back" not in said


def test_undeploy_waits_until_nothing_is_left(world, capsys):
    world.thing(world.on, "Succeeded")
    gone = {"out": '{"provisioning_state": "Deleting"}'}
    world.say("online-endpoint delete", {"set": {world.on: {"provisioning_state": "Deleting"}}})
    there = {"out": '{"provisioning_state": "Succeeded"}'}
    world.say("online-endpoint show", there, there, gone, {**gone, "set": {world.on: None}})
    endpoint.undeploy(world.run)
    said = capsys.readouterr().out
    assert "6 to 8 minutes" in said and said.endswith("nothing is billed\n")
    assert len(world.words("online-endpoint show")) == 5
    endpoint.undeploy(world.run)
    assert world.calls() == ["online-endpoint delete"]


def test_an_endpoint_that_goes_already_is_only_waited_for(world):
    gone = {"out": '{"provisioning_state": "Deleting"}'}
    world.thing(world.on, "Deleting")
    world.say("online-endpoint show", gone, gone, {**gone, "set": {world.on: None}})
    endpoint.undeploy(world.run)
    assert world.calls() == []


def test_an_endpoint_that_cannot_be_deleted_is_still_billed(world):
    world.thing(world.on, "Succeeded")
    world.say("online-endpoint delete", {"code": 1, "err": "ERROR: (ScopeLocked) The scope is locked.\n"})
    code, said = refused(endpoint.undeploy, world.run)
    assert code == FAILED and "billed until it is" in said
