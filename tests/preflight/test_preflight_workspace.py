"""The checks of a workspace, on plain answers: quota to the core, clusters, the registry, the region."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from scripts.azure import chat_models, component, machine_sizes
from scripts.azure.machine_sizes import Size
from scripts.errors import CouldNotAskError
from scripts.preflight import checklist
from scripts.preflight import quota as quota_module
from scripts.preflight.finding import FAIL, PASS, SKIPPED, WARN, Finding
from tests.preflight.conftest import SCALES, made
from tests.preflight.live_answers import FAMILY, asked, finding, has

A100, T4 = "Standard_NC24ads_A100_v4", "Standard_NC4as_T4_v3"
CLUSTER = {"name": "gpu-cluster", "type": "amlcompute", "state": "Succeeded", "errors": "", "size": A100,
           "tier": "dedicated", "min": 0, "max": 1}  # fmt: skip


@pytest.mark.parametrize(
    ("used", "limit", "status"), [(0, 24, PASS), (0, 23, FAIL), (76, 100, PASS), (77, 100, FAIL), (100, 100, FAIL)]
)
def test_training_needs_its_cores_of_the_family(used: int, limit: int, status: str) -> None:
    found = finding("quota-training", "reference", quota={FAMILY: (used, limit)})
    has(found, status, "1 x 24 = 24 cores of StandardNCADSA100v4Family", f"{used} of {limit} in use ({FAMILY})")


def test_every_node_and_the_nodes_that_are_kept_count() -> None:
    nodes = ("finetune.num_nodes_finetune=2", "compute.max_instances=4")
    has(finding("quota-training", "reference", *nodes, quota={FAMILY: (0, 48)}), PASS, "2 x 24 = 48")
    has(finding("quota-training", "reference", *nodes, quota={FAMILY: (0, 47)}), FAIL)
    has(
        finding("quota-training", "reference", *nodes, "compute.min_instances=3", quota={FAMILY: (0, 80)}),
        PASS,
        "3 x 24 = 72",
    )


def test_the_region_total_counts_too() -> None:
    for name in ("TotalDedicatedCores", "Total Cluster Dedicated Regional vCPUs"):
        found = finding("quota-training", "reference", quota={FAMILY: (0, 100), name: (90, 100)})
        has(found, FAIL, f"90 of 100 in use ({name})")


@pytest.mark.parametrize(
    ("change", "status"),
    [({"min": 1}, PASS), ({"min": 0}, FAIL), ({"min": 1, "size": T4}, FAIL), ({"min": 1, "tier": "low_priority"}, FAIL),
     ({"min": 1, "size": A100.upper()}, PASS)],
)  # fmt: skip
def test_nodes_that_the_cluster_keeps_are_held_already(change: dict[str, Any], status: str) -> None:
    has(finding("quota-training", "reference", quota={FAMILY: (90, 100)}, there={**CLUSTER, **change}), status)


def test_no_entry_of_the_family_is_no_verdict() -> None:
    with pytest.raises(CouldNotAskError, match="StandardNCADSA100v4Family"):
        finding("quota-training", "reference", quota={})
    bare = {name: dataclasses.replace(size, family="") for name, size in machine_sizes.catalog().items()}
    has(finding("quota-training", "reference", sizes=bare), PASS)  # the catalog knows the family
    has(finding("quota-training", "reference", sizes={}), PASS)
    has(finding("quota-training", "reference", "compute.size=Standard_NC24ad_A100_v4"), SKIPPED, "nothing is known")
    has(finding("quota-serving", "reference", "deployment.instance_type=Standard_X"), SKIPPED, "nothing is known")


@pytest.mark.parametrize(("used", "status"), [(76, PASS), (77, FAIL)])
def test_low_priority_draws_on_the_pool_alone(used: int, status: str) -> None:
    quota = {FAMILY: (0, 0), "TotalLowPriorityCores": (used, 100)}
    has(finding("quota-training", "reference", "compute.tier=low_priority", quota=quota), status, f"{used} of 100")
    has(finding("quota-training", "reference", "compute.tier=low_priority"), SKIPPED, "no entry for low priority")


@pytest.mark.parametrize(
    ("allowed", "spare", "way"),
    [(True, 76, "set compute.tier to low_priority"), (True, 77, "ask for more"), (True, None, "set compute.tier to"),
     (False, 0, "ask for more")],
)  # fmt: skip
def test_low_priority_is_offered_where_it_is_allowed_and_has_room(allowed: bool, spare: int | None, way: str) -> None:
    pool = {} if spare is None else {"TotalLowPriorityCores": (spare, 100)}
    sets = [f"compute.low_priority_allowed={str(allowed).lower()}"]
    found = finding("quota-training", "reference", *sets, quota={FAMILY: (0, 0), **pool})
    assert found.status == FAIL
    assert found.todo.startswith(way)


T4_FAMILY = "Standard NCASv3_T4 Family"


@pytest.mark.parametrize(
    ("instances", "used", "limit", "status"),
    [(1, 0, 8, PASS), (1, 0, 7, FAIL), (2, 0, 12, PASS), (2, 0, 11, FAIL), (5, 4, 28, PASS), (5, 5, 28, FAIL)],
)
def test_serving_needs_its_cores_and_the_reserve(instances: int, used: int, limit: int, status: str) -> None:
    sets = (f"deployment.instance_count={instances}", "compute.tier=low_priority")
    found = finding("quota-serving", "demo", *sets, quota={T4_FAMILY: (used, limit)})
    has(found, status, f"ceil(1.2 x {instances}) x 4 = ")


def test_autoscaling_needs_the_cores_of_the_most_machines() -> None:
    for limit, status in ((72, PASS), (71, FAIL)):
        found = finding("quota-serving", "reference", SCALES, "compute.tier=low_priority", quota={FAMILY: (0, limit)})
        has(found, status, "3 x 24 = 72 cores")


def test_sizes_that_are_exempt_have_no_reserve() -> None:
    has(
        finding("quota-serving", "reference", "deployment.instance_count=2", quota={FAMILY: (0, 100)}),
        PASS,
        "2 x 24 = 48 cores",
    )


ONE = {"size": A100, "instances": 1}


@pytest.mark.parametrize(
    ("limit", "deployed", "beside", "status"),
    [(48, ONE, None, PASS), (48, {"size": A100.lower(), "instances": 1}, None, PASS),
     (47, ONE, None, WARN),  # what serves stands, but nothing new can be rolled out beside it
     (24, ONE, None, WARN), (23, ONE, None, FAIL), (24, ONE, ONE, PASS),  # a rollout under way is counted already
     (47, {"size": T4, "instances": 9}, None, FAIL), (47, None, None, FAIL)],
)  # fmt: skip
def test_what_serves_counts_once_and_a_rollout_needs_as_much_beside_it(
    limit: int, deployed: dict[str, Any] | None, beside: dict[str, Any] | None, status: str
) -> None:
    sets, quota = ("compute.tier=low_priority",), {FAMILY: (24, limit)}
    found = finding("quota-serving", "reference", *sets, quota=quota, deployed=deployed, beside=beside)
    has(found, status)
    if status == WARN:
        assert "nothing new can be rolled out beside it" in found.sentence and "undeploy" in found.todo
    offered = quota_module.beside(asked("reference", *sets, quota=quota, deployed=deployed))
    assert offered.status == (PASS if limit >= 48 else FAIL)


@pytest.mark.parametrize(
    ("limit", "sets", "status"),
    [
        (48, [], PASS), (47, [], WARN), (47, ["compute.tier=low_priority"], PASS), (24, [f"compute.size={T4}"], PASS),
        (71, ["finetune.num_nodes_finetune=2"], WARN), (72, ["finetune.num_nodes_finetune=2"], PASS),
        (24, ["compute.size=Standard_X"], PASS),
    ],
)  # fmt: skip
def test_training_beside_the_endpoint_is_a_warning_where_both_share_a_family(
    limit: int, sets: list[str], status: str
) -> None:
    has(finding("quota-serving", "reference", *sets, quota={FAMILY: (0, limit)}), status, "1 x 24 = 24 cores")


def test_training_beside_the_endpoint_takes_of_the_regions_total_whatever_its_family() -> None:
    for sets, total, status in (
        ([], 48, PASS), ([], 47, WARN), (["compute.tier=low_priority"], 47, PASS),
        ([f"compute.size={T4}"], 28, PASS), ([f"compute.size={T4}"], 27, WARN),
    ):  # fmt: skip
        quota = {FAMILY: (0, 100), "TotalDedicatedCores": (0, total)}
        has(finding("quota-serving", "reference", *sets, quota=quota), status)


@pytest.mark.parametrize(("limit", "status"), [(48, PASS), (47, WARN)])
def test_training_beside_an_endpoint_that_is_there_counts_its_cores_once(limit: int, status: str) -> None:
    there = {"size": A100, "instances": 1}
    has(finding("quota-serving", "reference", quota={FAMILY: (24, limit)}, deployed=there), status)


@pytest.mark.parametrize(
    ("change", "sets", "status", "words"),
    [
        ({}, [], PASS, "at most 1 nodes, Succeeded"),
        ({"type": "computeinstance"}, [], FAIL, "is a computeinstance, not a cluster"),
        ({"state": "Failed", "errors": "no cores"}, [], FAIL, "is in state Failed: no cores"),
        ({"state": "failed"}, ["compute.low_priority_allowed=true"], FAIL, "go on with compute.tier: low_priority"),
        ({"state": "Failed", "tier": "low_priority"}, ["compute.low_priority_allowed=true"], FAIL,
         "or give compute.name another name"),
        ({"size": T4}, [], FAIL, f"has size {T4}, the values say {A100}"),
        ({"size": A100.upper()}, [], PASS, ""),
        ({"max": 1}, ["finetune.num_nodes_finetune=2"], FAIL, "az ml compute update -n gpu-cluster --max-instances 2"),
        ({"max": 2}, ["finetune.num_nodes_finetune=2"], PASS, "at most 2"),
        ({"tier": "low_priority"}, [], WARN, "is low_priority, the values say dedicated"),
        ({"tier": "lowpriority"}, ["compute.tier=low_priority"], PASS, ""),
    ],
)  # fmt: skip
def test_an_existing_cluster(change: dict[str, Any], sets: list[str], status: str, words: str) -> None:
    found = finding("cluster", "reference", *sets, there={**CLUSTER, **change})
    has(found, status, words)
    if change.get("tier") == "low_priority" and status == FAIL:
        assert "go on with" not in found.todo


def test_no_cluster_is_made_by_make_compute() -> None:
    has(finding("cluster", "reference"), PASS, f"make compute ENV=reference creates it with {A100}")


def test_a_model_that_the_registry_has_or_not() -> None:
    catalog = chat_models.catalog()
    phi, phi_4 = catalog["Phi-3-mini-4k-instruct"], catalog["Phi-4"]
    has(finding("model-exists", "reference", models={"15": phi}), PASS, "azureml has Phi-3-mini-4k-instruct version 15")
    has(finding("model-exists", "reference", models={None: phi}), FAIL, 'take version "15"')
    has(finding("model-exists", "reference"), FAIL, "mind its spelling")
    archived = dataclasses.replace(phi_4, archived=True)
    has(finding("model-exists", "prod", models={"8": archived}), WARN, "has archived Phi-4 since")
    has(
        finding("model-exists", "reference", models={"15": dataclasses.replace(phi, archived=True)}), PASS
    )  # known to be
    has(finding("model-exists", "demo"), SKIPPED, "fetches it from the hub")


def test_drift_is_of_the_model_or_the_component() -> None:
    phi_4 = chat_models.catalog()["Phi-4"]
    has(finding("drift", "prod", models={None: phi_4}), PASS)
    newer = dataclasses.replace(phi_4, version="9")
    has(finding("drift", "prod", models={None: newer}), WARN, "Phi-4 9 (pinned 8)", "make lock ENV=prod")
    has(finding("drift", "demo", models={None: newer}), PASS)
    other = dataclasses.replace(component.catalog(), version="0.0.83")
    has(
        finding("drift", "prod", models={None: newer}, newest=other),
        WARN,
        "Phi-4 9 (pinned 8) and chat_completion_pipeline 0.0.83",
    )
    has(finding("drift", "prod", newest=None), PASS)


def test_sizes_that_the_region_offers() -> None:
    has(finding("sizes-in-region", "reference"), PASS, f"eastus offers {A100}")
    has(finding("sizes-in-region", "reference", f"deployment.instance_type={T4}"), PASS, f"{A100} and {T4}")
    without = {name: size for name, size in machine_sizes.catalog().items() if size.name != A100}
    has(
        finding("sizes-in-region", "reference", sizes=without),
        FAIL,
        f"does not offer {A100}",
        "did you mean 'Standard_NC",
    )
    other = {**machine_sizes.catalog(), A100.lower(): Size(A100, 2, 24, 220)}
    has(finding("sizes-in-region", "reference", sizes=other), FAIL, "has 2 GPUs in eastus, the lock or catalog says 1")
    offered = {**machine_sizes.catalog(), "standard_new_v9": Size("Standard_New_v9", 2, 24, 220)}
    has(finding("sizes-in-region", "reference", "compute.size=Standard_New_v9", sizes=offered), PASS)


def test_the_region_of_the_values() -> None:
    has(finding("region", "reference", region="EastUS"), PASS)
    has(finding("region", "reference", region="westus"), WARN, "eastus, but the workspace is in westus", "write westus")


def test_a_check_that_could_not_ask_is_skipped_and_says_so() -> None:
    results = {each.check: each for each in checklist.run(asked("reference", quota={}))}
    unasked = results["quota-training"]
    assert unasked.unasked
    assert unasked.finding.status == SKIPPED
    assert "no entry for family" in unasked.finding.sentence
    assert not results["cluster"].unasked
    offline = {each.check: each for each in checklist.run(made("reference"))}
    assert offline["cluster"].finding == Finding(SKIPPED, "offline: needs a workspace")
    assert not offline["cluster"].unasked
