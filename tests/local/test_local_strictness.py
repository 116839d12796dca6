"""The emulator refuses what Azure ML refuses and the SDK lets through; each refusal names the thing."""

from __future__ import annotations

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.local.conftest import COMPONENT, MODEL, SIZE

REGISTRY = "azureml://registries/azureml"


def refused(local, step=None, **top):
    """Submits a job that must be refused with 400 and returns the sentence."""
    local.cluster()
    with pytest.raises(HttpResponseError) as caught:
        local.ml.jobs.create_or_update(local.job(step, **top))
    assert caught.value.status_code == 400
    return caught.value.error.message


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"num_train_epoch": 1}, ["num_train_epoch", "did you mean 'num_train_epochs'"]),
        ({"num_train_epochs": 0}, ["num_train_epochs", "at least 1"]),
        ({"num_train_epochs": "two"}, ["num_train_epochs", "'two'", "not an integer"]),
        ({"learning_rate": "fast"}, ["learning_rate", "not a number"]),
        ({"apply_lora": True}, ["apply_lora", "'True'", "true, false"]),
        ({"precision": "8"}, ["precision", "32, 16"]),
        ({"lr_scheduler_type": "cosin"}, ["lr_scheduler_type", "did you mean 'cosine'"]),
        ({"train_file_path": "train.jsonl"}, ["train_file_path", "uri_file"]),
        (
            {"train_file_path": "${{parent.inputs.trainfile}}"},
            ["${{parent.inputs.trainfile}}", "did you mean 'train_file'"],
        ),
        ({"train_file_path": "${{parent.jobs.prep.outputs.train}}"}, ["no step 'prep'"]),
        (
            {"train_file_path": "${{parent.inputs.base_model}}"},
            ["train_file_path", "mlflow_model", "uri_file is needed"],
        ),
        ({"compute_finetune": "gpu-clster"}, ["compute_finetune", "gpu-clster", "did you mean 'gpu-cluster'"]),
        ({"compute_finetune": "azureml:gpu-cluster"}, ["compute_finetune", "azureml:gpu-cluster"]),
        ({"compute_finetune": None}, ["instance_type_finetune", "Standard_NC24rs_v3", "retired"]),
        (
            {"compute_finetune": None, "instance_type_finetune": "Standard_NC1"},
            ["'Standard_NC1'", "not known to this catalog"],
        ),
    ],
)
def test_a_wrong_step_input_is_refused(local, step, words):
    sentence = refused(local, step)
    assert all(word in sentence for word in words), sentence


def test_every_fault_is_told_at_once(local):
    local.cluster()
    with pytest.raises(HttpResponseError) as caught:
        local.ml.jobs.create_or_update(local.job({"nothing": 1, "precision": "8"}))
    assert [detail.message.split(". ")[0].split(" is ")[0] for detail in caught.value.error.details] == [
        "Invalid component job since input nothing for component job finetune does not exist",
        "Step finetune: input precision",
    ]


def test_models_and_components_of_the_registry_must_exist(local):
    def with_model(path):
        inputs = {
            "base_model": {"type": "mlflow_model", "path": path},
            "train_file": {"type": "uri_file", "path": str(local.rows())},
        }
        return refused(local, inputs=inputs)

    assert "'Phi-5'" in with_model(f"{REGISTRY}/models/Phi-5/versions/1")
    assert "version 99" in with_model(f"{REGISTRY}/models/Phi-4/versions/99")
    assert "without a version" in with_model(f"{REGISTRY}/models/Phi-4")
    assert "registry 'other'" in with_model("azureml://registries/other/models/Phi-4/versions/8")
    for component, word in (
        (COMPONENT.replace("0.0.82", "0.0.1"), "0.0.1"),
        (COMPONENT.replace("chat_completion", "chat"), "'chat_pipeline'"),
    ):
        job = local.job()
        job.jobs["finetune"]._component = component
        with pytest.raises(HttpResponseError) as caught:
            local.ml.jobs.create_or_update(job)
        assert word in caught.value.error.message


def test_the_label_latest_is_resolved(local):
    inputs = {
        "base_model": {"type": "mlflow_model", "path": MODEL.replace("versions/15", "labels/latest")},
        "train_file": {"type": "uri_file", "path": str(local.rows())},
    }
    assert local.ended(local.submit(inputs=inputs)) == "Completed"


def test_data_assets_must_exist_and_have_the_type(local):
    from azure.ai.ml.entities import Data

    def with_data(path):
        return {"base_model": {"type": "mlflow_model", "path": MODEL}, "train_file": {"type": "uri_file", "path": path}}

    sentence = refused(local, inputs=with_data("azureml:nowhere:1"))
    assert sentence.startswith("Could not resolve uris of type data for assets ")
    assert "nowhere:1" in sentence
    folder = local.folder / "rows"
    folder.mkdir()
    (folder / "train.jsonl").write_text("{}\n")
    asset = local.ml.data.create_or_update(
        Data(name=local.name("folder"), version="1", path=str(folder), type="uri_folder")
    )
    assert "uri_folder" in refused(local, inputs=with_data(f"azureml:{asset.name}:1"))


@pytest.mark.parametrize("kind", ["data", "Data", "things"])
def test_an_asset_can_be_named_by_its_id_and_must_exist(local, kind):
    words = local.emulated.workspace
    workspace = f"/subscriptions/{words['subscription_id']}/resourceGroups/{words['resource_group']}/providers"
    workspace += f"/Microsoft.MachineLearningServices/workspaces/{words['workspace']}"
    inputs = {
        "base_model": {"type": "mlflow_model", "path": MODEL},
        "train_file": {"type": "uri_file", "path": f"azureml:{workspace}/{kind}/no-such-rows/versions/1"},
    }
    sentence = refused(local, inputs=inputs)
    assert "Could not find asset with ID: azureml:no-such-rows:1" in sentence
    assert kind.lower() in sentence


def test_an_input_of_a_command_job_must_exist(local):
    from azure.ai.ml import Input, command

    local.cluster()
    given = Input(type="uri_file", path="azureml:no-such-rows:1")
    words = {"environment": f"{REGISTRY}/environments/sklearn-1.5/versions/1", "compute": "gpu-cluster"}
    with pytest.raises(HttpResponseError) as caught:
        local.ml.jobs.create_or_update(command(command="cat ${{inputs.rows}}", inputs={"rows": given}, **words))
    assert caught.value.status_code == 400
    assert "no-such-rows" in caught.value.error.message


def test_outputs_are_bound_to_something(local):
    outputs = {"trained_model": {"type": "mlflow_model"}, "other": {"type": "uri_folder"}}
    assert "'other'" in refused(local, outputs=outputs)
    step = {
        "type": "pipeline",
        "component": COMPONENT,
        "inputs": {"mlflow_model_path": "${{parent.inputs.base_model}}"},
    }
    wrong_target = {**step, "outputs": {"mlflow_model_folder": "${{parent.outputs.trained}}"}}
    assert "did you mean 'trained_model'" in refused(local, jobs={"finetune": wrong_target})
    unknown = {**step, "outputs": {"mlflow_model": "${{parent.outputs.trained_model}}"}}
    assert "did you mean 'mlflow_model_folder'" in refused(local, jobs={"finetune": unknown})
    wrong_type = {"trained_model": {"type": "uri_file"}}
    assert "uri_file is needed" in refused(local, outputs=wrong_type)


def test_a_refused_job_does_not_exist(local):
    job = local.job({"precision": "8"})
    local.cluster()
    with pytest.raises(HttpResponseError):
        local.ml.jobs.create_or_update(job)
    with pytest.raises(ResourceNotFoundError):
        local.ml.jobs.get(job.name)


def test_sizes_of_clusters_are_checked_and_never_change(local):
    from azure.ai.ml.entities import AmlCompute

    def create(**words):
        with pytest.raises(HttpResponseError) as caught:
            local.ml.compute.begin_create_or_update(AmlCompute(**{"name": "cluster-x", "size": SIZE, **words}))
        return str(caught.value)

    assert "did you mean 'Standard_NC24ads_A100_v4'" in create(size="Standard_NC24ads_A100_v5")
    assert "is not known to this catalog" in create(size="Standard_F2s_v2")
    assert "NC6" not in create(size="Standard_NC5")  # the near word is never one that is retired
    assert "retired 2025-09-30" in create(size="Standard_NC6s_v3")
    assert "minimum" in create(min_instances=3, max_instances=2)
    assert "'a_b'" in create(name="a_b")
    local.cluster("fixed")
    assert "size" in create(name="fixed", size="Standard_NC48ads_A100_v4")
    assert "tier" in create(name="fixed", tier="low_priority")
    assert local.ml.compute.get("fixed").size == SIZE.upper()  # so does Azure show it


def test_versions_of_assets_never_change(local):
    from azure.ai.ml.entities import Data, Model

    name = local.name("data")
    first = local.ml.data.create_or_update(Data(name=name, version="1", path=str(local.rows(3)), type="uri_file"))
    again = local.ml.data.create_or_update(Data(name=name, version="1", path=str(local.rows(3)), type="uri_file"))
    assert again.path == first.path
    with pytest.raises(ResourceExistsError, match="Asset paths cannot be updated"):
        local.ml.data.create_or_update(Data(name=name, version="1", path=str(local.rows(4)), type="uri_file"))
    model = local.model()
    with pytest.raises(ResourceExistsError, match="Asset paths cannot be updated"):
        path = str(local.rows(5, "other.jsonl"))
        local.ml.models.create_or_update(Model(name=model.name, version="1", path=path, type="custom_model"))


def test_a_registered_model_must_be_there_and_be_what_it_says(local):
    from azure.ai.ml.entities import Model

    def register(**words):
        with pytest.raises(HttpResponseError) as caught:
            local.ml.models.create_or_update(Model(name=local.name("model"), type="mlflow_model", version="1", **words))
        assert caught.value.status_code == 400
        return str(caught.value)

    assert "no-such-job" in register(path="azureml://jobs/no-such-job/outputs/trained_model")
    waiting = local.submit({"seed": 1})
    assert "not Completed" in register(path=f"azureml://jobs/{waiting}/outputs/trained_model")
    local.ml.jobs.begin_cancel(waiting).wait()
    done = local.submit()
    assert local.ended(done) == "Completed"
    assert "(NoMatchingOutputFoundFromJob) Job output model not found" in register(
        path=f"azureml://jobs/{done}/outputs/model"
    )
    folder = local.folder / "model"
    folder.mkdir()
    (folder / "weights.bin").write_text("1")
    assert "MLmodel" in register(path=str(folder))
    assert "'Phi-9'" in register(path=f"{REGISTRY}/models/Phi-9/versions/1")


def test_a_model_that_lost_its_chat_template_is_refused(local):
    from azure.ai.ml.entities import Model

    folder = local.folder / "chat-model"
    (folder / "model").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors:\n  transformers: {}\n")
    config = folder / "model" / "tokenizer_config.json"
    config.write_text('{"eos_token": "</s>"}')
    model = Model(name=local.name("chat"), type="mlflow_model", version="1", path=str(folder))
    with pytest.raises(HttpResponseError, match="the chat template was lost"):
        local.ml.models.create_or_update(model)
    config.write_text('{"chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}"}')
    model = Model(name=local.name("chat"), type="mlflow_model", version="1", path=str(folder))
    assert local.ml.models.create_or_update(model).version == "1"


def test_another_workspace_is_not_found(local):
    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential

    words = local.emulated.workspace
    other = MLClient(DefaultAzureCredential(), words["subscription_id"], words["resource_group"], "nobodys")
    with pytest.raises(ResourceNotFoundError, match="nobodys"):
        other.workspaces.get("nobodys")
    with pytest.raises(ResourceNotFoundError, match="nobodys"):
        list(other.jobs.list())


def test_a_wrong_secret_is_refused(local, monkeypatch):
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import EnvironmentCredential

    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        EnvironmentCredential().get_token("https://management.azure.com/.default")
