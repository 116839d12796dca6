"""The output formats, against what the official CLI's own formatter (knack 0.14.0) printed for the same data."""

import json
from pathlib import Path

import jmespath
import pytest

from scripts.az_ml import entities, output

PRINTED = json.loads((Path(__file__).parent / "data" / "printed_by_az.json").read_text())


@pytest.mark.parametrize("case", PRINTED["cases"], ids=lambda case: f"{case['format']}-{case['query']}")
def test_prints_what_az_prints(case):
    data = [PRINTED["data"], PRINTED["data"]] if case.get("list") else PRINTED["data"]
    if case["query"]:
        data = output.search(jmespath.compile(case["query"]), data)
    assert output.render(data, case["format"], queried=bool(case["query"])) == case["text"]


def test_the_resource_group_of_arm_ids_is_added_and_of_no_other():
    arm = "/subscriptions/s/resourceGroups/rg/providers/x"
    assert output.with_resource_group([{"id": arm}, {"id": f"azureml:{arm}"}]) == [
        {"id": arm, "resourceGroup": "rg"},
        {"id": f"azureml:{arm}", "resourceGroup": "rg"},
    ]
    registry = {"id": "azureml://registries/azureml/models/m/versions/1", "nested": {"id": arm}}
    assert output.with_resource_group(registry)["nested"]["resourceGroup"] == "rg"
    assert "resourceGroup" not in output.with_resource_group(registry)


def test_colours_only_where_asked_and_only_around_the_same_text():
    import re

    text = output.render({"a": "b", "n": [1, None]}, "jsonc", colour=True)
    assert "\033[" in text
    assert re.sub(r"\033\[\d+m", "", text) == output.render({"a": "b", "n": [1, None]}, "json")
    assert output.render({"a": 1}, "jsonc") == output.render({"a": 1}, "json")


def test_lists_are_reduced_as_the_extension_reduces_them():
    endpoint = {"name": "e", "location": "l", "scoring_uri": "u", "traffic": {}, "kind": "Managed", "id": "i"}
    assert set(entities.listed("online-endpoint list", [endpoint])[0]) == {
        "name",
        "location",
        "traffic",
        "mirror_traffic",
        "provisioning_state",
        "kind",
        "tags",
    }
    model = {"name": "m", "version": "1", "type": "mlflow_model", "path": "p"}
    listed = entities.listed("model list", [model])[0]
    assert listed["model type"] == "mlflow_model" and "type" not in listed and listed["stage"] is None
    assert listed["description"] == ""


def test_a_table_has_the_scalars_as_columns():
    job = {"name": "j", "status": "Completed", "compute": None, "type": "pipeline", "services": {}, "id": "i"}
    assert output.render([job], "table").splitlines()[0].split() == ["Name", "Status"]
