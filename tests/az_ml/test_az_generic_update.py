"""--set, --add and --remove of the update verbs."""

import types

import pytest

from scripts.az_ml import generic_update
from scripts.errors import UserError


def changed(instance, *changes, force_string=False):
    return generic_update.apply(instance, list(changes), force_string)


def test_set_reads_json_where_it_is_json_and_strings_where_it_is_not():
    held = {"max_instances": 1, "tags": {}, "display_name": "a"}
    changed(
        held, ("set", ["max_instances=2", "tags.a=true", "display_name=5e-6 x", "tags.b=[1, 2]", "model=azureml:m:1"])
    )
    assert held == {
        "max_instances": 2,
        "tags": {"a": True, "b": [1, 2]},
        "display_name": "5e-6 x",
        "model": "azureml:m:1",
    }
    assert changed({"a": 1}, ("set", ["a=2"]), force_string=True) == {"a": "2"}


def test_set_goes_into_lists_and_entities():
    held = {"nodes": [{"name": "a", "size": 1}, {"name": "b", "size": 2}]}
    changed(held, ("set", ["nodes[0].size=7", "nodes[name=b].size=8"]))
    assert [node["size"] for node in held["nodes"]] == [7, 8]
    entity = types.SimpleNamespace(tags={}, auth_mode="key", probe=None)
    changed(entity, ("set", ["tags.new=x", "authMode=aml_token", "probe.period=5"]))
    assert entity.tags == {"new": "x"} and entity.auth_mode == "aml_token" and entity.probe == {"period": 5}


def test_add_and_remove():
    held = {"list": [1], "tags": {"a": "1"}, "empty": None}
    changed(held, ("add", ["list", "2", "name=x", "size=3", "text"]), ("add", ["empty", "1"]))
    assert held["list"] == [1, 2, {"name": "x", "size": "3"}, "text"] and held["empty"] == [1]
    changed(held, ("remove", ["list", "0"]), ("remove", ["tags.a"]))
    assert held["list"][0] == 2 and held["tags"] == {}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            ("set", ["tags.z=1"]),
            "Couldn't find 'tags' in ''. Available options: ['createdOn', 'maxInstances', 'nodes']",
        ),
        (("set", ["maxinstances.z=1"]), "did you mean 'max_instances'?"),
        (("set", ["max_instances.z=1"]), "Couldn't find 'z' in 'max_instances'."),
        (("set", ["nodes[3]=1"]), "index 3 doesn't exist on nodes"),
        (("set", ["novalue"]), "usage error: --set KEY=VALUE [KEY=VALUE ...]"),
        (("remove", ["nosuch"]), "Couldn't find 'nosuch'"),
        (("remove", ["nodes", "9"]), "index 9 doesn't exist on nodes"),
        (("add", ["max_instances", "1"]), "it is not a list"),
    ],
)
def test_refusals_have_azs_text_and_code(change, text):
    held = {"created_on": "x", "max_instances": 1, "nodes": []}
    with pytest.raises(UserError) as refused:
        changed(held, change)
    assert text in str(refused.value) and refused.value.code == 1
