"""The reference notebook's own SDK calls, unchanged, from signing in to deleting the endpoint.

Only what the notebook leaves to its reader is filled in: the cluster's name and size, the serving size (its own are
retired), and a small data set in the place of the download.
"""

from __future__ import annotations

import ast
import json
import time
from pathlib import Path

import pytest

from tests.conftest import enter


@pytest.fixture
def notebook(request, tmp_path, monkeypatch):
    """The folder of a notebook with its config.json and data set, in the environment of an emulator."""
    emulated = request.getfixturevalue(request.param)
    patch = enter(emulated)
    words = emulated.workspace
    config = {
        "subscription_id": words["subscription_id"],
        "resource_group": words["resource_group"],
        "workspace_name": words["workspace"],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    folder = tmp_path / "ultrachat_200k_dataset"
    folder.mkdir()
    for name, count in (("train_sft", 10), ("test_sft", 4), ("test_gen", 4)):
        with (folder / f"{name}.jsonl").open("w") as file:
            for number in range(count):
                messages = [
                    {"role": "user", "content": f"What is {number} plus one?"},
                    {"role": "assistant", "content": f"{number} plus one is {number + 1}."},
                ]
                file.write(
                    json.dumps({"prompt": messages[0]["content"], "prompt_id": str(number), "messages": messages})
                    + "\n"
                )
    monkeypatch.chdir(tmp_path)
    yield emulated
    patch.undo()


@pytest.mark.parametrize("notebook", ["fake_emulator", pytest.param("emulator", marks=pytest.mark.slow)], indirect=True)
def test_the_notebook(notebook, capsys):
    # 1. Prerequisites
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import AmlCompute
    from azure.identity import DefaultAzureCredential, InteractiveBrowserCredential

    try:
        credential = DefaultAzureCredential()
        credential.get_token("https://management.azure.com/.default")
    except Exception:
        credential = InteractiveBrowserCredential()
    try:
        workspace_ml_client = MLClient.from_config(credential=credential)
    except Exception:
        workspace_ml_client = MLClient(
            credential,
            subscription_id="<SUBSCRIPTION_ID>",
            resource_group_name="<RESOURCE_GROUP>",
            workspace_name="<WORKSPACE_NAME>",
        )
    registry_ml_client = MLClient(credential, registry_name="azureml")
    experiment_name = "chat_completion_Phi-3-mini-4k-instruct"
    timestamp = str(int(time.time()))

    # 2. The foundation model
    model_name = "Phi-3-mini-4k-instruct"
    foundation_model = registry_ml_client.models.get(model_name, label="latest")
    assert foundation_model.id == f"azureml://registries/azureml/models/{model_name}/versions/15"

    # 3. The compute
    assert "finetune_compute_allow_list" in foundation_model.tags
    computes_allow_list = ast.literal_eval(foundation_model.tags["finetune_compute_allow_list"])
    compute_cluster = "gpu-cluster-big"
    compute_cluster_size = computes_allow_list[0]
    try:
        compute = workspace_ml_client.compute.get(compute_cluster)
    except Exception:
        compute = AmlCompute(name=compute_cluster, size=compute_cluster_size, tier="Dedicated", max_instances=2)
        workspace_ml_client.compute.begin_create_or_update(compute).wait()
    compute = workspace_ml_client.compute.get(compute_cluster)
    assert compute.provisioning_state.lower() != "failed"
    assert compute.size.lower() in [x.lower() for x in computes_allow_list]
    gpu_count_found = False
    workspace_compute_sku_list = workspace_ml_client.compute.list_sizes()
    for compute_sku in workspace_compute_sku_list:
        if compute_sku.name.lower() == compute.size.lower():
            gpus_per_node = compute_sku.gpus
            gpu_count_found = True
    assert gpu_count_found
    assert gpus_per_node == 1

    # 5. Submitting the fine-tuning job
    training_parameters = dict(  # noqa: C408
        num_train_epochs=3,
        per_device_train_batch_size=1,
        per_device_eval_batch_size=1,
        learning_rate=5e-6,
        lr_scheduler_type="cosine",
    )
    optimization_parameters = dict(apply_lora="true", apply_deepspeed="true", deepspeed_stage=2)  # noqa: C408
    finetune_parameters = {**training_parameters, **optimization_parameters}
    if "model_specific_defaults" in foundation_model.tags:
        finetune_parameters.update(ast.literal_eval(foundation_model.tags["model_specific_defaults"]))

    def get_pipeline_display_name():
        batch_size = (
            int(finetune_parameters.get("per_device_train_batch_size", 1))
            * int(finetune_parameters.get("gradient_accumulation_steps", 1))
            * int(gpus_per_node)
            * int(finetune_parameters.get("num_nodes_finetune", 1))
        )
        scheduler = finetune_parameters.get("lr_scheduler_type", "linear")
        deepspeed = finetune_parameters.get("apply_deepspeed", "false")
        ds_stage = finetune_parameters.get("deepspeed_stage", "2")
        ds_string = f"ds{ds_stage}" if deepspeed == "true" else "nods"
        lora_string = "lora" if finetune_parameters.get("apply_lora", "false") == "true" else "nolora"
        save_limit = finetune_parameters.get("save_total_limit", -1)
        seq_len = finetune_parameters.get("max_seq_length", -1)
        parts = [model_name, "ultrachat", f"bs{batch_size}", f"{scheduler}", ds_string, lora_string]
        return "-".join(parts) + f"-save_limit{save_limit}" + f"-seqlen{seq_len}"

    pipeline_display_name = get_pipeline_display_name()

    from azure.ai.ml import Input
    from azure.ai.ml.dsl import pipeline

    pipeline_component_func = registry_ml_client.components.get(name="chat_completion_pipeline", label="latest")

    @pipeline(name=pipeline_display_name)
    def create_pipeline():
        chat_completion_pipeline = pipeline_component_func(
            mlflow_model_path=foundation_model.id,
            compute_model_import=compute_cluster,
            compute_preprocess=compute_cluster,
            compute_finetune=compute_cluster,
            compute_model_evaluation=compute_cluster,
            train_file_path=Input(type="uri_file", path="./ultrachat_200k_dataset/train_sft.jsonl"),
            test_file_path=Input(type="uri_file", path="./ultrachat_200k_dataset/test_sft.jsonl"),
            number_of_gpu_to_use_finetuning=gpus_per_node,
            **finetune_parameters,
        )
        return {"trained_model": chat_completion_pipeline.outputs.mlflow_model_folder}

    pipeline_object = create_pipeline()
    pipeline_object.settings.force_rerun = True
    pipeline_object.settings.continue_on_step_failure = False
    pipeline_job = workspace_ml_client.jobs.create_or_update(pipeline_object, experiment_name=experiment_name)
    workspace_ml_client.jobs.stream(pipeline_job.name)
    assert "Streaming logs/azureml/executionlogs.txt" in capsys.readouterr().out

    # 6. Registering the model
    from azure.ai.ml.constants import AssetTypes
    from azure.ai.ml.entities import Model

    job = workspace_ml_client.jobs.get(pipeline_job.name)
    assert (job.status, job.display_name) == ("Completed", pipeline_display_name)
    assert list(job.outputs) == ["trained_model"]
    model_path_from_job = "azureml://jobs/{0}/outputs/{1}".format(pipeline_job.name, "trained_model")  # noqa: UP030
    finetuned_model_name = model_name + "-ultrachat-200k"
    finetuned_model_name = finetuned_model_name.replace("/", "-")
    prepare_to_register_model = Model(
        path=model_path_from_job,
        type=AssetTypes.MLFLOW_MODEL,
        name=finetuned_model_name,
        version=timestamp,
        description=model_name + " fine tuned model for ultrachat 200k chat-completion",
    )
    registered_model = workspace_ml_client.models.create_or_update(prepare_to_register_model)

    # 7. Deploying it
    from azure.ai.ml.entities import (
        ManagedOnlineDeployment,
        ManagedOnlineEndpoint,
        OnlineRequestSettings,
        ProbeSettings,
    )

    online_endpoint_name = "ultrachat-completion-" + timestamp
    endpoint = ManagedOnlineEndpoint(
        name=online_endpoint_name,
        description="Online endpoint for "
        + registered_model.name
        + ", fine tuned model for ultrachat-200k-chat-completion",
        auth_mode="key",
    )
    workspace_ml_client.begin_create_or_update(endpoint).wait()
    inference_computes_allow_list = ast.literal_eval(foundation_model.tags["inference_compute_allow_list"])
    instance_type = "Standard_NC24ads_A100_v4"
    assert instance_type in inference_computes_allow_list
    demo_deployment = ManagedOnlineDeployment(
        name="demo",
        endpoint_name=online_endpoint_name,
        model=registered_model.id,
        instance_type=instance_type,
        instance_count=1,
        liveness_probe=ProbeSettings(initial_delay=600),
        request_settings=OnlineRequestSettings(request_timeout_ms=90000),
    )
    workspace_ml_client.online_deployments.begin_create_or_update(demo_deployment).wait()
    endpoint.traffic = {"demo": 100}
    workspace_ml_client.begin_create_or_update(endpoint).result()

    # 8. Asking it
    import pandas as pd

    test_df = pd.read_json("./ultrachat_200k_dataset/test_gen.jsonl", lines=True)
    test_df = test_df.sample(n=1)
    test_df.reset_index(drop=True, inplace=True)
    parameters = {"temperature": 0.6, "top_p": 0.9, "do_sample": True, "max_new_tokens": 200}
    test_json = {"input_data": {"input_string": [test_df["messages"][0]], "parameters": parameters}, "params": {}}
    with Path("./ultrachat_200k_dataset/sample_score.json").open("w") as f:
        json.dump(test_json, f)
    response = workspace_ml_client.online_endpoints.invoke(
        endpoint_name=online_endpoint_name,
        deployment_name="demo",
        request_file="./ultrachat_200k_dataset/sample_score.json",
    )
    assert json.loads(response)["output"]

    # 9. Deleting the endpoint
    workspace_ml_client.online_endpoints.begin_delete(name=online_endpoint_name).wait()
    assert online_endpoint_name not in [each.name for each in workspace_ml_client.online_endpoints.list()]
    assert workspace_ml_client.models.get(finetuned_model_name, timestamp).type == "mlflow_model"
