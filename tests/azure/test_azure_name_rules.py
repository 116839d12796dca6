"""Names: what Azure takes, resource by resource, and the schema of the values that repeats it."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest

from scripts.azure import name_rules
from scripts.files import ROOT
from scripts.values import names as names_module
from scripts.values.read import load
from scripts.values.schema import faults

SCHEMA = json.loads((ROOT / "values.schema.json").read_text())
TAKEN = [
    ("subscription", "00000000-0000-0000-0000-00000000000a"), ("resource group", "a"), ("resource group", "team(a).b"),
    ("resource group", "é" * 90), ("workspace", "a_-"), ("workspace", "1" * 33), ("registry", "azureml"),
    ("cluster", "abc"), ("cluster", "A" + "-" * 30 + "9"), ("cluster", "gpu--cluster"), ("endpoint", "a-b"),
    ("endpoint", "a" * 32), ("deployment", "blue-1"), ("deployment", "Bl2"), ("model", "a"), ("model", "9_-"),
    ("model", "m" * 255), ("data", "chat_1-train"), ("code", "4b0a-1"), ("environment", "env-1"),
    ("component", "prepare"), ("component (az ml)", "prepare_2"),
    ("job", "dev-1a2b-1"), ("experiment", "chat_completion_Phi-3-5-mini"), ("experiment", "e" * 256),
    ("registry model", "Phi-3.5-mini-instruct"),
    ("version", "0.0.82"), ("version", "v" * 64), ("version", "-"), ("step", "chat_completion"), ("step", "_a1"),
    ("model version", "1"), ("model version", "1795736336"), ("datastore", "workspaceblobstore"), ("datastore", "a_1"),
]  # fmt: skip
REFUSED = [
    ("component (az ml)", "Prepare"), ("component (az ml)", "a-b"), ("component (az ml)", "1a"),
    ("subscription", "00000000-0000-0000-0000-00000000000g"), ("subscription", "0" * 36),
    ("resource group", ""), ("resource group", "a."), ("resource group", "a b"), ("resource group", "é" * 91),
    ("workspace", "ab"), ("workspace", "a" * 34), ("workspace", "-ab"), ("workspace", "é12"), ("registry", "a_b"),
    ("cluster", "ab"), ("cluster", "a" * 33), ("cluster", "1ab"), ("cluster", "ab-"), ("cluster", "a_b"),
    ("cluster", "aé1"),
    ("endpoint", "a--b"), ("endpoint", "ab-"), ("endpoint", "1ab"), ("endpoint", "ab"), ("endpoint", "a" * 33),
    ("deployment", "blue--1"), ("deployment", "blue-"), ("deployment", "bl"), ("deployment", "blue_1"),
    ("model", "_x"), ("model", "modèle"), ("model", "a.b"), ("model", ""), ("model", "m" * 256), ("model", "a\n"),
    ("data", "_x"), ("data", "données"), ("data", "-x"), ("job", "été"), ("experiment", "-a"), ("experiment", "a.b"),
    ("experiment", "a b"), ("experiment", "a/b"), ("experiment", ""), ("experiment", "e" * 257),
    ("registry model", "_a"),
    ("version", ""), ("version", "1:2"), ("version", "v" * 65), ("version", "é"), ("step", "chat-completion"),
    ("step", "1a"), ("step", "Chat"), ("step", "été"), ("model version", "0"), ("model version", "1.0"),
    ("model version", "dev-1"), ("model version", "²"), ("datastore", "a.b"), ("datastore", "_a"),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "name"), TAKEN)
def test_taken(resource: str, name: str) -> None:
    assert name_rules.fault(resource, name) == ""


@pytest.mark.parametrize(("resource", "name"), REFUSED)
def test_refused_with_what_is_allowed(resource: str, name: str) -> None:
    rule = name_rules.rule(resource)
    said = rule.fault(name)
    article = {"e": "an", "j": "a"}.get(resource[0], "a")
    assert said.startswith(f"'{name}'")
    assert f"{article} {resource} name has " in said
    assert said.endswith((rule.words, f"has {len(name)} characters; {article} {resource} name has {rule.lengths}"))


def test_lengths_are_counted_before_signs() -> None:
    assert name_rules.fault("cluster", "1") == "'1' has 1 characters; a cluster name has 3 to 32"
    assert name_rules.fault("endpoint", "1ab").endswith("an endpoint name has letters, digits and single dashes, "
                                                        "a letter first, no dash last")  # fmt: skip
    assert name_rules.rule("subscription").lengths == "36"
    assert name_rules.rule("cluster").allowed == "3 to 32 letters, digits and dashes, a letter first, no dash last"


def test_every_rule_has_a_source_and_is_covered_here() -> None:
    assert {resource for resource, _ in TAKEN} == {resource for resource, _ in REFUSED} | {
        "code", "environment", "component"
    } == set(name_rules.rules())  # fmt: skip
    assert all(rule.source for rule in name_rules.rules().values())
    assert "2 to 16" in name_rules.rule("cluster").unverified


KEYS = {  # a key of the values -> the resource that it names
    "azure.subscription_id": "subscription", "azure.resource_group": "resource group", "azure.workspace": "workspace",
    "model.registry": "registry", "model.name": "registry model", "compute.name": "cluster",
    "compute.preparation.name": "cluster",
}  # fmt: skip


def schema_of(key: str) -> dict[str, Any]:
    found = SCHEMA
    for part in key.split("."):
        found = found["properties"][part]
    return found


@pytest.mark.parametrize(("key", "resource"), KEYS.items())
def test_the_schema_repeats_the_rule(key: str, resource: str) -> None:
    spec, rule = schema_of(key), name_rules.rule(resource)
    assert (spec["pattern"], spec["minLength"], spec["maxLength"]) == (f"^{rule.pattern}$", rule.least, rule.most)
    if resource != "subscription":
        assert spec["description"].endswith(f": {rule.allowed}.")


def test_parts_of_names_are_within_the_rules_of_the_whole() -> None:
    """The endpoint's name gets a suffix of nine characters, a deployment's one of two, the data's ends a model's."""
    endpoint, data, deployment = (schema_of(f"{key}.name") for key in ("endpoint", "dataset", "deployment"))
    assert deployment["pattern"] == f"^{name_rules.rule('deployment').pattern}$"
    assert deployment["maxLength"] == name_rules.rule("deployment").most - len(names_module.SECOND)
    assert endpoint["pattern"] == f"^{name_rules.rule('endpoint').pattern}$"
    assert endpoint["maxLength"] == name_rules.rule("endpoint").most - len("-12345678")
    assert data["pattern"] == f"^{name_rules.rule('data').pattern}$"


def names(seed: int, count: int = 300) -> list[str]:
    """Returns names at random, most of them of signs that names have, of lengths about the bounds."""
    draw = random.Random(seed)
    lengths = (*range(1, 6), 15, 16, 17, 22, 23, 24, 31, 32, 33, 34, 64, 65)
    signs = "abcXYZ019--__" + ".éß²"
    made = ["".join(draw.choices(signs[: draw.choice((9, 11, 13, 17))], k=draw.choice(lengths))) for _ in range(count)]
    return [name for name in made if name.strip(".")]


@pytest.mark.parametrize("key", ["compute.name", "azure.workspace", "model.name"])
def test_the_schema_and_the_rule_agree_over_generated_names(key: str) -> None:
    rule, values = name_rules.rule(KEYS[key]), load("dev")
    section, _, name = key.rpartition(".")
    seen = set()
    for text in names(7):
        values.data[section][name] = text
        refused = any(key in sentence for sentence in faults(values.data, values.where, ROOT))
        assert refused == bool(rule.fault(text)), text
        seen.add(refused)
    assert seen == {True, False}


def test_patterns_are_of_the_whole_name_and_of_plain_letters() -> None:
    for rule in name_rules.rules().values():
        assert re.compile(rule.pattern)
        if rule.resource != "resource group":
            assert "\\w" not in rule.pattern, rule.resource
