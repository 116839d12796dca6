"""A valid body for each route that takes one, which tests change: as the SDK sends them."""

from __future__ import annotations

from typing import Any

SIZE = "Standard_DS3_v2"
PLACE = "azureml://datastores/workspaceblobstore/paths/fuzz/"


def bodies(ws: str, workspace: dict[str, str]) -> list[tuple[str, Any]]:
    """Returns valid bodies, each with the end of the template that takes it; `ws`: the ARM id of the workspace."""
    place = PLACE
    maps: dict[str, Any] = {"tags": {"a": "b"}, "properties": {"c": "d"}, "description": "words"}
    scale = {"minNodeCount": 0, "maxNodeCount": 1}
    cluster = {"computeType": "AmlCompute", "properties": {"vmSize": SIZE, "scaleSettings": scale}}
    spec = {"name": "fuzz", "version": "1", "type": "command", "command": "true", "inputs": {}, "outputs": {}}
    spec |= {"environment": "azureml:fuzz:1", "inputs": {"text": {"type": "string", "optional": True}}}
    compute, model = f"{ws}/computes/fuzz-cluster", f"{ws}/models/fuzz/versions/1"
    common = {**maps, "experimentName": "fuzz", "displayName": "fuzz", "computeId": compute, "isArchived": False}
    common |= {"inputs": {"text": {"jobInputType": "literal", "value": "hi"}}, "outputs": {}}
    output = {"jobOutputType": "uri_folder", "mode": "ReadWriteMount", "assetName": "fuzz-out", "uri": place}
    command = {"jobType": "Command", "command": "true", "environmentId": "azureml:fuzz:1", "outputs": {"o": output}}
    command |= {"environmentVariables": {"A": "b"}, "resources": {"instanceCount": 1}, "services": {}}
    step = {"type": "command", "componentId": f"{ws}/components/fuzz/versions/1", "outputs": {}}
    step |= {"inputs": {"text": {"job_input_type": "literal", "value": "${{parent.inputs.text}}"}}}
    tuned = {"jobType": "FineTuning", "outputs": {"registered_model": {"jobOutputType": "mlflow_model"}}}
    asset = {"jobInputType": "uri_file", "uri": f"{place}MLmodel"}
    details = {"taskType": "chatCompletion", "modelProvider": "Custom", "trainingData": asset}
    details |= {"model": {"jobInputType": "mlflow_model", "uri": place}, "hyperParameters": {"seed": "5"}}
    deployment = {"model": model, "instanceType": SIZE, "endpointComputeType": "Managed", "properties": {}}
    deployment |= {"requestSettings": {"requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 1}}
    deployment |= {"environmentVariables": {"A": "b"}, "livenessProbe": {"period": "PT10S", "failureThreshold": 3}}
    blobs = {"datastoreType": "AzureBlob", "accountName": "account", "containerName": "container"}
    blobs |= {"credentials": {"credentialsType": "AccountKey", "secrets": {"key": "x", "secretsType": "AccountKey"}}}
    top: dict[str, Any] = {"location": "eastus", "tags": {"a": "b"}, "identity": {"type": "SystemAssigned"}}
    paths = {"paths": [{"path": "a/b"}]}
    container = {"properties": {**maps, "isArchived": False}}
    named = {"name": "fuzz", "version": "1", "key": "k", "value": "v", "source": place, "stage": "Staging"}
    named |= {"tags": [{"key": "a", "value": "b"}], "filter": "name = 'fuzz'", "max_results": 5, "run_id": ""}
    run = {"experiment_id": "0", "experiment_ids": ["0"], "run_id": "fuzz-1", "name": "fuzz", "run_uuid": "fuzz-1"}
    run |= {"metrics": [{"key": "m", "value": 1.0, "timestamp": 1, "step": 0}], "params": [], "tags": []}
    run |= {"key": "m", "value": 1.0, "timestamp": 1, "filter": "", "max_results": 5, "order_by": []}
    return [
        ("data/{name}/versions/{version}", {"properties": {**maps, "dataType": "uri_folder", "dataUri": place}}),
        ("codes/{name}/versions/{version}", {"properties": {**maps, "codeUri": place}}),
        ("environments/{name}/versions/{version}", {"properties": {**maps, "image": "i", "condaFile": "name: x"}}),
        ("components/{name}/versions/{version}", {"properties": {**maps, "componentSpec": spec}}),
        ("models/{name}/versions/{version}", {"properties": {**maps, "modelType": "mlflow_model", "modelUri": place}}),
        ("computes/{name}", {**top, "properties": cluster}),
        ("datastores/{name}", {"properties": {**maps, **blobs}}),
        ("onlineEndpoints/{endpoint}", {**top, "properties": {"authMode": "Key", "traffic": {}, "properties": {}}}),
        ("deployments/{name}", {**top, "sku": {"name": "Default", "capacity": 1}, "properties": deployment}),
        ("jobs/{name}", {"properties": {**common, **command}}),
        ("jobs/{name}", {"properties": {**common, "jobType": "Pipeline", "jobs": {"one": step}, "settings": {}}}),
        ("jobs/{name}", {"properties": {**common, **tuned, "fineTuningDetails": details}}),
        *((f"/{kind}/{{name}}", container) for kind in ("data", "codes", "environments", "components", "models")),
        ("runs/{name}", {"hidden": False, "displayName": "x", "tags": {"a": "b"}, "description": "d"}),
        ("regenerateKeys", {"keyType": "Primary", "keyValue": "x"}),
        ("getLogs", {"containerType": "InferenceServer", "tail": 5}),
        ("rundata", {"runId": "fuzz-1", "selectRunMetadata": True}),
        ("batch/metadata", paths),
        ("listSecrets", {"expirableSecret": True, "expireAfterHours": 1}),
        ("startPendingUpload", {"pendingUploadType": "None"}),
        ("/control/workspaces", workspace),
        ("oauth2/v2.0/token", b"grant_type=client_credentials&client_id=x&client_secret=x&scope=x/.default"),
        ("{rest:path}", run),
        *((f"2.0/mlflow/{path}", named) for path in ("registered-models", "model-versions")),
        ("/score", {"input_data": {"input_string": ["x"], "parameters": {}}}),
    ]  # fmt: skip
