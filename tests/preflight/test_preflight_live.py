"""The checks that ask a workspace, through the unmodified SDK, against an Azure ML on localhost."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.azure.live import Live
from scripts.azure.machine_sizes import family_key
from scripts.errors import CouldNotAskError
from scripts.preflight import checklist, context
from scripts.preflight.finding import FAIL, PASS, SKIPPED, WARN, Finding
from scripts.values.read import Values, load

ROOT = Path(__file__).parents[2]
WORKSPACE = {
    "subscription_id": "22222222-3333-4444-5555-666666666666",
    "resource_group": "preflight",
    "workspace": "preflight-tests",
    "region": "eastus",
}
# An A100 family without room for two machines, and six cores where a T4 deployment needs eight.
SETTINGS = """
quota:
  cores_per_family: 100
  low_priority_cores: 100
  families: {standardNCADSA100v4Family: 30, Standard NCASv3_T4 Family: 6}
operations: {lro_seconds: 0}
"""


@pytest.fixture(scope="module")
def small(emulator: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An emulator with little quota; this process is in its environment while the module's tests run."""
    home = tmp_path_factory.mktemp("small")
    (home / "settings.yaml").write_text(SETTINGS)
    made = type(emulator)(home, WORKSPACE)
    made.up()
    patch = pytest.MonkeyPatch()
    for name in os.environ.keys() - made.env.keys():
        patch.delenv(name)
    for name, value in made.env.items():
        patch.setenv(name, value)
    yield made
    patch.undo()
    made.down()


def values_of(env: str, *sets: str) -> Values:
    """Returns an environment's values for the emulated workspace."""
    azure = [f"azure.{key}={value}" for key, value in WORKSPACE.items()]
    return load(env, [*azure, *sets], check=False)


def finding(name: str, env: str, *sets: str, **more: Any) -> Finding:
    """Runs one check against the emulator."""
    values = values_of(env, *sets)
    where = context.build(values, Live(values))
    return checklist.named(name).work(dataclasses.replace(where, **more))


def cluster(name: str, size: str, most: int = 1, tier: str = "dedicated") -> None:
    """Creates a cluster with the SDK."""
    from azure.ai.ml.entities import AmlCompute

    values = values_of("reference")
    compute = AmlCompute(name=name, size=size, min_instances=0, max_instances=most, tier=tier)
    Live(values)._workspace.compute.begin_create_or_update(compute).result()


def fault(small: Any, text: str) -> None:
    """Writes faults.yaml as a person would."""
    (small.home / "faults.yaml").write_text(text)


def test_all_is_well_with_enough_quota(small: Any) -> None:
    values = values_of(
        "prod", "compute.size=Standard_NC24ads_A100_v4", "deployment.instance_type=Standard_NC24ads_A100_v4"
    )
    results = checklist.run(context.build(values, Live(values)))
    live = {each.check: each.finding.status for each in results if checklist.named(each.check).live}
    told = {
        name: live.pop(name)
        for name in (
            *("providers", "sizes-usable", "sizes-for-subscription", "quota-clusters"),
            *("storage-keys", "storage-network", "container-registry", "conda"),
        )
    }
    assert live == {
        "model-exists": PASS, "drift": PASS, "sizes-in-region": PASS, "region": PASS, "cluster": PASS,
        "quota-training": PASS,
        "quota-serving": WARN,  # 24 of 30 cores: enough for one of the two at a time
        "directory": PASS, "hub-model": SKIPPED, "image-build": PASS, "storage-identity": PASS,
    }  # fmt: skip
    assert not {FAIL} & set(told.values())  # what a login may not ask is a warning, never a pass
    assert not any(each.unasked for each in results)


def test_existing_cluster_of_another_size(small: Any) -> None:
    cluster("other-size", "Standard_NC4as_T4_v3")
    found = finding("cluster", "reference", "compute.name=other-size")
    assert found.status == FAIL
    assert "standard_nc4as_t4_v3" in found.sentence.lower()  # the service shows it in capitals
    assert "az ml compute delete -n other-size" in found.todo
    same = finding("cluster", "reference", "compute.name=other-size", "compute.size=STANDARD_nc4as_T4_v3")
    assert same.status == PASS


def test_cluster_with_too_few_nodes_or_of_another_tier(small: Any) -> None:
    cluster("few-nodes", "Standard_NC24ads_A100_v4")
    found = finding(
        "cluster", "reference", "compute.name=few-nodes", "finetune.num_nodes_finetune=2", "compute.max_instances=2"
    )
    assert found.status == FAIL
    assert "--max-instances 2" in found.todo
    found = finding("cluster", "reference", "compute.name=few-nodes", "compute.tier=low_priority")
    assert found.status == WARN
    cluster("cheap", "Standard_NC24ads_A100_v4", tier="low_priority")
    assert finding("cluster", "reference", "compute.name=cheap", "compute.tier=low_priority").status == PASS


@pytest.mark.parametrize("name", ["compute-provisioning-failed", "dedicated-capacity-missing"])
def test_failed_cluster_is_named_and_low_priority_offered_only_where_allowed(small: Any, name: str) -> None:
    from azure.core.exceptions import HttpResponseError

    fault(small, f"{name}: {{times: 1}}\n")
    with pytest.raises(HttpResponseError):
        cluster(f"broken-{name[:4]}", "Standard_NC24ads_A100_v4")
    where = f"compute.name=broken-{name[:4]}"
    found = finding("cluster", "reference", where)
    assert found.status == FAIL
    assert "Failed" in found.sentence
    assert "low_priority" not in found.todo
    allowed = finding("cluster", "reference", where, "compute.low_priority_allowed=true")
    assert "low_priority" in allowed.todo


def test_capacity_that_is_missing_leaves_low_priority(small: Any) -> None:
    fault(small, "dedicated-capacity-missing:\n")
    cluster("spare", "Standard_NC24ads_A100_v4", tier="low_priority")
    (small.home / "faults.yaml").unlink()
    assert finding("cluster", "reference", "compute.name=spare", "compute.tier=low_priority").status == PASS


def test_quota_of_six_cores_for_eight(small: Any) -> None:
    found = finding("quota-serving", "demo")
    assert found.status == FAIL
    assert "ceil(1.2 x 1) x 4 = 8 cores" in found.sentence
    assert "Standard NCASv3_T4 Family" in found.sentence
    assert "0 of 6" in found.sentence
    assert "ask for more" in found.todo
    assert "choose a size of a family" in found.todo


def test_quota_for_training_names_both_ways_out(small: Any) -> None:
    sets = ["compute.size=Standard_NC48ads_A100_v4"]
    found = finding("quota-training", "prod", *sets)
    assert found.status == FAIL
    assert "1 x 48 = 48 cores" in found.sentence
    assert "low_priority_allowed" in found.todo
    allowed = finding("quota-training", "prod", *sets, "compute.low_priority_allowed=true")
    assert allowed.todo.startswith("set compute.tier to low_priority")
    assert finding("quota-training", "reference").status == PASS


def test_low_priority_draws_on_its_own_pool(small: Any) -> None:
    found = finding("quota-training", "reference", "compute.tier=low_priority", "compute.size=Standard_NC48ads_A100_v4")
    assert found.status == PASS  # more than the family's 30 dedicated cores, of which it needs none
    assert "TotalLowPriorityCores" in found.sentence
    found = finding("quota-training", "reference", "compute.tier=low_priority", "compute.size=Standard_ND96asr_v4",
                    "finetune.num_nodes_finetune=2")  # fmt: skip
    assert found.status == FAIL
    assert "2 x 96 = 192 cores of low priority" in found.sentence


def test_deployment_that_is_there_already_counts_once(small: Any) -> None:
    values = values_of("demo")
    live = Live(values)
    usage = [{**each, "used": 8, "limit": 8} if family_key(each["name"]) == "ncasv3t4" else each for each in live.usage]
    live.__dict__["usage"] = usage
    present = {"size": "Standard_NC4as_T4_v3", "instances": 1}
    live.deployment = lambda endpoint, name: present  # type: ignore[method-assign]
    where = context.build(values, live)
    found = checklist.named("quota-serving").work(where)
    assert found.status == FAIL  # 4 of its 8 cores are held by this deployment: 8 - 4 + 8 is above 8
    usage[:] = [{**each, "used": 4} if each["used"] == 8 else each for each in usage]
    assert checklist.named("quota-serving").work(where).status != FAIL


@pytest.mark.parametrize(
    "name",
    ["Standard NCADSA100v4 Family Cluster Dedicated vCPUs", "StandardNCADSA100v4Family", "standardNCADSA100v4Family"],
)
def test_family_names_are_one(name: str) -> None:
    assert family_key(name) == "ncadsa100v4"


def test_size_that_the_region_does_not_offer(small: Any) -> None:
    found = finding("sizes-in-region", "reference", "compute.size=Standard_NC6s_v3")
    assert found.status == FAIL
    assert "eastus does not offer Standard_NC6s_v3" in found.sentence
    assert finding("sizes-in-region", "reference").status == PASS


def test_lock_that_says_another_number_of_gpus(small: Any) -> None:
    values = values_of("reference")
    where = context.build(values, Live(values))
    wrong = dataclasses.replace(where.facts.sizes["standard_nc24ads_a100_v4"], gpus_per_node=2)
    facts = dataclasses.replace(where.facts, sizes={**where.facts.sizes, "standard_nc24ads_a100_v4": wrong})
    found = finding("sizes-in-region", "reference", facts=facts)
    assert found.status == FAIL
    assert "make lock" in found.todo


def test_region_of_the_values_is_not_the_workspaces(small: Any) -> None:
    assert finding("region", "reference", "azure.region=westeurope").status == WARN
    assert finding("region", "reference").status == PASS


def test_model_version_that_the_registry_does_not_have(small: Any) -> None:
    found = finding("model-exists", "reference", 'model.version="99"')
    assert found.status == FAIL
    assert 'take version "15"' in found.todo
    assert finding("model-exists", "reference").status == PASS
    assert finding("model-exists", "demo").status == SKIPPED


def test_model_that_was_archived_since(small: Any) -> None:
    values = values_of("reference")
    where = context.build(values, Live(values))
    facts = dataclasses.replace(where.facts, model=dataclasses.replace(where.model, archived=False))
    found = finding("model-exists", "reference", facts=facts)
    assert found.status == WARN
    assert "archived" in found.sentence


def test_drift_names_what_is_newer(small: Any) -> None:
    values = values_of("reference")
    where = context.build(values, Live(values))
    old = dataclasses.replace(where.facts, component=dataclasses.replace(where.facts.component, version="0.0.80"))
    found = finding("drift", "reference", facts=old)
    assert found.status == WARN
    assert "0.0.82 (pinned 0.0.80)" in found.sentence
    assert finding("drift", "reference").status == PASS


def test_token_that_expired_is_not_a_verdict(small: Any) -> None:
    fault(small, "expired-token:\n")
    try:
        with pytest.raises(CouldNotAskError):
            finding("sizes-in-region", "reference")
    finally:
        (small.home / "faults.yaml").unlink()


def test_workspace_that_is_not_there(small: Any) -> None:
    with pytest.raises(CouldNotAskError, match="nowhere"):
        finding("region", "reference", "azure.workspace=nowhere")


def test_command_exits_5_when_nobody_answers() -> None:
    dead = {**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c",
            "AZURE_CLIENT_SECRET": "s"}  # fmt: skip
    command = [sys.executable, "-m", "scripts.preflight", "--env", "prod"]
    ended = subprocess.run(command, cwd=ROOT, env=dead, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 5, ended.stdout + ended.stderr
    assert "could not ask" in ended.stdout
    assert "Traceback" not in ended.stderr


def command(small: Any, env: str, *sets: str) -> subprocess.CompletedProcess[str]:
    """Runs the command as the Makefile does, for the emulated workspace."""
    azure = [f"azure.{key}={value}" for key, value in WORKSPACE.items()]
    words = [sys.executable, "-m", "scripts.preflight", "--env", env, "--set", *azure, *sets]
    return subprocess.run(words, cwd=ROOT, env=small.env, capture_output=True, text=True, check=False, timeout=120)


def test_prod_passes(small: Any) -> None:
    ended = command(small, "prod")
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("fault_name", "check_name", "words"),
    [
        ("quota-exceeded", "quota-training", "0 of 0 in use"),
        ("size-not-available", "sizes-in-region", "does not offer"),
    ],
)
def test_faults_are_foretold_and_stop_the_command(small: Any, fault_name: str, check_name: str, words: str) -> None:
    fault(small, f"{fault_name}:\n")
    try:
        ended = command(small, "prod")
    finally:
        (small.home / "faults.yaml").unlink()
    assert ended.returncode == 1, ended.stdout + ended.stderr
    text = " ".join(ended.stdout.split())
    assert f"FAIL {check_name}" in text
    assert words in text
    assert "FAIL quota-clusters" not in text  # no cores are left, and clusters are counted apart


def test_existing_cluster_of_another_size_stops_the_command(small: Any) -> None:
    cluster("taken", "Standard_NC4as_T4_v3")
    ended = command(small, "reference", "compute.name=taken")
    assert ended.returncode == 1
    assert "give compute.name another name" in " ".join(ended.stdout.split())


def test_six_of_eight_cores_stop_the_command(small: Any) -> None:
    ended = command(small, "demo")
    assert ended.returncode == 1
    assert "= 8 cores of Standard NCASv3_T4 Family, 0 of 6 in use" in " ".join(ended.stdout.split())
