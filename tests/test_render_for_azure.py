"""Rendering what Azure wants said: probes, names, tags, identities, and a run that resumes."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from scripts import render
from scripts.azure import name_rules
from scripts.errors import UserError
from scripts.files import ROOT
from scripts.values.read import environments, load


def rendered(environment: str, *sets: str) -> dict[str, str]:
    return render.render(load(environment, sets))


# As Microsoft's samples set both for a model that is served without code: azureml-examples#3983, 2026-06.
NO_CODE = {"initial_delay": 500, "period": 100, "failure_threshold": 30}


@pytest.mark.parametrize("environment", environments())
def test_both_probes_are_those_that_a_model_without_code_needs(environment):
    deployment = yaml.safe_load(rendered(environment)[f"endpoints/{environment}/deployment.yml"])
    for probe in ("liveness_probe", "readiness_probe"):
        assert deployment[probe] == NO_CODE | {"timeout": 2}
    changed = rendered(environment, "deployment.readiness_probe.period=7")[f"endpoints/{environment}/deployment.yml"]
    assert yaml.safe_load(changed)["readiness_probe"]["period"] == 7


def test_the_key_of_before_says_what_it_is_now():
    with pytest.raises(UserError, match=r"liveness_initial_delay: is liveness_probe\.initial_delay now"):
        load("demo", ["deployment.liveness_initial_delay=600"])


def test_a_name_with_a_dot_gets_a_dash_and_a_tag_keeps_it():
    files = rendered("dev", "model.name=Phi-3.5-mini-instruct", "model.version=6")
    model = yaml.safe_load(files["pipelines/dev/model.yml"])
    assert model["name"] == "Phi-3-5-mini-instruct-ultrachat-200k"
    job = yaml.safe_load(files["pipelines/dev/finetune.yml"])
    assert job["experiment_name"] == "chat_completion_Phi-3-5-mini-instruct"
    assert model["tags"]["base_model"] == "Phi-3.5-mini-instruct"
    assert not name_rules.fault("model", model["name"])
    path = yaml.safe_load(files["pipelines/dev/finetune.yml"])["inputs"]["mlflow_model_path"]["path"]
    assert path.endswith("/models/Phi-3.5-mini-instruct/versions/6")


TAGGED = (
    "compute.yml", "data.yml", "finetune.yml", "model.yml", "endpoint.yml", "deployment.yml", "prepare/cluster.yml",
)  # fmt: skip


def test_tags_reach_all_that_is_made_whatever_they_hold():
    odd = "a: {b} # c 'd'"
    files = rendered("demo", "dataset.where=azureml", f'tags.y="{odd}"', "tags.cost-center=4711")
    for name in TAGGED:
        (path,) = (each for each in files if each.endswith(f"/{name}"))
        tags = yaml.safe_load(files[path])["tags"]
        assert (tags["y"], tags["cost-center"]) == (odd, "4711"), path
    plain = rendered("demo")
    assert "tags" not in yaml.safe_load(plain["pipelines/demo/compute.yml"])


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("job=x", "this project writes the tag job itself"),
        ("Promoted=x", "this project writes the tag promoted itself"),
        ("azure-x=x", "Azure keeps what begins with microsoft, azure, windows"),
        ("a?b=x", 'found "a?b", expected a tag name'),
        (f"x={'y' * 257}", "at most 256 characters"),
    ],
)
def test_tags_that_collide_are_refused(tag, reason):
    with pytest.raises(UserError, match=re.escape(reason)):
        rendered("demo", f"tags.{tag}")


def test_two_tags_that_are_one_to_azure_are_refused():
    with pytest.raises(UserError, match=r"is the same to Azure as tags\.team"):
        rendered("demo", "tags.team=x", "tags.Team=y")


GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/g"
ID = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/nodes"


def with_identities(tmp_path: Path, text: str) -> dict[str, str]:
    """Returns the values of demo with more in its file, in a copy of what is authored."""
    tmp_path.mkdir(exist_ok=True)
    for name in ("values.yaml", "values.schema.json", "environments", "templates", "pyproject.toml"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, tmp_path / name)
    path = tmp_path / "environments" / "demo.yaml"
    path.write_text(path.read_text().replace("compute:\n", f"compute:\n{text}", 1))
    return render.render(load("demo", ["dataset.where=azureml"], tmp_path), tmp_path)


def test_an_identity_is_rendered_in_azure_mls_own_shape(tmp_path):
    named = f"  identity:\n    type: user_assigned\n    user_assigned_identities:\n      - resource_id: {ID}\n"
    files = with_identities(tmp_path, named + "  job_identity: managed\n")
    lower = ID.replace("resourceGroups", "resourcegroups").replace(
        "Microsoft.ManagedIdentity", "microsoft.managedidentity"
    )
    assert lower in with_identities(tmp_path / "lower", named.replace(ID, lower))["pipelines/demo/compute.yml"]
    for name in ("compute.yml", "prepare/cluster.yml"):
        found = yaml.safe_load(files[f"pipelines/demo/{name}"])["identity"]
        assert found == {"type": "user_assigned", "user_assigned_identities": [{"resource_id": ID}]}
    assert yaml.safe_load(files["pipelines/demo/finetune.yml"])["identity"] == {"type": "managed"}
    assert "identity" not in yaml.safe_load(files["endpoints/demo/endpoint.yml"])
    endpoint = rendered("demo", "endpoint.identity.type=system_assigned")["endpoints/demo/endpoint.yml"]
    assert yaml.safe_load(endpoint)["identity"] == {"type": "system_assigned"}
    plain = rendered("demo")
    assert not any("identity" in (yaml.safe_load(text) or {}) for name, text in plain.items() if name.endswith(".yml"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{type: user_assigned}", "compute.identity.user_assigned_identities: missing; add it"),
        ("{type: none}", 'expected one of "system_assigned", "user_assigned"'),
        (
            f"{{type: system_assigned, user_assigned_identities: [{{resource_id: {ID}}}]}}",
            "expected nothing",
        ),
        (
            "{type: user_assigned, user_assigned_identities: [{resource_id: nodes}]}",
            "expected the ARM id",
        ),
        (
            f"{{type: user_assigned, user_assigned_identities: [{{resource_id: {ID.replace('/11111111-', '/')}}}]}}",
            "expected the ARM id",
        ),
        ("{type: user_assigned, user_assigned_identities: []}", "expected at least 1 item"),
        (
            f"{{type: user_assigned, user_assigned_identities: [{{resource_id: {ID}}}, {{resource_id: {ID}2}}]}}",
            "expected at most 1 item",
        ),
    ],
)
def test_an_identity_that_is_half_said_is_refused(tmp_path, text, reason):
    with pytest.raises(UserError, match=re.escape(reason)):
        with_identities(tmp_path, f"  identity: {text}\n")


def test_a_low_priority_run_that_resumes_is_rendered_as_said():
    files = rendered("dev", "compute.tier=low_priority", "finetune.resume_from_checkpoint=true")
    run = yaml.safe_load(files["pipelines/dev/finetune.yml"])
    assert yaml.safe_load(files["pipelines/dev/compute.yml"])["tier"] == "low_priority"
    assert run["jobs"]["chat_completion"]["inputs"]["resume_from_checkpoint"] == "true"
