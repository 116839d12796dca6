"""Every field of the YAML, changed and restored: the plan names it, the apply does it, and then nothing is left."""

import dataclasses
from typing import Any

import pytest
import yaml

from scripts.azure import updates
from scripts.plan import resource
from tests.plan.conftest import FULL, IDENTITY, TEMPLATES

FILES = {
    resource.CLUSTER: ("pipelines", "compute.yml"), resource.DATA: ("pipelines", "data.yml"),
    resource.MODEL: ("pipelines", "model.yml"), resource.ENDPOINT: ("endpoints", "endpoint.yml"),
    resource.DEPLOYMENT: ("endpoints", "deployment.yml"),
}  # fmt: skip
NAMES = ("$schema", "name", "path", "type", "endpoint_name")  # another one is another resource
OTHERS: dict[str, Any] = {
    "size": "Standard_NC24ads_A100_v4", "instance_type": "Standard_NC24ads_A100_v4", "auth_mode": "aad_token",
    "identity.user_assigned_identities": [{"resource_id": f"{IDENTITY}2"}],
}  # fmt: skip


def others(document: dict[str, Any]) -> dict[str, Any]:
    """Returns another value for every field of a document."""
    found = {}
    for key in updates.said(document):
        if key.partition(".")[0] in NAMES or key == "identity.type":
            continue
        value = updates.at(document, key)
        other = value + 1 if isinstance(value, int) else f"another {value}"
        other = value + 1000 if key.endswith("_ms") else other
        if key == "tier":
            other = "low_priority" if value == "dedicated" else "dedicated"
        found[key] = OTHERS.get(key, other)
        if found[key] == value:
            found[key] = "Standard_NC40ads_H100_v5"
    return found


def documents(made) -> dict[str, dict[str, Any]]:
    return {kind: made.run.document(*file) for kind, file in FILES.items()}


def restored(made, changes: dict[str, dict[str, Any]]) -> None:
    """Changes fields, applies, restores them, applies: each time the plan names exactly them, and then nothing."""
    keyed = {kind: {key.replace(".", "__"): value for key, value in of.items()} for kind, of in changes.items()}
    before = {kind: made.edit(*FILES[kind], **of) for kind, of in keyed.items()}
    for again in (False, True):
        for kind, of in before.items() if again else ():
            made.edit(*FILES[kind], **of)
        found = [each for each in made.world().resources if each.changes]
        assert {(each.kind, tuple(sorted(change.field for change in each.changes))) for each in found} == {
            (kind, tuple(sorted(of))) for kind, of in changes.items()
        }
        for each in found:
            fixed = any(updates.is_fixed(each.kind, key) for key in changes[each.kind])
            assert each.action == ("replace" if fixed or each.goes else "change")
        assert made.apply() == 0
        assert made.todo() == []


def test_fields_that_are_changed_and_restored_leave_no_plan(project):
    made = project("demo", FULL)
    assert made.apply() == 0
    changes = {kind: others(document) for kind, document in documents(made).items()}
    assert sum(len(of) for of in changes.values()) > 25
    fixed = {
        kind: {key: value for key, value in of.items() if updates.is_fixed(kind, key)} for kind, of in changes.items()
    }
    assert {key for of in fixed.values() for key in of} == {"size", "tier", "auth_mode", "instance_type",
                                                            "identity.user_assigned_identities"}  # fmt: skip
    free = {kind: {key: value for key, value in of.items() if key not in fixed[kind]} for kind, of in changes.items()}
    restored(made, free)
    restored(made, {kind: of for kind, of in fixed.items() if of})


@pytest.mark.long
@pytest.mark.parametrize("case", TEMPLATES)
def test_every_field_alone_is_changed_and_restored(project, case):
    made = project(*TEMPLATES[case])
    assert made.apply() == 0
    for kind, document in documents(made).items():
        for key, value in others(document).items():
            restored(made, {kind: {key: value}})


def test_what_others_and_the_service_add_is_no_change(project):
    made = project()
    assert made.apply() == 0
    models, name = made.client.models, made.world()[resource.MODEL].name.rpartition(":")
    model = models.get(name[0], name[2])
    model.tags = {**model.tags, "promoted": "abc", "rouge_l": "0.5"}
    models.create_or_update(model)
    endpoint = made.client.online_endpoints.get(made.world()[resource.ENDPOINT].name)
    endpoint.tags = {**endpoint.tags, "policy": "added"}
    made.client.online_endpoints.begin_create_or_update(endpoint).result()
    assert made.todo() == []
    made.edit("pipelines", "model.yml", description="other words")
    made.edit("endpoints", "endpoint.yml", description="other words")
    assert made.apply() == 0 and made.todo() == []
    assert models.get(name[0], name[2]).tags["promoted"] == "abc"
    assert made.client.online_endpoints.get(endpoint.name).tags["policy"] == "added"


def test_a_promoted_model_of_another_workspace_is_stood_in_for(project, capfd):
    made = project()
    assert made.apply() == 0
    own, named = made.world()[resource.MODEL].name, "SmolLM2-135M-Instruct-azureml-chat:7"
    made.edit("endpoints", "deployment.yml", model=f"azureml:{named}")
    assert made.todo() == [("change", "deployment demo", ["model"])]
    made.run = dataclasses.replace(made.run, stand_in=True)
    assert made.todo() == []
    made.edit("endpoints", "deployment.yml", description="other words")
    capfd.readouterr()
    assert made.apply() == 0 and made.todo() == []
    assert f"{named} was not promoted in this workspace" in " ".join(capfd.readouterr().out.split())
    assert made.client.online_deployments.get("demo", made.world()[resource.ENDPOINT].name).model.endswith(own[-1])


def test_only_what_the_yaml_says_is_compared():
    document = yaml.safe_load("{$schema: x, name: n, tags: {a.b: 1}, probe: {period: 3}}")
    wanted = {"name": "n", "tags": {"a.b": 1}, "probe": {"period": 3, "timeout": 2}, "more": 1}
    live = {"tags": {"a.b": "1", "c": "2"}, "probe": {"period": 4, "timeout": 9}}
    assert updates.fields("endpoint", document, wanted, live, ("name",)) == (
        {"tags.a.b": "1", "probe.period": 3},
        {"tags.a.b": "1", "probe.period": 4},
    )


@pytest.mark.parametrize(
    ("kind", "key", "sent", "shown"),
    [
        ("cluster", "size", "Standard_NC4as_T4_v3", "STANDARD_NC4AS_T4_V3"),
        ("deployment", "model", "azureml:m:3", "azureml:/subscriptions/s/resourceGroups/g/providers/"
         "Microsoft.MachineLearningServices/workspaces/w/models/m/versions/3"),
        ("endpoint", "identity.user_assigned_identities", [{"resource_id": "/A/b"}, {"resource_id": "/a/a"}],
         [{"resource_id": "/a/A", "client_id": "1"}, {"resource_id": "/a/b", "principal_id": "2"}]),
        ("model", "tags.number", 1, "1"),
        ("deployment", "request_settings.request_timeout_ms", 90001, 90000),
    ],
)  # fmt: skip
def test_what_the_service_says_in_other_words_is_the_same(kind, key, sent, shown):
    assert updates.same_form(kind, key, sent) == updates.same_form(kind, key, shown)
    assert updates.same_form(kind, key, sent) != updates.same_form(kind, key, None)
