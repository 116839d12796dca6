"""Assets on the wire: statuses, words, shapes, counting and paging as the service was recorded."""

from __future__ import annotations

import re

import pytest

from tests.local.wire import Wire

IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04"
STAMP = r"\d{4}(-\d\d){5}-\d{7}"


@pytest.fixture
def wire(local):
    """Requests to the workspace."""
    return Wire(local)


@pytest.fixture
def place(local):
    """The URI of a file in the default datastore."""
    from azure.ai.ml.entities import Data

    path = str(local.rows(2))
    return local.ml.data.create_or_update(Data(name=local.name("file"), version="1", path=path, type="uri_file")).path


@pytest.mark.parametrize("version", ["a-job-name-1", "1.0.0", "0", "-1", "²", "1a"])
def test_a_model_version_is_a_positive_integer(wire, local, place, version):
    refused = wire.refused("PUT", f"models/chat/versions/{version}", {"properties": {"modelUri": place}})
    assert refused == (400, "ModelVersionOutOfRange", "Model version must be a positive integer.")


def test_names_of_assets_have_no_dots(wire, place):
    for path, properties in (
        ("models/Phi-3.5-mini/versions/1", {"modelUri": place}),
        ("data/some.rows/versions/1", {"dataType": "uri_file", "dataUri": place}),
        ("environments/my.env/versions/1", {"image": IMAGE}),
    ):
        status, code, message = wire.refused("PUT", path, {"properties": properties})
        assert (status, code) == (400, "RequestInvalid")
        assert "alphanumeric characters, dashes, and underscores, with a limit of 255 characters" in message


def test_a_version_is_made_once_and_shown_whole(wire, local, place):
    name = local.name("model")
    made = wire.put(f"models/{name}/versions/1", modelUri=place, modelType="custom_model", tags={"rows": 2})
    assert made.status_code == 201
    assert made.headers["location"].partition("?")[0].endswith(f"/models/{name}/versions/1")
    properties = made.json()["properties"]
    assert properties["modelUri"].startswith("azureml://subscriptions/")
    nulls = ("description", "jobName", "autoDeleteSetting", "intellectualProperty")
    assert [properties[key] for key in nulls] == [None] * 4
    assert (properties["provisioningState"], properties["stage"]) == ("Succeeded", "Development")
    assert properties["tags"] == {"rows": "2"}
    again = wire.put(f"models/{name}/versions/1", modelUri=place, modelType="custom_model", isArchived=True)
    assert (again.status_code, again.json()["properties"]["stage"]) == (200, "Archived")
    old = wire.get(f"models/{name}/versions/1", **{"api-version": "2022-05-01"})["properties"]
    assert not {"stage", "provisioningState", "autoDeleteSetting"} & old.keys()


def test_where_an_asset_is_can_never_change(wire, local, place):
    name = local.name("asset")
    for path, first in (
        (f"models/{name}/versions/1", {"modelType": "custom_model", "modelUri": place}),
        (f"data/{name}/versions/foo", {"dataType": "uri_file", "dataUri": place}),
    ):
        assert wire.put(path, **first).status_code == 201
        key = next(key for key in first if key.endswith("Uri"))
        other = {"properties": {**first, key: place.rpartition("/")[0]}}
        assert wire.refused("PUT", path, other) == (409, "UserError", "Asset paths cannot be updated.")


def test_latest_is_what_was_made_last_and_next_what_can_be_counted(wire, local, place):
    name = local.name("data")

    def seen():
        properties = wire.get(f"data/{name}")["properties"]
        return properties["latestVersion"], properties["nextVersion"]

    for version, expected in (("foo", ("foo", "1")), ("7", ("7", "8")), ("bar", ("bar", "8"))):
        wire.put(f"data/{name}/versions/{version}", dataType="uri_file", dataUri=place)
        assert seen() == expected
    container = wire.get(f"data/{name}")
    assert (container["properties"]["tags"], container["properties"]["properties"]) == (None, None)
    assert "lastModifiedBy" not in container["systemData"]
    listed = next(each for each in wire.get("data")["value"] if each["name"] == name)
    assert re.fullmatch(STAMP, listed["properties"]["nextVersion"])


def test_an_environment_is_sent_again_with_201_and_never_changed(wire, local):
    path = f"environments/{local.name('env')}/versions/1"
    for _ in range(2):
        assert wire.put(path, image=IMAGE).status_code == 201
    status, _, message = wire.refused("PUT", path, {"properties": {"image": "another"}})
    assert status == 409
    assert "Azure ML would take this and keep the old image" in message
    container = wire.get(path.rpartition("/versions")[0])["properties"]
    assert container["latestVersion"] == "1"
    assert re.fullmatch(STAMP, container["nextVersion"])


def test_a_component_is_shown_in_texts_and_its_code_never_changes(wire, local):
    path = f"components/{local.name('component').replace('-', '_')}/versions/0.0.1"
    name = path.split("/")[1]
    spec = {
        "name": name,
        "version": "0.0.1",
        "type": "command",
        "is_deterministic": True,
        "command": "echo hello",
        "environment": "azureml:env:1",
        "inputs": {"rows": {"type": "integer", "default": 3}},
        "_source": "YAML.COMPONENT",
    }
    assert wire.put(path, description="words", componentSpec=spec).status_code == 201
    properties = wire.get(path)["properties"]
    shown = properties["componentSpec"]
    assert properties["description"] is None
    assert (shown["is_deterministic"], shown["resources"]) == ("True", {"instance_count": "1"})
    assert shown["inputs"]["rows"] == {"type": "integer", "default": "3", "optional": "False"}
    assert "_source" not in shown
    assert wire.put(path, componentSpec={**spec, "display_name": "x"}).status_code == 200
    refused = wire.refused("PUT", path, {"properties": {"componentSpec": {**spec, "code": "azureml:code:1"}}})
    words = f'Failed to update component {name} since field "code" is immutable, try specifying a new version.'
    assert refused == (400, "UpdateComponentFailed", words)
    container = wire.get(path.rpartition("/versions")[0])
    assert container["properties"]["latestVersion"] is None
    assert set(container["systemData"]) == {"createdAt", "lastModifiedAt"}


def test_each_kind_says_in_its_own_words_that_an_asset_is_not_there(wire):
    assert wire.refused("GET", "data/none") == (404, "NotFoundError", "none container was not found.")
    words = "No environment exists for name: none, version: , label: "
    assert wire.refused("GET", "environments/none") == (404, "NotFoundError", words)
    assert wire.refused("GET", "components/none") == (404, "ComponentNotFound", "Not found component none.")
    missing = (404, "ModelNotFound", "The specified resource was not found.")
    for path in ("models/none", "models/none/versions", "models/none/versions/1"):
        assert wire.refused("GET", path) == missing
    assert wire.get("data/none/versions") == {"value": []}


def test_lists_have_pages_newest_first(wire, local, place):
    name = local.name("paged")
    for version in range(1, 24):
        wire.put(f"models/{name}/versions/{version}", modelUri=place, modelType="custom_model")
    first = wire.get(f"models/{name}/versions")
    assert [each["name"] for each in first["value"]] == [str(number) for number in range(23, 3, -1)]
    second = wire.get(first["nextLink"])
    assert ([each["name"] for each in second["value"]], "nextLink" in second) == (["3", "2", "1"], False)
    newest = wire.get(f"models/{name}/versions", **{"$orderBy": "createdtime desc", "$top": "1"})
    assert [each["name"] for each in newest["value"]] == ["23"]
    assert newest["nextLink"]
    assert wire.refused("GET", f"models/{name}/versions", **{"$skipToken": "no token"})[0] == 400
    assert [each.version for each in local.ml.models.list(name=name)] == [str(number) for number in range(23, 0, -1)]


def test_versions_of_a_stage(wire, local, place):
    name = local.name("staged")
    for version, stage in (("1", "Production"), ("2", "Development")):
        wire.put(f"models/{name}/versions/{version}", modelUri=place, modelType="custom_model", stage=stage)
    found = wire.get(f"models/{name}/versions", stage="Production")["value"]
    assert [each["name"] for each in found] == ["1"]


def test_what_is_of_another_type_is_refused_in_a_sentence(wire, local):
    for path, properties in (
        ("models/a/versions/1", {"modelUri": 5}),
        ("models/a/versions/1", {"tags": [1]}),
        ("models/a/versions/1", {"modelType": "tuned"}),
        ("data/a/versions/1", {"dataType": ["uri_file"], "dataUri": "x"}),
        ("environments/a/versions/1", {"build": 3}),
        ("components/a/versions/1", {"componentSpec": "x"}),
        ("components/a/versions/1", {"componentSpec": {"inputs": [1]}}),
        ("codes/a/versions/1", {"isAnonymous": "yes"}),
        ("datastores/a", {"credentials": 4}),
        ("models/a", {"tags": 4}),
    ):
        status, _, message = wire.refused("PUT", path, {"properties": properties})
        assert status == 400
        assert "allowed" in message


def test_outputs_of_a_job_pass_the_rules_of_a_put():
    from scripts.local.core.web import AzureError
    from scripts.local.resources import models

    for output, code in (
        ({"jobOutputType": "mlflow_model", "assetName": "chat", "assetVersion": "v2"}, "UserError"),
        ({"jobOutputType": "mlflow_model", "assetName": "Phi-3.5", "assetVersion": "2"}, "RequestInvalid"),
    ):
        with pytest.raises(AzureError) as caught:
            models.refuse_outputs({"trained_model": output})
        assert caught.value.code == code
    models.refuse_outputs({"rows": {"jobOutputType": "uri_folder", "assetName": "rows", "assetVersion": "v2"}})


def test_a_model_whose_job_left_nothing(wire, local):
    job = local.submit()
    assert local.ended(job) == "Completed"
    uri = f"azureml://jobs/{job}/outputs/artifacts/paths/outputs/model.pkl"
    answer = wire.put(f"models/{local.name('model')}/versions/1", modelUri=uri, modelType="custom_model")
    assert answer.json()["error"]["details"][0]["code"] == "NoMatchingArtifactsFoundFromJob"
    uri = "azureml://datastores/workspaceblobstore/paths/nothing/here"
    answer = wire.put(f"models/{local.name('model')}/versions/1", modelUri=uri, modelType="custom_model")
    (detail,) = answer.json()["error"]["details"]
    assert detail["code"] == "ModelAssetPathNotFoundInStorage"
    assert "Azure ML takes an empty path of a datastore" in detail["message"]


def test_an_older_home_stays_readable(local, wire, place):
    """Text versions of models, places in short form and archived containers, as the first version kept them."""
    from scripts.local.core.home import Home
    from scripts.local.core.store import Store

    name = local.name("older")
    words = local.emulated.workspace
    scope = f"{words['subscription_id']}/{words['resource_group']}/{words['workspace']}".lower()
    store = Store(Home(local.emulated.home).database)
    short = "azureml://datastores/workspaceblobstore/paths/" + place.partition("/paths/")[2]
    body = {"properties": {"modelType": "custom_model", "modelUri": short, "tags": {}, "properties": {}}}
    for version in ("dev-12ab-1", "2"):
        store.put(scope, "models", name, body, version)
    store.put(scope, f"archived-{'models'}", name, {})
    store.close()
    assert [each.version for each in local.ml.models.list(name=name)] == ["2", "dev-12ab-1"]
    container = wire.get(f"models/{name}")["properties"]
    assert (container["nextVersion"], container["isArchived"]) == ("3", True)
    local.ml.models.archive(name, version="dev-12ab-1")
    assert wire.get(f"models/{name}/versions/dev-12ab-1")["properties"]["isArchived"] is True


def test_curated_environments_are_known_by_both_names(wire, local):
    shown = wire.get("environments/AzureML-sklearn-1.5/versions/3")["properties"]
    assert shown["environmentType"] == "Curated"
    assert wire.get("environments/AzureML-sklearn-1.5")["properties"]["latestVersion"] == "1"
    assert wire.refused("GET", "environments/AzureML-sklearn-9.9")[0] == 404
    assert local.registry.environments.get("sklearn-1.5", version="3").version == "3"
