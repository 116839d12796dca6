"""What is asked of the emulator, in an order in which each question finds what it needs."""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from pathlib import Path
from typing import Any

from tests.azure.service.play import ARM, DATA, REFUSED, STABLE, Player, Result, content_of

NEWEST = "?$orderBy=createdtime%20desc&$top=1"
ACTIVE = "?listViewType=ActiveOnly"
LOGIN = "https://login.microsoftonline.com"
MLMODEL = "flavors:\n  python_function:\n    env: conda.yaml\n    loader_module: mlflow.transformers\n"
CONDA = "dependencies:\n- python=3.10\n- pip:\n  - mlflow==2.22.1\n  - azureml-ai-monitoring==1.0.0\n"


def play(player: Player) -> list[Result]:
    """Asks everything and returns what came of it."""
    sign_in(player)
    workspace(player)
    region(player)
    uploads = blobs(player)
    data(player, uploads)
    models(player, uploads)
    environment = environments(player)
    component = components(player, environment, code(player))
    cluster = computes(player)
    jobs(player, environment, component, cluster)
    endpoints(player, uploads)
    entra_endpoint(player)
    other_clients(player)
    player.follow(
        player.ask("delete the cluster", "DELETE", f"{cluster}?underlyingResourceAction=Delete", status=202), "deletion"
    )
    player.ask("a deleted cluster", "GET", cluster, status=404)
    registry(player)
    absent(player)
    return player.results


def versions(latest: str, following: str) -> Any:
    """Returns the rule for what a container says about its versions."""

    def rule(body: Any) -> bool:
        said = body["properties"]
        return (said["latestVersion"], said["nextVersion"]) == (latest, following)

    rule.__doc__ = f"should be latestVersion {latest}, nextVersion {following}"
    return rule


def without(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Returns a body with other properties."""
    return {**body, "properties": {**body["properties"], **changes}}


def sign_in(player: Player) -> None:
    """The token, and what leads to it."""
    env, tenant = player.env, f"{LOGIN}/{player.env['AZURE_TENANT_ID']}"
    no_token = {"headers": {"Accept": "application/json"}}
    player.ask("where the token is", "GET", f"{tenant}/v2.0/.well-known/openid-configuration", **no_token)
    query = f"api-version=1.1&authorization_endpoint={LOGIN}/common/oauth2/authorize"
    player.ask("which clouds", "GET", f"{LOGIN}/common/discovery/instance?{query}", **no_token)
    form = {
        "client_id": env["AZURE_CLIENT_ID"],
        "client_secret": env["AZURE_CLIENT_SECRET"],
        "grant_type": "client_credentials",
        "client_info": "1",
        "scope": f"{ARM}/.default",
    }
    answer = player.ask("the token", "POST", f"{tenant}/oauth2/v2.0/token", data=form, **no_token)
    player.token = answer.json()["access_token"]


def workspace(player: Player) -> None:
    """The workspace and its datastores."""
    ws = player.ws
    player.ask("the workspace", "GET", ws, case=["state:Succeeded"])
    player.ask("no such workspace", "GET", f"{ws}-none", status=404)
    player.ask("workspaces of the group", "GET", ws.rpartition("/")[0])
    player.ask("the default datastore", "GET", f"{ws}/datastores/workspaceblobstore", case=["datastoreType=AzureBlob"])
    player.ask(
        "which is the default", "GET", f"{ws}/datastores?count=30&isDefault=true&orderByAsc=false", case=["page"]
    )
    wish = {"expirableSecret": True, "expireAfterHours": 1}
    player.ask("its secret", "POST", f"{ws}/datastores/workspaceblobstore/listSecrets", wish, case=["secretsType=Sas"])
    player.ask("no such datastore", "GET", f"{ws}/datastores/none_here", status=404)
    properties = {
        "datastoreType": "AzureBlob",
        "accountName": "account",
        "containerName": "container",
        "endpoint": "core.windows.net",
        "protocol": "https",
        "credentials": {"credentialsType": "None"},
    }
    player.ask("a new datastore", "PUT", f"{ws}/datastores/another", {"properties": properties}, status=201)
    player.ask("the same again", "PUT", f"{ws}/datastores/another", {"properties": properties}, status=200)
    player.ask("delete it", "DELETE", f"{ws}/datastores/another")
    player.ask("subscriptions", "GET", f"{ARM}/subscriptions")
    player.ask("which services", "GET", f"{DATA}/discovery")


def region(player: Player) -> None:
    """What the subscription has in the region."""
    for what in ("usages", "quotas", "vmSizes"):
        player.ask(what, "GET", f"{player.locations}/{what}", api=STABLE)


def blobs(player: Player) -> dict[str, str]:
    """What an upload asks of the storage; returns where a file, a folder and a model that can be served lie."""
    store = player.send("GET", f"{player.ws}/datastores/workspaceblobstore").json()["properties"]
    secret = player.send("POST", f"{player.ws}/datastores/workspaceblobstore/listSecrets", {}).json()
    sas = secret["sasToken"].lstrip("?")
    container = f"https://{store['accountName']}.blob.core.windows.net/{store['containerName']}"
    version = {"x-ms-version": "2021-08-06"}
    folder = f"LocalUpload/{uuid.uuid4().hex}"
    url = f"{container}/{folder}/model.pkl?{sas}"
    new = version | {"x-ms-blob-type": "BlockBlob", "If-None-Match": "*", "Content-Type": "application/octet-stream"}

    def put(name: str, content: bytes) -> None:
        player.send("PUT", f"{container}/{folder}/{name}?{sas}", content=content, headers=new)

    player.ask("is it there?", "HEAD", url, status=404, headers=version)
    player.ask("upload", "PUT", url, status=201, headers=new, content=b"content")
    marks = version | {"x-ms-meta-upload_status": "completed", "x-ms-meta-name": "n", "x-ms-meta-version": "1"}
    marked = f"{container}/{folder}/model.pkl?comp=metadata&{sas}"
    player.ask("mark it as uploaded", "PUT", marked, case=["comp=metadata"], headers=marks)
    player.ask("it is there", "HEAD", url, case=["uploaded"], headers=version)
    ranged = version | {"x-ms-range": "bytes=0-33554431"}
    player.ask("read a part", "GET", url, status=206, case=["uploaded"], headers=ranged)
    put("empty", b"")
    player.ask("a part of nothing", "GET", f"{container}/{folder}/empty?{sas}", status=416, headers=ranged)
    listing = f"{container}?restype=container&comp=list&prefix={folder}&include=metadata&{sas}"
    player.ask("list a folder", "GET", listing, case=["comp=list"], headers=version)
    player.ask("the container again", "PUT", f"{container}?restype=container&{sas}", status=409, headers=version)
    put("mlflow/MLmodel", MLMODEL.encode())
    put("mlflow/conda.yaml", CONDA.encode())
    with tempfile.TemporaryDirectory() as place:
        for path in sorted(served_model(Path(place)).rglob("*")):
            if path.is_file():
                put(f"served/{path.relative_to(place)}", path.read_bytes())
    start = f"azureml://datastores/workspaceblobstore/paths/{folder}"
    return {"file": f"{start}/model.pkl", "folder": f"{start}/mlflow", "served": f"{start}/served"}


def served_model(folder: Path) -> Path:
    """Writes a small chat model as MLflow keeps it and returns its folder."""
    from transformers.utils import logging

    from tests.tiny_models import make_model

    logging.disable_progress_bar()
    make_model(folder / "model", initializer_range=0.3)
    (folder / "MLmodel").write_text(MLMODEL)
    (folder / "conda.yaml").write_text(CONDA)
    return folder


def data(player: Player, uploads: dict[str, str]) -> None:
    """Data assets: versions are words, the container follows what was made last."""
    base = f"{player.ws}/data/played"
    body = {"properties": {"properties": {}, "tags": {}, "isAnonymous": False, "isArchived": False}}
    body = without(body, dataType="uri_file", dataUri=uploads["file"])
    file = "dataType=uri_file"
    player.ask("no such data", "GET", base, status=404)
    player.ask("version foo", "PUT", f"{base}/versions/foo", body, status=201, case=[file])
    player.ask("read it", "GET", f"{base}/versions/foo", case=[file])
    player.ask("latest and next", "GET", base, rule=versions("foo", "1"))
    player.ask("version 1", "PUT", f"{base}/versions/1", body, status=201, case=[file])
    player.ask("latest and next", "GET", base, rule=versions("1", "2"))
    player.ask("version 1 again", "PUT", f"{base}/versions/1", body, case=[file])
    player.ask("versions", "GET", f"{base}/versions{ACTIVE}", case=["page"])
    player.ask(
        "archive it", "PUT", f"{base}/versions/1", without(body, isArchived=True), case=[file, "isArchived=true"]
    )
    player.ask("restore it", "PUT", f"{base}/versions/1", body)
    player.ask("archive all", "PUT", base, {"properties": {"isArchived": True, "dataType": "uri_file"}})
    player.ask("data", "GET", f"{player.ws}/data{ACTIVE}", case=["page"])


def models(player: Player, uploads: dict[str, str]) -> None:
    """Models: versions are positive integers."""
    base = f"{player.ws}/models/played"
    body = {"properties": {"properties": {}, "tags": {}, "isAnonymous": False, "isArchived": False}}
    body = without(body, modelType="custom_model", modelUri=uploads["file"])
    custom = "modelType=custom_model"
    player.ask("no such model", "GET", base, status=404)
    player.ask("versions of no model", "GET", f"{base}/versions{NEWEST}", status=404)
    for word in ("a-job-name-1", "1.0.0", "0", "-1"):
        player.ask(f"version {word}", "PUT", f"{base}/versions/{word}", body, status=REFUSED)
    player.ask("version 1", "PUT", f"{base}/versions/1", body, status=201, case=[custom])
    player.ask("latest and next", "GET", base, rule=versions("1", "2"))
    player.ask("version 2", "PUT", f"{base}/versions/2", body, status=201, case=[custom])
    player.ask("the newest", "GET", f"{base}/versions{NEWEST}", case=["page", "nextLink"], rule=newest_is_2)
    player.ask("read it", "GET", f"{base}/versions/2", case=[custom])
    player.ask("other tags", "PUT", f"{base}/versions/2", without(body, tags={"a": "b"}), case=[custom])
    archived = without(body, isArchived=True)
    player.ask("archive it", "PUT", f"{base}/versions/2", archived, case=[custom, "isArchived=true"])
    player.ask("restore it", "PUT", f"{base}/versions/2", body, case=[custom])
    player.ask("versions", "GET", f"{base}/versions{ACTIVE}", case=["page"])
    mlflow = without(
        body, modelType="mlflow_model", modelUri=uploads["folder"], flavors={"python_function": {"data": {}}}
    )
    case = ["modelType=mlflow_model"]
    player.ask("an MLflow model", "PUT", f"{player.ws}/models/flavoured/versions/1", mlflow, status=201, case=case)
    player.ask("read it", "GET", f"{player.ws}/models/flavoured/versions/1", case=case)
    player.ask("archive all", "PUT", base, {"properties": {"isArchived": True}})
    player.ask("models", "GET", f"{player.ws}/models{ACTIVE}", case=["page"])


def newest_is_2(body: Any) -> bool:
    """should be one version, 2, and a nextLink to the others"""
    return [each["name"] for each in body["value"]] == ["2"] and bool(body["nextLink"])


def environments(player: Player) -> str:
    """Environments: each PUT is a 201; returns the id of one."""
    base = f"{player.ws}/environments/played"
    image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04"
    conda = "name: x\ndependencies:\n- python=3.10\n"
    body = {"properties": {"isAnonymous": False, "isArchived": False, "image": image, "condaFile": conda}}
    player.ask("no such environment", "GET", base, status=404)
    player.ask("version 1", "PUT", f"{base}/versions/1", body, status=201)
    player.ask("version 1 again", "PUT", f"{base}/versions/1", body, status=201, case=["there before"])
    player.ask("read it", "GET", f"{base}/versions/1")
    player.ask("the newest", "GET", f"{base}/versions{NEWEST}")
    player.ask("latest and next", "GET", base)
    player.ask("environments", "GET", f"{player.ws}/environments{ACTIVE}")
    player.ask("archive all", "PUT", base, {"properties": {"isArchived": True}}, status=201)
    player.ask("restore all", "PUT", base, {"properties": {"isArchived": False}}, status=201)
    return f"{base}/versions/1"


def code(player: Player) -> str:
    """Code: found by its hash, else uploaded; returns the id of one."""
    name = str(uuid.uuid4())
    digest = hashlib.sha256(name.encode()).hexdigest()
    base, by_hash = f"{player.ws}/codes/{name}/versions", f"?hash={digest}&hashVersion=202208"
    player.ask("by its hash, none", "GET", base + by_hash, case=["empty page"])
    wish = {"pendingUploadType": "TemporaryBlobReference"}
    place = player.ask("where to upload it", "POST", f"{base}/1/startPendingUpload", wish)
    uri = f"{place.json()['blobReferenceForConsumption']['blobUri']}/src"
    properties = {"hash_sha256": digest, "hash_version": "202208"}
    body = {"properties": {"properties": properties, "isAnonymous": True, "isArchived": False, "codeUri": uri}}
    player.ask("version 1", "PUT", f"{base}/1", body, status=201)
    player.ask("version 1 again", "PUT", f"{base}/1", body)
    player.ask("read it", "GET", f"{base}/1")
    player.ask("by its hash, one", "GET", base + by_hash, case=["page"])
    return f"{base}/1"


def components(player: Player, environment: str, code: str) -> str:
    """Components: their code cannot change, words about them can; returns the id of one."""
    base = f"{player.ws}/components/played"
    spec: dict[str, Any] = {
        "name": "played",
        "version": "0.0.1",
        "display_name": "x",
        "is_deterministic": True,
        "inputs": {"text": {"type": "string", "default": "hello", "optional": True}},
        "outputs": {"out": {"type": "uri_folder"}},
        "type": "command",
        "command": "echo $[[${{inputs.text}}]] > ${{outputs.out}}/x.txt",
        "environment": f"azureml:{environment}",
    }
    body = {
        "properties": {"properties": {}, "tags": {}, "isAnonymous": False, "isArchived": False, "componentSpec": spec}
    }
    player.ask("no such component", "GET", base, status=404)
    player.ask("no such version", "GET", f"{base}/versions/0.0.1", status=404)
    player.ask("version 0.0.1", "PUT", f"{base}/versions/0.0.1", body, status=201)
    player.ask("the same again", "PUT", f"{base}/versions/0.0.1", body)
    other = without(body, componentSpec={**spec, "code": f"azureml:{code}"})
    player.ask("other code", "PUT", f"{base}/versions/0.0.1", other, status=400)
    described = without(body, description="new", componentSpec={**spec, "display_name": "y", "description": "new"})
    player.ask("other words", "PUT", f"{base}/versions/0.0.1", described)
    player.ask("read it", "GET", f"{base}/versions/0.0.1", rule=words_for_booleans)
    player.ask("the newest", "GET", f"{base}/versions{NEWEST}", case=["page"])
    player.ask("latest and next", "GET", base)
    player.ask("components", "GET", f"{player.ws}/components{ACTIVE}", case=["page"])
    player.ask("archive all", "PUT", base, {"properties": {"isArchived": True}})
    return f"{base}/versions/0.0.1"


def words_for_booleans(body: Any) -> bool:
    """should have words where the component has booleans: is_deterministic 'True', optional 'True'"""
    spec = body["properties"]["componentSpec"]
    return (spec["is_deterministic"], spec["inputs"]["text"]["optional"]) == ("True", "True")


def computes(player: Player) -> str:
    """A cluster is made and changed; returns its id."""
    base = f"{player.ws}/computes/played"
    nodes = {"minNodeCount": 0, "maxNodeCount": 2, "nodeIdleTimeBeforeScaleDown": "PT2M"}
    inner = {
        "osType": "Linux",
        "vmSize": "Standard_DS3_v2",
        "vmPriority": "Dedicated",
        "scaleSettings": nodes,
        "remoteLoginPortPublicAccess": "Enabled",
        "enableNodePublicIp": True,
    }
    properties = {"computeType": "AmlCompute", "disableLocalAuth": False, "description": "d", "properties": inner}
    body = {"location": "eastus", "properties": properties}
    kind = "computeType=AmlCompute"
    player.ask("no such cluster", "GET", base, status=404)
    made = player.ask("a cluster", "PUT", base, body, status=201, case=[kind, "state:Creating"])
    player.follow(made, "a cluster is made")
    player.ask("read it", "GET", base, case=[kind, "state:Succeeded"])
    more = without(body, properties={**inner, "scaleSettings": {**nodes, "maxNodeCount": 3}})
    player.follow(player.ask("more nodes", "PUT", base, more, status=201, case=[kind, "there before"]), "more nodes")
    player.ask("its nodes", "POST", f"{base}/listNodes")
    player.ask("computes", "GET", f"{player.ws}/computes", case=["page"])
    return base


def jobs(player: Player, environment: str, component: str, cluster: str) -> None:
    """A command and a pipeline, from their submission to their end, and what is refused."""
    base, over = f"{player.ws}/jobs/command", ("Canceled", "Completed", "Failed")
    command = {
        "properties": {
            "properties": {},
            "tags": {"a": "1"},
            "computeId": cluster,
            "displayName": "command",
            "experimentName": "played",
            "isArchived": False,
            "jobType": "Command",
            "command": "echo hello && sleep 20",
            "environmentId": environment,
            "environmentVariables": {},
            "inputs": {},
            "outputs": {},
        }
    }
    kind = "jobType=Command"
    player.ask("no such job", "GET", base, status=404)
    player.ask("a command", "PUT", base, command, status=201, case=[kind])
    player.ask("the same name, another command", "PUT", base, without(command, command="echo other"), status=REFUSED)
    player.until(base, "status", ("Running", *over))
    player.ask("read it while it runs", "GET", base, case=[kind, "state:Running"])
    player.follow(player.ask("cancel it", "POST", f"{base}/cancel", status=202), "cancellation")
    player.until(base, "status", over)
    player.ask("other tags", "PUT", base, without(command, tags={"a": "2"}), case=[kind])
    player.ask("archive it", "PUT", base, without(command, isArchived=True), case=[kind, "isArchived=true"])
    player.ask("jobs", "GET", f"{player.ws}/jobs{ACTIVE}", case=["page"])
    bound = {"text": {"job_input_type": "literal", "value": "${{parent.inputs.text}}"}}
    step = {"name": "one", "type": "command", "componentId": component, "computeId": "", "inputs": bound, "outputs": {}}
    step["_source"] = "YAML.COMPONENT"
    pipeline: dict[str, Any] = {
        "properties": {
            "description": "d",
            "properties": {},
            "tags": {},
            "displayName": "pipeline",
            "experimentName": "played",
            "isArchived": False,
            "jobType": "Pipeline",
            "computeId": cluster,
            "inputs": {"text": {"jobInputType": "literal", "value": "hi"}},
            "outputs": {},
            "settings": {"_source": "YAML.JOB"},
            "jobs": {"one": step},
        }
    }
    kind, base = "jobType=Pipeline", f"{player.ws}/jobs/pipeline"
    player.ask("a pipeline", "PUT", base, pipeline, status=201, case=[kind, "state:Preparing"])
    state = player.until(base, "status", over)
    player.ask("read it when it has ended", "GET", base, case=[kind, f"state:{state}"])
    player.ask("cancel what has ended", "POST", f"{base}/cancel", status=400)
    none = {"none": {"job_input_type": "literal", "value": "x"}}
    parent = {"text": {"job_input_type": "literal", "value": "${{parent.name}}"}}
    for say, status, code, change in (
        ("an unknown input", 400, "InvalidComponentJobInput", {"inputs": none}),
        ("a wrong binding", 400, "InvalidExpressionInJob", {"inputs": parent}),
        ("no such component", 404, "NotFound", {"componentId": f"{component}9"}),
    ):
        wrong = without(pipeline, jobs={"one": {**step, **change}})
        player.ask(say, "PUT", f"{player.ws}/jobs/wrong", wrong, status=status, case=[kind, f"code:{code}"])
    history = f"{DATA}/history/v1.0{player.ws}"
    player.ask("details of the run", "GET", f"{history}/runs/pipeline/details")
    children = player.ask("its children", "GET", f"{history}/runs/pipeline/children")
    for child in (content_of(children) or {}).get("value", [])[:1]:
        player.ask("a child's run", "GET", f"{history}/runs/{child['runId']}")
    player.ask("run data", "POST", f"{history}/rundata", {"runId": "pipeline", "selectRunMetadata": True})


def endpoints(player: Player, uploads: dict[str, str]) -> None:
    """An endpoint and a deployment of a small model: made, asked, changed, deleted."""
    base = f"{player.ws}/onlineEndpoints/played-{uuid.uuid4().hex[:6]}"
    properties: dict[str, Any] = {
        "authMode": "AMLToken",
        "description": "d",
        "properties": {},
        "mirrorTraffic": {},
        "traffic": {},
    }
    body = {"tags": {"k": "v"}, "location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": properties}
    player.ask("delete none", "DELETE", base, status=204)
    player.ask("no such endpoint", "GET", base, status=404)
    made = player.ask("an endpoint", "PUT", base, body, status=201, case=["authMode=AMLToken", "state:Creating"])
    model = {"modelType": "mlflow_model", "modelUri": uploads["served"], "isArchived": False, "isAnonymous": False}
    served = f"{player.ws}/models/served/versions/1"
    player.send(
        "PUT", served, {"properties": {**model, "properties": {}, "tags": {}, "flavors": {"python_function": {}}}}
    )
    wanted = {
        "description": "d",
        "properties": {},
        "model": served,
        "instanceType": "Standard_DS3_v2",
        "endpointComputeType": "Managed",
        "scaleSettings": {"scaleType": "Default"},
        "appInsightsEnabled": False,
        "environmentVariables": {},
        "requestSettings": {"requestTimeout": "PT1M", "maxConcurrentRequestsPerInstance": 1},
    }
    deployment = {"tags": {}, "location": "eastus", "sku": {"name": "Default", "capacity": 1}, "properties": wanted}
    if player.send("GET", base).json()["properties"]["provisioningState"] == "Creating":
        player.ask("a deployment too early", "PUT", f"{base}/deployments/early", deployment, status=REFUSED)
    player.follow(made, "an endpoint is made")
    player.ask("read it", "GET", base, case=["state:Succeeded"])
    player.ask("endpoints", "GET", f"{player.ws}/onlineEndpoints", case=["page"])
    again = ["authMode=AMLToken", "state:Updating", "there before"]
    player.follow(
        player.ask("other tags", "PUT", base, {**body, "tags": {"k": "w"}}, status=201, case=again), "other tags"
    )
    player.ask("a token for it", "POST", f"{base}/token")
    player.ask("no such deployment", "GET", f"{base}/deployments/blue", status=404)
    player.ask("no deployments", "GET", f"{base}/deployments", case=["empty page"])
    blue = f"{base}/deployments/blue"
    new = ["endpointComputeType=Managed", "not there before"]
    player.follow(
        player.ask("a deployment", "PUT", blue, deployment, status=201, case=new), "a deployment is made", 180
    )
    player.ask("read it", "GET", blue, case=["endpointComputeType=Managed", "state:Succeeded"])
    player.ask("deployments", "GET", f"{base}/deployments", case=["page"])
    player.ask("how many instances", "GET", f"{blue}/skus", api=STABLE)
    for kind in ("InferenceServer", "StorageInitializer"):
        player.ask(
            f"log of {kind}",
            "POST",
            f"{blue}/getLogs",
            {"containerType": kind, "tail": 100},
            case=[f"containerType={kind}"],
        )
    traffic = {**body, "properties": {**properties, "traffic": {"blue": 100}}}
    player.follow(player.ask("all traffic to it", "PUT", base, traffic, status=201, case=again), "traffic")
    uri = player.send("GET", base).json()["properties"]["scoringUri"]
    key = player.send("POST", f"{base}/token").json()["accessToken"]
    chat = {"input_data": {"input_string": [{"role": "user", "content": "Hi"}], "parameters": {"max_new_tokens": 4}}}
    player.ask("ask the model", "POST", uri, chat, headers={"Authorization": f"Bearer {key}"})
    case = ["endpointComputeType=Managed", "state:Updating", "there before"]
    player.follow(
        player.ask("other tags", "PUT", blue, {**deployment, "tags": {"new": "tag"}}, status=201, case=case),
        "other tags",
        180,
    )
    player.follow(player.ask("no traffic", "PUT", base, body, status=201, case=again), "no traffic")
    player.follow(player.ask("delete the deployment", "DELETE", blue, status=202), "deletion of the deployment")
    player.follow(player.ask("delete the endpoint", "DELETE", base, status=202), "deletion of the endpoint")


def entra_endpoint(player: Player) -> None:
    """An endpoint whose callers sign in with their own token has no keys."""
    base = f"{player.ws}/onlineEndpoints/entra-{uuid.uuid4().hex[:6]}"
    body = {"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": {"authMode": "AADToken"}}
    case = ["authMode=AADToken", "state:Creating"]
    player.follow(
        player.ask("an endpoint", "PUT", base, body, status=201, case=case, api=STABLE), "an endpoint is made"
    )
    player.ask("its keys", "POST", f"{base}/listKeys", api=STABLE)
    player.follow(player.send("DELETE", base), "deletion")


def other_clients(player: Player) -> None:
    """What clients of the stable API ask in passing: the same resources without the keys of the previews."""
    for say, path, case in (
        ("the workspace's computes", "computes", ["page"]),
        ("datastores", "datastores", ["page"]),
        ("data", "data", ["page"]),
        ("versions of data", "data/played/versions", ["page"]),
        ("a version of data", "data/played/versions/1", ["dataType=uri_file"]),
        ("environments", "environments", ["page"]),
        ("versions of an environment", "environments/played/versions", ["page"]),
        ("a version of an environment", "environments/played/versions/1", []),
        ("versions of a component", "components/played/versions", ["page"]),
        ("a version of a component", "components/played/versions/0.0.1", []),
        ("an environment", "environments/played", []),
        ("a component", "components/played", []),
        ("models", "models", ["page"]),
        ("a model", "models/played", []),
        ("versions of a model", "models/flavoured/versions", ["page"]),
        ("a job", "jobs/command", ["jobType=Command"]),
    ):
        player.ask(say, "GET", f"{player.ws}/{path}", case=case, api=STABLE)


def registry(player: Player) -> None:
    """The registry whose models and component the chain uses."""
    discovery = f"{DATA}/registrymanagement/v1.0/registries/azureml/discovery?api-version=v1.0"
    found = player.ask("where it is", "GET", discovery).json()
    base = (
        f"{DATA}/mferp/managementfrontend/subscriptions/{found['subscriptionId']}/resourceGroups/{found['resourceGroup']}"
        "/providers/Microsoft.MachineLearningServices/registries/azureml"
    )
    component = f"{base}/components/chat_completion_pipeline/versions"
    listed = player.ask("the newest component", "GET", component + NEWEST, case=["page"])
    version = listed.json()["value"][0]["id"].rpartition("/")[2]
    player.ask("read it", "GET", f"{component}/{version}")
    player.ask("versions of a model", "GET", f"{base}/models/Phi-4/versions", case=["page"])
    player.ask("no such model", "GET", f"{base}/models/none-here/versions/2", status=404)


def absent(player: Player) -> None:
    """What the emulator has none of: lists are empty, and one that is asked for is not there."""
    player.ask("schedules", "GET", f"{player.ws}/schedules?listViewType=All")
    player.ask("no such schedule", "GET", f"{player.ws}/schedules/none", status=404)
    player.ask("connections", "GET", f"{player.ws}/connections")
    player.ask("no such connection", "GET", f"{player.ws}/connections/none", status=404)
    player.ask("batch endpoints", "GET", f"{player.ws}/batchEndpoints")
    player.ask("no such batch endpoint", "GET", f"{player.ws}/batchEndpoints/none", status=404)
