"""One registry of models: what the SDK registers, MLflow's clients find, and the other way round."""

from __future__ import annotations

import pytest
import requests

from tests.local.wire import Wire

STORE = "azureml://datastores/workspaceblobstore"


@pytest.fixture
def client(local):
    """MLflow's client on the plain listener, as jobs of this machine have it."""
    from mlflow import MlflowClient

    uri = local.tracking()
    return MlflowClient(uri, registry_uri=uri)


def test_mlflow_finds_what_the_sdk_registered(local, client):
    model = local.model()
    found = client.get_model_version(model.name, "1")
    assert (found.version, found.status, found.current_stage) == ("1", "READY", "None")
    assert found.source == model.path
    assert client.get_registered_model(model.name).latest_versions[0].version == "1"
    assert [each.name for each in client.search_registered_models(f"name = '{model.name}'")] == [model.name]
    assert [each.version for each in client.search_model_versions(f"run_id = '{found.run_id}'")] == ["1"]
    client.set_model_version_tag(model.name, "1", "from", "mlflow")
    assert local.ml.models.get(model.name, version="1").tags["from"] == "mlflow"
    client.delete_model_version_tag(model.name, "1", "from")
    assert "from" not in local.ml.models.get(model.name, version="1").tags
    client.transition_model_version_stage(model.name, "1", "Production")
    assert local.ml.models.get(model.name, version="1").stage == "Production"
    assert [each.version for each in client.get_latest_versions(model.name, ["Production"])] == ["1"]
    assert client.get_model_version_download_uri(model.name, "1").startswith("azureml://eastus.api.azureml.ms/azureml/")


def test_the_sdk_finds_what_mlflow_registered(local, client):
    job = local.submit()
    assert local.ended(job) == "Completed"
    folder = next(local.emulated.home.glob(f"blobs/*/azureml/ExperimentRun/dcid.{job}")) / "model"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors:\n  python_function: {}\n")
    name = local.name("tracked")
    client.create_registered_model(name, tags={"a": "b"}, description="words")
    assert Wire(local).get(f"models/{name}")["properties"]["latestVersion"] is None
    source = f"{client.get_run(job).info.artifact_uri}/model"
    made = client.create_model_version(name, source, run_id=job, tags={"c": "d"})
    model = local.ml.models.get(name, version=made.version)
    assert (model.version, model.type, model.tags, model.job_name) == ("1", "mlflow_model", {"c": "d"}, job)
    uri = client.get_model_version_download_uri(name, "1")
    assert uri.endswith(f"/runs/{job}/artifacts/model")
    assert local.ml.models.get(name, label="latest").version == "1"
    client.update_registered_model(name, "other words")
    client.set_registered_model_tag(name, "e", "f")
    assert client.get_registered_model(name).tags == {"a": "b", "e": "f"}
    assert Wire(local).get(f"models/{name}")["properties"]["description"] == "other words"


def test_what_azure_does_not_do_is_refused_in_mlflows_envelope(local, client):
    from mlflow.exceptions import MlflowException

    name = local.name("refused")
    client.create_registered_model(name)
    for call, words in (
        (lambda: client.create_registered_model(name), "already exists"),
        (lambda: client.rename_registered_model(name, "other"), "renaming"),
        (lambda: client.delete_registered_model(name), "deleting the entire model container"),
        (lambda: client.set_registered_model_alias(name, "best", "1"), "Aliases"),
        (lambda: client.get_registered_model("none-such"), "not found"),
        (lambda: client.create_registered_model("Phi-3.5"), "alphanumeric"),
        (lambda: client.search_registered_models("owner = 'me'"), "filter"),
        (
            lambda: client.create_model_version(name, "azureml://datastores/workspaceblobstore/paths/no"),
            "No blobs found",
        ),
    ):
        with pytest.raises(MlflowException, match=words):
            call()


def test_logged_models_are_not_served_unless_they_are_asked_for(local):
    wire = Wire(local)
    base = f"{wire.workspace}/api/2.0/mlflow/logged-models"
    answer = wire.ask("POST", f"/mlflow/v2.0{base}", {"experiment_id": "0"}, host="eastus.api.azureml.ms")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    assert "tracking.logged_models" in answer.json()["message"]


def test_azureml_mlflows_routes_for_a_local_model(local):
    """`mlflow.register_model("file://…")` with azureml-mlflow: upload by artifact routes, then a version of it."""
    wire, host = Wire(local), "eastus.api.azureml.ms"
    container = local.name("240101T000000")
    base = f"/artifact/v2.0{wire.workspace}/artifacts/LocalUpload/{container}"
    given = wire.ask("POST", f"{base}/batch/metadata", {"paths": [{"path": "model/MLmodel"}]}, host=host).json()
    uri = given["artifactContentInformation"]["model/MLmodel"]["contentUri"]
    content = "flavors:\n  python_function: {}\n"
    assert requests.put(uri, data=content, headers={"x-ms-blob-type": "BlockBlob"}, timeout=20).status_code == 201
    name = local.name("uploaded")
    rest = f"/mlflow/v2.0{wire.workspace}/api/2.0/mlflow"
    wire.ask("POST", f"{rest}/registered-models/create", {"name": name}, host=host)
    body = {"name": name, "source": f"azureml://artifacts/LocalUpload/{container}/model"}
    made = wire.ask("POST", f"{rest}/model-versions/create", body, host=host).json()["model_version"]
    assert made["version"] == "1"
    query = {"name": name, "version": "1"}
    place = wire.ask("GET", f"{rest}/model-versions/get-download-uri", host=host, **query).json()["artifact_uri"]
    assert place == f"azureml://{host}/LocalUpload/{container}/model"
    assert [each["path"] for each in wire.ask("GET", base, host=host).json()["value"]] == ["model/MLmodel"]
    found = wire.ask("GET", f"https://{host}{base}/contentinfo?path=model/MLmodel").json()["contentUri"]
    assert requests.get(found, timeout=20).text == content
    assert wire.ask("GET", f"https://{host}{base}/contentinfo?path=../../x").status_code == 400


def test_filters_and_orders():
    from scripts.local.core.web import AzureError
    from scripts.local.resources.mlflow_filter import ordered, wanted

    items = [
        {"name": name, "version": version, "run_id": "r", "tags": [{"key": "k", "value": version}]}
        for name, version in (("chat-a", "2"), ("chat-b", "10"), ("Other", "1"))
    ]

    def names(text):
        return [each["name"] for each in wanted(items, text)]

    assert names("") == ["chat-a", "chat-b", "Other"]
    assert names("name LIKE 'chat-%' and tags.k = '10'") == ["chat-b"]
    assert names("name ILIKE 'OTHER'") == ["Other"]
    assert names("run_id != 'r'") == []
    assert len(names("tags.`mlflow.prompt.is_prompt` != 'true'")) == 3
    assert [each["version"] for each in ordered(items, [], "version_number DESC")] == ["10", "2", "1"]
    for text in ("name", "owner = 'x'", "name = 'x' or name = 'y'"):
        with pytest.raises(AzureError):
            wanted(items, text)
    with pytest.raises(AzureError):
        ordered(items, ["size"], "name ASC")
