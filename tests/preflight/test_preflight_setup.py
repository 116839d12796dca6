"""The checks of the subscription, the storage, the workspace's setup and what serving needs, each good and bad."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path
from typing import Any

import pytest

from scripts.azure import az_extension
from scripts.azure.live_workspace import Datastore
from scripts.azure.serving_rules import conda_faults, probe_seconds
from scripts.errors import CouldNotAskError
from scripts.preflight import checklist
from scripts.preflight.finding import FAIL, PASS, SKIPPED, WARN
from tests.azure import fake_arm
from tests.azure.fake_arm import ACCOUNT, BLOCKED, BLOCKED_ZONE, ROOT, SIZES, account, sku
from tests.preflight.conftest import made
from tests.preflight.live_answers import BY_KEY, OPEN, asked, finding, has

A100, H100, T4 = SIZES
SKUS = f"{ROOT}/providers/Microsoft.Compute/skus"
FORBIDDEN = (403, {"error": {"code": "AuthorizationFailed", "message": "The client has no authorization."}})
BY_IDENTITY = (Datastore("workspaceblobstore", "STFAKE", "none"), Datastore("keyed", "elsewhere", "account_key"))
CLUSTER = {"name": "gpu-cluster", "type": "amlcompute", "state": "Succeeded", "errors": "", "size": A100,
           "tier": "dedicated", "min": 0, "max": 1, "identity": ""}  # fmt: skip


def test_a_login_of_another_directory() -> None:
    has(finding("directory", "reference"), PASS, fake_arm.TENANT)
    has(finding("directory", "reference", tenant=fake_arm.TENANT.upper()), PASS)  # a token writes it as it likes
    other = "99999999-0000-0000-0000-000000000000"
    has(finding("directory", "reference", tenant=other), FAIL, f"the login's token of {other}",
        f"az login --tenant {fake_arm.TENANT}")  # fmt: skip
    has(finding("directory", "reference", tenant=""), SKIPPED, "does not say")


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [("NotRegistered", FAIL, "az provider register --namespace Microsoft.Cdn --wait"),
     ("Unregistered", FAIL, "SubscriptionNotRegistered"), ("Registering", WARN, "Microsoft.Cdn is being registered"),
     ("Registered", PASS, "Microsoft.Cdn")],
)  # fmt: skip
def test_providers(state: str, status: str, words: str) -> None:
    answer = {f"{ROOT}/providers/Microsoft.Cdn": (200, {"registrationState": state})}
    has(finding("providers", "reference", arm=answer), status, words)


def test_two_providers_are_named_in_one_sentence() -> None:
    answer = {f"{ROOT}/providers/Microsoft.{name}": (200, {"registrationState": "NotRegistered"})
              for name in ("Cdn", "PolicyInsights")}  # fmt: skip
    found = finding("providers", "reference", arm=answer)
    has(found, FAIL, "Microsoft.Cdn (for managed online endpoints) and Microsoft.PolicyInsights")
    assert found.todo.count("az provider register --namespace") == 2


@pytest.mark.parametrize(
    ("check", "path"),
    [("providers", f"{ROOT}/providers/Microsoft.Cdn"), ("sizes-for-subscription", SKUS), ("storage-keys", ACCOUNT)],
)
def test_what_may_not_be_asked_is_a_warning_and_never_a_pass(check: str, path: str) -> None:
    results = {each.check: each for each in checklist.run(asked("reference", arm={path: FORBIDDEN}))}
    found = results[check].finding
    assert found.status == WARN
    assert found.sentence.startswith("could not ask for ")
    assert "az " in found.todo
    assert not results[check].unasked  # a person may go on: a login of one resource group can never ask it
    silent = {path: (503, {"error": {"code": "ServerBusy", "message": "later"}})}
    assert {each.check: each for each in checklist.run(asked("reference", arm=silent))}[check].unasked


@pytest.mark.parametrize(
    ("skus", "status", "words"),
    [
        ([sku(A100)], PASS, "no size is blocked"),
        ([sku(A100, BLOCKED)], FAIL, "NotAvailableForSubscription"),
        ([sku(A100.upper(), BLOCKED)], FAIL, f"az vm list-skus -l eastus --size {A100}"),
        ([sku(A100, BLOCKED_ZONE)], WARN, "in zone 2, zone 3 of eastus"),
        ([sku(T4, BLOCKED)], WARN, f"eastus has no {A100}"),
    ],
)
def test_sizes_that_are_blocked_for_the_subscription(skus: list[Any], status: str, words: str) -> None:
    has(finding("sizes-for-subscription", "reference", arm={SKUS: (200, {"value": skus})}), status, words)


@pytest.mark.parametrize(
    ("trains", "serves", "sets", "status", "words"),
    [
        (("AmlCompute", "MIR"), ("AmlCompute", "MIR"), [], PASS, "may be a cluster"),
        (("MIR",), ("MIR",), [], FAIL, "not a supported VM size"),
        (("AmlCompute",), ("AmlCompute",), [], WARN, "not for MIR"),
        (None, ("MIR",), [], SKIPPED, "does not say"),
        (("AmlCompute",), None, [], SKIPPED, "does not say"),
        (("AmlCompute",), ("MIR",), ["compute.tier=low_priority"], FAIL, "has no low priority nodes"),
    ],
)
def test_what_a_size_may_be(
    trains: tuple[str, ...] | None, serves: tuple[str, ...] | None, sets: list[str], status: str, words: str
) -> None:
    known = asked("reference").facts.sizes
    sizes = {
        A100.lower(): dataclasses.replace(known[A100.lower()], compute_types=trains, low_priority=False),
        T4.lower(): dataclasses.replace(known[T4.lower()], compute_types=serves),
    }
    has(finding("sizes-usable", "reference", f"deployment.instance_type={T4}", *sets, sizes=sizes), status, words)


def test_storage_without_keys() -> None:
    has(finding("storage-keys", "reference"), PASS, "takes keys")
    closed = {ACCOUNT: (200, account(allowSharedKeyAccess=False))}
    found = finding("storage-keys", "reference", arm=closed)
    has(found, FAIL, "KeyBasedAuthenticationNotPermitted", "--system-datastores-auth-mode identity", "Blob Data Contr")
    assert "workspaceblobstore open it" in found.sentence
    assert "other" not in found.sentence  # another account's
    has(finding("storage-keys", "reference", arm=closed, datastores=BY_IDENTITY), PASS, "the datastores need none")
    keyed = dataclasses.replace(OPEN, datastores_auth_mode="accesskey")
    has(finding("storage-keys", "reference", arm=closed, datastores=BY_IDENTITY, workspace=keyed), WARN, "accesskey")
    none = dataclasses.replace(OPEN, storage_account="")
    for check in ("storage-keys", "storage-network", "storage-identity"):
        has(finding(check, "reference", workspace=none), SKIPPED, "names no storage account")


@pytest.mark.parametrize(
    ("properties", "status", "words"),
    [
        ({}, PASS, "public networks"),
        ({"publicNetworkAccess": "Disabled"}, FAIL, "NoMatchingArtifactsFoundFromJob"),
        ({"publicNetworkAccess": "Disabled", "privateEndpointConnections": [
            {"properties": {"privateLinkServiceConnectionState": {"status": "Approved"}}}]}, WARN, "private endpoint"),
        ({"networkAcls": {"defaultAction": "Deny"}}, WARN, "from networks that its rules name"),
    ],
)  # fmt: skip
def test_storage_that_is_closed(properties: dict[str, Any], status: str, words: str) -> None:
    has(finding("storage-network", "reference", arm={ACCOUNT: (200, account(**properties))}), status, words)


def test_datastores_by_identity_want_a_cluster_that_has_one() -> None:
    has(finding("storage-identity", "reference", datastores=BY_KEY), PASS, "bring their own credentials")
    bare = finding("storage-identity", "reference", datastores=BY_IDENTITY)
    has(bare, FAIL, "cluster gpu-cluster would have none", "set compute.identity")
    there = finding("storage-identity", "reference", datastores=BY_IDENTITY, there=CLUSTER)
    has(there, FAIL, "cluster gpu-cluster has none", "az ml compute update -n gpu-cluster --identity-type")
    for given in ("compute.identity.type=system_assigned", "compute.identity=system_assigned"):
        has(finding("storage-identity", "reference", given, datastores=BY_IDENTITY), PASS, "(system_assigned)")
    has(finding("storage-identity", "reference", "compute.identity.type=none", datastores=BY_IDENTITY), FAIL)
    submitter = "compute.job_identity=user_identity"
    has(finding("storage-identity", "reference", submitter, datastores=BY_IDENTITY), PASS, "of who submits it")
    known = {**CLUSTER, "identity": "systemassigned"}
    has(finding("storage-identity", "reference", datastores=BY_IDENTITY, there=known), PASS, "(systemassigned)")


def test_how_the_workspace_is_set_up() -> None:
    has(finding("container-registry", "reference"), PASS, "acr")
    bare = dataclasses.replace(OPEN, container_registry="")
    has(finding("container-registry", "reference", workspace=bare), WARN, "5 USD a month", "AcrPull")
    has(finding("image-build", "reference"), PASS, "open")
    for change in ({"public_network_access": "Disabled"}, {"isolation": "AllowInternetOutbound"}):
        private = dataclasses.replace(OPEN, **change)
        has(finding("image-build", "reference", workspace=private), WARN, "imageBuildCompute", "--image-build-compute")
        built = dataclasses.replace(private, image_build_compute="cpu")
        has(finding("image-build", "reference", workspace=built), PASS, "built on cpu")
    isolated = dataclasses.replace(OPEN, isolation="AllowOnlyApprovedOutbound")
    has(finding("hub-model", "demo", workspace=isolated), WARN, "valid internet connection", "FQDN")
    has(finding("hub-model", "demo"), PASS, "lets it out")
    has(finding("hub-model", "reference", workspace=isolated), SKIPPED, "not of the Hugging Face hub")


@pytest.mark.parametrize(
    ("conda", "status", "words"),
    [
        ("dependencies: [{pip: [mlflow==2.9.2, azureml-ai-monitoring]}]", PASS, "has what the scorer imports"),
        ("dependencies: [{pip: [mlflow<3, azureml_ai_monitoring==1.0]}]", PASS, ""),
        ("dependencies: [{pip: [mlflow==2.9.2]}]", WARN, "lacks azureml-ai-monitoring"),
        ("dependencies: [{pip: ['mlflow>=2,<3.0.0', azureml-ai-monitoring]}]", PASS, ""),
        ("dependencies: [{pip: ['mlflow<3.1', azureml-ai-monitoring]}]", WARN, "takes mlflow<3.1"),
        ("dependencies: [{pip: [mlflow, azureml-ai-monitoring]}]", WARN, "takes any mlflow"),
        ("dependencies: [{pip: [mlflow>=2.10, azureml-ai-monitoring]}]", WARN, "takes mlflow>=2.10"),
        ("dependencies: [mlflow=3.7, {pip: [azureml-ai-monitoring]}]", WARN, "takes mlflow=3.7"),
        ("dependencies: [{pip: [mlflow-skinny~=3.1, azureml-ai-monitoring]}]", WARN, "mlflow-skinny~=3.1"),
        ("a: [", WARN, "lacks azureml-ai-monitoring"),
        (None, WARN, "unverified: there is none"),
        ("refused", WARN, "unverified: could not ask for conda.yaml of model Phi-3-mini-4k-instruct: no address"),
    ],
)
def test_the_models_conda_yaml(conda: str | None, status: str, words: str) -> None:
    has(finding("conda", "reference", conda=conda), status, words)
    has(finding("conda", "demo", conda=conda), SKIPPED, "of the hub")


@pytest.mark.parametrize("odd", [None, [], {}, {"dependencies": None}, {"dependencies": [3, {"pip": "x"}, {"a": []}]}])
def test_a_conda_yaml_that_is_none(odd: Any) -> None:
    assert conda_faults(odd) == ["lacks azureml-ai-monitoring, which the scorer imports"]


def test_probes_are_counted_with_azures_defaults() -> None:
    assert probe_seconds({}) == 310
    assert probe_seconds({"initial_delay": 500, "period": 100, "failure_threshold": None}) == 3500
    long = [f"deployment.{name}.{key}" for name in ("liveness_probe", "readiness_probe")
            for key in ("initial_delay=500", "period=100")]  # fmt: skip
    has(finding("probes", "reference", *long), PASS, "liveness_probe waits 3500 s and readiness_probe waits 3500 s")
    found = finding("probes", "reference", *long, "deployment.readiness_probe.period=3")
    has(found, WARN, "readiness_probe gives up after 590 s", "initial_delay 500, period 100")
    assert "liveness_probe gives up" not in found.sentence


def az(folder: Path, text: str) -> str:
    """Returns a program named az that prints a text: the Azure CLI is not here."""
    program = folder / "az"
    program.write_text(f"#!/bin/sh\ntest \"$*\" = 'version --output json' || exit 9\ncat <<'END'\n{text}\nEND\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


@pytest.mark.parametrize(
    ("cli", "ml", "status", "words"),
    [
        ("2.91.0", "2.41.1", PASS, "with extension ml 2.41.1"),
        ("2.75.0", "2.38.0", WARN, "az ml model create"),
        ("2.75.0", "2.37.2", WARN, "mlflow.source.git.branch"),
        ("2.60.0", "2.30.0", WARN, "AccessTokenInfo"),
        ("2.65.0", "2.30.0", PASS, "2.30.0"),
        ("2.75.0", "2.36.5", PASS, ""),
        ("2.75.0", "", FAIL, "has no extension ml"),
    ],
)
def test_versions_of_the_extension(tmp_path: Path, cli: str, ml: str, status: str, words: str) -> None:
    extensions = f'"extensions": {{"ml": "{ml}"}}' if ml else '"extensions": {}'
    program = az(tmp_path, f'a warning of an import\n{{"azure-cli": "{cli}", {extensions}}}')
    found = checklist.named("az-extension").work(made("reference", az=program))
    has(found, status, words)
    if status != PASS:
        assert f"az extension add --name ml --version {az_extension.TRIED}" in found.todo


def test_another_az_and_none(tmp_path: Path) -> None:
    work = checklist.named("az-extension").work
    has(work(made("reference")), SKIPPED, "was not said")
    has(work(made("reference", az=".venv/bin/python -m scripts.az_ml")), SKIPPED, "not the Azure CLI")
    for program, words in (
        (az(tmp_path, "no JSON"), "its answer is no JSON: no JSON"),
        (str(tmp_path / "no" / "az"), "no such program"),
    ):
        with pytest.raises(CouldNotAskError, match=words):
            work(made("reference", az=program))


def test_who_may_ask() -> None:
    has(checklist.named("endpoint-auth").work(made("reference", "endpoint.auth_mode=aad_token")), WARN, "score/action")
    has(checklist.named("endpoint-auth").work(made("reference")), PASS, "key")


def test_quotas_that_the_region_does_not_tell() -> None:
    def entry(name: str, used: int | None, limit: int | None, kind: str = "dedicated") -> dict[str, Any]:
        return {"name": name, "kind": kind, "used": used, "limit": limit}

    family = "standardNCADSA100v4Family"
    total, pool = entry("TotalDedicatedCores", 0, 1072), entry("TotalLowPriorityCores", 24, 300, "low priority")
    for check in ("quota-training", "quota-serving"):
        # as seen in 2026-08: the family's one entry is of low priority, 24 of -1 beside a quota of 0
        seen = [entry(family, 24, None, "low priority"), total, pool]
        found = finding(check, "reference", usages=seen)
        has(found, WARN, "not unlimited", "Microsoft.Quota", f"--resource-name {family}", "az quota show --scope")
        has(finding(check, "reference", usages=[entry(family, 0, None), total]), WARN, "0 of an unknown number")
        has(finding(check, "reference", usages=[entry(family, None, 100), total]), WARN, "an unknown number of 100")
        has(finding(check, "reference", usages=[entry(family, 0, 100), entry("TotalDedicatedCores", 0, None)]), WARN)
        both = [entry(family, 0, 0, "low priority"), entry(family, 0, 48), total]
        has(finding(check, "reference", usages=both), PASS, f"0 of 48 in use ({family})")  # not the other kind's 0
        short = [entry(family, 0, 100), entry("TotalDedicatedCores", 1060, 1072)]
        has(finding(check, "reference", usages=short), FAIL, "1060 of 1072 in use (TotalDedicatedCores)")
        new = [entry(family, None, 24), entry("TotalDedicatedCores", None, 20)]
        has(finding(check, "reference", usages=new), FAIL, "cannot create compute yet", "upgrade the offer")
    low = finding("quota-training", "reference", "compute.tier=low_priority", usages=[entry(family, 0, 0), pool])
    has(low, PASS, "24 of 300 in use (TotalLowPriorityCores)")  # the family's own entry is not what counts
    unknown = entry("TotalLowPriorityCores", 0, None, "low priority")
    has(finding("quota-training", "reference", "compute.tier=low_priority", usages=[unknown]), WARN, "not unlimited")


@pytest.mark.parametrize(("used", "status"), [(199, PASS), (200, FAIL)])
def test_clusters_are_counted(used: int, status: str) -> None:
    usages = [{"name": "TotalClusters", "kind": "dedicated", "used": used, "limit": 200}]
    has(finding("quota-clusters", "reference", usages=usages), status, f"{used} of 200 in use (TotalClusters)")
    has(finding("quota-clusters", "reference", usages=usages, there=CLUSTER), PASS, "gpu-cluster is one of")
    usages[0]["limit"] = None
    has(finding("quota-clusters", "reference", usages=usages), WARN, "not unlimited")
    has(finding("quota-clusters", "reference"), SKIPPED, "no entry for clusters")
