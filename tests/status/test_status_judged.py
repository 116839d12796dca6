"""What is seen in a workspace, as it is judged and shown: prices, whose it is, time to live, and the command for it."""

import dataclasses
import json
import re
import shutil
from types import SimpleNamespace

import pytest

from scripts.errors import FAILED, UNREACHABLE, UserError
from scripts.files import ROOT
from scripts.status import __main__ as command
from scripts.status import reap, shown
from scripts.status.committed import read
from scripts.status.judged import judge, total
from scripts.status.seen import AZURE, LOCAL, Compute, Deployment, Endpoint, Job, Place, Seen
from scripts.status.shown import Workspace

NOW = 1_800_000_000.0
SIZE, PRICE = "Standard_NC40ads_H100_v5", 6.98
PLACE = Place(AZURE, "sub", "group", "my-workspace-dev", "eastus", ("dev", "prod"))


@pytest.fixture(scope="module")
def committed():
    found = read()
    assert not found.faults and {"dev", "prod"} < set(found.not_set_up)
    found.values = {name: found.values[name] for name in ("dev", "prod")}
    return found


def name_of(committed, environment="dev"):
    return next(iter(committed._names[environment]["endpoint"]))


def deployment(name="demo", hours=1.0, traffic=100, mirror=0, state="Succeeded", size=SIZE, instances=1):
    since, tags = NOW - hours * 3600, {"environment": "dev"}
    return Deployment(name, state, "Managed", size, instances, "chat:3", traffic, mirror, since, "jane", tags)


def endpoint(name, *deployments, hours=100.0, **tags):
    return Endpoint(name, "Succeeded", NOW - hours * 3600, "jane", tags, list(deployments))


def cluster(name="gpu-cluster", nodes=0, least=0, job="", hours=100.0, kind="AmlCompute", low=False, **tags):
    return Compute(name, kind, "Succeeded", SIZE, low, nodes, least, 4, NOW - hours * 3600, tags, job)


def items_of(committed, *things, place=PLACE):
    kinds = {Endpoint: [], Compute: [], Job: []}
    for each in things:
        kinds[type(each)].append(each)
    seen = Seen(place, NOW, kinds[Endpoint], kinds[Compute], kinds[Job])
    return seen, judge(seen, committed)


def text_of(committed, *things, place=PLACE):
    seen, items = items_of(committed, *things, place=place)
    lines = shown.text({place.backend: [Workspace(seen, items)]}, committed).splitlines()
    assert max(map(len, lines)) <= 80
    return " ".join(" ".join(lines).split())


@pytest.mark.parametrize(("what", "thing", "machines", "per_hour"), [
    ("two slots", lambda name: endpoint(name, deployment(), deployment("b", traffic=0, instances=2)), 3, 3 * PRICE),
    ("an endpoint alone", lambda name: endpoint(name), 0, 0.0),
    ("on Kubernetes", lambda name: endpoint(name, dataclasses.replace(deployment(), kind="Kubernetes")), 0, 0.0),
    ("a size without a price", lambda name: endpoint(name, deployment(), deployment("b", size="Standard_X9")), 2, None),
    ("one that failed", lambda name: endpoint(name, deployment(state="Failed", traffic=0)), 1, PRICE),
    ("an idle cluster", lambda name: cluster(), 0, 0.0),
    ("a cluster that keeps nodes", lambda name: cluster(nodes=2, least=2), 2, 2 * PRICE),
    ("a person's machine", lambda name: cluster("jane", 1, kind="ComputeInstance"), 1, PRICE),
])  # fmt: skip
def test_what_things_bill(committed, what, thing, machines, per_hour):
    (item,) = items_of(committed, thing(name_of(committed)))[1]
    assert item.machines == machines and item.bills == bool(machines), what
    assert per_hour is item.per_hour is None or item.per_hour == pytest.approx(per_hour)


@pytest.mark.parametrize(("tag", "old", "created", "past", "left"), [
    ("24", 23, 500, False, 1), ("24", 25, 500, True, -1), ("0.5", 1, 1, True, -0.5), (None, 9999, 9999, False, None),
    ("soon", 9999, 9999, False, None), ("0", 9, 9, False, None), ("1e308", 9, 9, False, None),
    ("nan", 9, 9, False, None), ("-3", 9, 9, False, None),
])  # fmt: skip
def test_an_endpoint_lives_from_the_newest_of_its_deployments(committed, tag, old, created, past, left):
    tags = {} if tag is None else {"ttl_hours": tag}
    on = endpoint(name_of(committed), deployment("old", 400), deployment("new", old), hours=created, **tags)
    (item,) = items_of(committed, on)[1]
    assert item.is_past == past and (left is item.hours_left is None or item.hours_left == pytest.approx(left))
    assert reap.past([item]) == (([item], []) if past else ([], []))
    told = text_of(committed, on)
    assert ("make reap ENV=dev deletes it" in told) == past
    assert ("which is no number of hours, and counts for nothing" in told) == (item.ttl_fault != "")
    assert (item.ttl_fault != "") == (tag is not None and left is None)
    leaving = dataclasses.replace(on, state="Deleting")
    assert not items_of(committed, leaving)[1][0].is_past


def test_an_empty_endpoint_lives_from_when_it_was_made(committed):
    on = endpoint(name_of(committed), hours=30, ttl_hours="24")
    assert items_of(committed, on)[1][0].hours_left == pytest.approx(-6)


def test_a_cluster_with_a_job_is_kept(committed):
    job = Job("train-1", "Running", False, NOW - 60, "jane", {"environment": "prod"})
    busy = cluster(nodes=1, job="train-1", ttl_hours="1")
    doomed, kept = reap.past(items_of(committed, busy, job)[1])
    assert doomed == [] and "cluster gpu-cluster is past its time to live and kept: job train-1" in kept[0]
    told = text_of(committed, busy, job)
    assert "deletes it, once job train-1 has ended" in told
    assert "make cancel ENV=prod BACKEND" not in told and "make cancel ENV=prod NAME=train-1 ends it" in told
    with pytest.raises(UserError, match="job train-1 may run on it"):
        reap.named(items_of(committed, busy)[1], "gpu-cluster")


def test_what_no_yaml_names_is_said_with_its_price_and_its_end(committed):
    told = text_of(committed, endpoint("try-it", deployment("blue")), endpoint(name_of(committed), deployment()))
    assert "endpoint try-it: bills 6.98 USD an hour" in told
    assert "in no committed YAML: make reap ENV=dev NAME=try-it ends it" in told
    assert "billed on Azure: 13.96 USD an hour; the commands above end it" in told
    machine = cluster("jane", 1, kind="ComputeInstance")
    told = text_of(committed, endpoint("before", deployment(), environment="prod"), machine)
    assert "in no committed YAML: make reap ENV=prod NAME=before ends it" in told
    assert "in no committed YAML: az ml compute stop -n jane -g group -w my-workspace-dev ends it" in told
    assert "in no committed YAML" not in text_of(committed, cluster(), endpoint("empty"))


def test_a_deployment_that_nobody_is_sent_to_is_named_but_no_candidate(committed):
    name = name_of(committed)
    for share, mirror, state, idle in (
        (0, 0, "Succeeded", True), (0, 10, "Succeeded", False), (1, 0, "Succeeded", False), (0, 0, "Creating", False),
        (0, 0, "Failed", True),
    ):  # fmt: skip
        on = endpoint(name, deployment(), deployment("demo-2", traffic=share, mirror=mirror, state=state))
        assert (f"make reap ENV=dev NAME={name}/demo-2 deletes it" in text_of(committed, on)) == idle
        items = items_of(committed, on)[1]
        if idle:
            assert [each.name for each in reap.named(items, f"{name}/demo-2")] == [f"{name}/demo-2"]
        else:
            with pytest.raises(UserError, match="is sent requests, or changes"):
                reap.named(items, f"{name}/demo-2")


@pytest.mark.parametrize(("things", "last"), [
    ((), "billed on Azure: nothing"),
    ((("dev",),), "billed on Azure: 6.98 USD an hour; make undeploy ENV=dev ends it"),
    ((("dev", "prod"),), "billed on Azure: 13.96 USD an hour; make undeploy BACKEND=azure ALL=1 ends it"),
])  # fmt: skip
def test_the_last_line_is_what_is_billed_and_what_ends_it(committed, things, last):
    on = [endpoint(name_of(committed, each), deployment()) for group in things for each in group]
    assert text_of(committed, *on).endswith(last)


def test_what_cannot_be_asked_is_no_zero(committed):
    seen = Seen(PLACE, error="not logged in to Azure: log in")
    told = shown.text({AZURE: [Workspace(seen, [])], LOCAL: "it does not run"}, committed)
    assert "not logged in to Azure" in told and told.endswith("billed on Azure: not known, as above")
    both = [Workspace(seen, []), Workspace(*items_of(committed, endpoint(name_of(committed), deployment())))]
    told = " ".join(shown.text({AZURE: both}, committed).split())
    assert told.endswith("6.98 USD an hour; make undeploy ENV=dev ends it; what could not be asked may bill, too")


def test_on_localhost_nothing_is_billed(committed):
    place = dataclasses.replace(PLACE, backend=LOCAL)
    assert text_of(committed, cluster(), place=place).endswith("nothing is billed, and on Azure nothing would be")
    odd = endpoint("e", deployment(size="Standard_X9"))
    assert "on Azure this would be an amount that is not known here;" in text_of(committed, odd, place=place)
    told = text_of(committed, endpoint(name_of(committed), deployment(hours=10)), place=place)
    assert "would bill 6.98 USD an hour on Azure, 69.80 USD so far" in told
    assert told.endswith("on Azure this would be 6.98 USD an hour; make undeploy ENV=dev BACKEND=local ends it")


def test_commit_and_who_are_of_the_tags(committed):
    commit = "0123456789abcdef0123456789abcdef01234567"
    told = text_of(committed, endpoint(name_of(committed), deployment(), commit=commit, by="ci@github"))
    assert ", by ci@github, commit 0123456789" in told and "0123456789a" not in told


def test_a_name_in_two_workspaces_is_asked_for_again(committed):
    other = dataclasses.replace(PLACE, workspace="my-workspace-prod", environments=("prod",))
    items = [*items_of(committed, cluster())[1], *items_of(committed, cluster(), place=other)[1]]
    with pytest.raises(UserError, match=r"is in my-workspace-dev .azure. and my-workspace-prod .azure.; say which"):
        reap.named(items, "gpu-cluster")
    with pytest.raises(UserError, match="did you mean 'gpu-cluster'"):
        reap.named(items[:1], "gpu-clster")


def test_what_is_deleted_is_agreed_to_first(committed, capsys, monkeypatch):
    items = items_of(committed, endpoint(name_of(committed), deployment()))[1]
    assert not reap.agreed(items, False, "make undeploy ALL=1")  # nobody can be asked
    assert capsys.readouterr().out.endswith("nothing was deleted: make undeploy ALL=1 YES=1 deletes it\n")
    for answer, told in (("y\n", True), ("\n", False), ("no\n", False)):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True, readline=lambda answer=answer: answer))
        assert reap.agreed(items, False, "") == told
    assert [each.name for each in reap.ours([*items, *items_of(committed, endpoint("theirs"))[1]])] == [items[0].name]


def test_a_program_reads_the_same(committed):
    seen, items = items_of(committed, endpoint(name_of(committed), deployment(), ttl_hours="0.5"), cluster(nodes=1))
    found = json.loads(shown.as_json({AZURE: [Workspace(seen, items)]}, committed))["backends"][AZURE]
    on, machines = found["workspaces"][0]["items"]
    assert (on["kind"], on["per_hour"], on["is_past"], on["in_yaml"]) == ("endpoint", PRICE, True, True)
    assert on["deployments"][0]["model"] == "chat:3" and machines["nodes"] == 1
    assert found["per_hour"] == total(items) == {"USD": 13.96}


def test_a_persons_machine_and_nodes_at_work_are_kept_and_said(committed):
    jane = cluster("jane", 1, kind="ComputeInstance", ttl_hours="1")
    busy = dataclasses.replace(cluster(nodes=2, ttl_hours="1"), at_work=2)  # for a job that nobody lists any more
    items = items_of(committed, jane, busy)[1]
    doomed, kept = reap.past(items)
    assert doomed == [] and "kept: it is a person's machine; az ml compute stop -n jane" in kept[0]
    assert "kept: 2 of its nodes are at work" in kept[1]
    told = text_of(committed, jane, busy)
    assert "deletes it" not in told and "and kept: 2 of its nodes are at work" in told
    with pytest.raises(UserError, match="2 of its nodes are at work"):
        reap.named(items, "gpu-cluster")


def test_an_endpoint_and_a_cluster_of_one_name_are_told_apart(committed):
    items = items_of(committed, endpoint("gpu-cluster"), cluster())[1]
    with pytest.raises(UserError, match="NAME=endpoint:gpu-cluster and NAME=cluster:gpu-cluster"):
        reap.named(items, "gpu-cluster")
    assert [each.kind for each in reap.named(items, "cluster:gpu-cluster")] == ["cluster"]


def test_what_others_wrote_gives_no_order_and_no_line(committed):
    tags = {"by": "a\nbilled on Azure: nothing\x1b[2J", "commit": "x\u202e" * 200}
    on = endpoint(name_of(committed), dataclasses.replace(deployment(), by="\ud800"), **tags)
    seen, items = items_of(committed, on, Job("j\x1bc", "Running", False, NOW, "\x9b31m", tags))
    found = {AZURE: [Workspace(seen, items)]}
    for told in (shown.text(found, committed), shown.as_json(found, committed)):
        assert told.encode() and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", told)
    assert json.loads(told) and "\nbilled" not in shown.text(found, committed).rpartition("\n")[0]


@pytest.mark.parametrize(("things", "faults", "last"), [
    ([endpoint("e", deployment(size="Standard_X9"))], [], "an amount that is not known here; make reap ENV=dev NAME=e"),
    ([], ["environments/prod.yaml: is no YAML"], "billed on Azure: not known, as above"),
    ([dataclasses.replace(endpoint("e", deployment()), state="Deleting")], [], "6.98 USD an hour until it is deleted"),
])  # fmt: skip
def test_the_last_line_promises_nothing(committed, things, faults, last):
    told = text_of(dataclasses.replace(committed, faults=faults), *things)
    assert last in told[told.rindex("billed on Azure") :]


def test_what_is_wrong_with_one_environment_hinders_no_other(tmp_path):
    for name in ("values.yaml", "values.schema.json", "environments", "endpoints", "pipelines"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, tmp_path / name)
    (tmp_path / "environments/demo.yaml").write_text("azure: [")
    (tmp_path / "environments/reference.yaml").write_text("azure: {workspace: null}")
    (tmp_path / "environments/prod.lock.yaml").write_text("sizes: 3\n")
    shutil.rmtree(tmp_path / "endpoints/prod")
    found = read(root=tmp_path)
    assert sorted(found.values) == ["dev", "prod"]
    told = text_of(found, endpoint("chat", deployment(), environment="prod"))
    assert "note: environments/demo.yaml" in told
    assert "note: environments/reference.yaml: azure.workspace: not there; make validate ENV=reference" in told
    assert told.count("note: environments/prod.lock.yaml") == 1
    assert "endpoint chat: bills an amount that is not known here" in told


def test_environments_that_share_a_workspace_are_asked_once_and_know_each_other(tmp_path):
    found = read("dev")
    for each in found.values.values():
        each.data["azure"] = dict.fromkeys(each.data["azure"], "shared")
    found.values["dev"].data["azure"] |= {"resource_group": "SHARED", "region": "West Europe"}  # as Azure compares them
    (place,) = found.places(AZURE)
    assert set(place.environments) == set(found.values) and found.not_set_up == []
    both = [endpoint(name_of(found, name), deployment()) for name in ("dev", "prod")]
    items = items_of(found, *both, place=place)[1]
    assert all(each.in_yaml for each in items)
    assert [each.environment for each in reap.ours(items, "dev")] == ["dev"]
    assert [each.environment for each in reap.ours(items)] == ["dev", "prod"]


@pytest.mark.parametrize(("verb", "things", "faults", "code", "told"), [
    ("reap", [], [], 0, "nothing is past its time to live\n"),
    ("reap", [cluster(job="train-1", ttl_hours="1")], [], 0, "job train-1 may run on it nothing was deleted\n"),
    ("reap", [], ["environments/dev.yaml: is no YAML"], UNREACHABLE, "time to live of what could be asked\n"),
    ("reap", [cluster(ttl_hours="1")], [], 0, "nothing was deleted: make reap YES=1 deletes it\n"),
    ("undeploy", [endpoint("theirs", environment="dev")], [], 0, "no environment has an endpoint\n"),
    ("undeploy", [cluster(ttl_hours="1")], [], 0, "no environment has an endpoint\n"),
    ("undeploy", [endpoint("old", environment="dev", seal="")], [], FAILED, "BACKEND=azure ALL=1 YES=1 deletes it\n"),
])  # fmt: skip
def test_what_is_not_deleted_is_said(committed, capsys, monkeypatch, verb, things, faults, code, told):
    monkeypatch.setattr("sys.stdin", None)
    backend = "azure" if verb == "undeploy" else None
    options = SimpleNamespace(verb=verb, name="", env=None, backend=backend, yes=False, az="")
    assert command._delete({AZURE: [Workspace(*items_of(committed, *things))]}, faults, options) == code
    out, err = capsys.readouterr()
    assert " ".join(out.split()).endswith(told.strip()) and [f"error: {each}" for each in faults] == err.splitlines()
