"""What is asked about what runs: clusters, jobs, endpoints and their deployments."""

from __future__ import annotations

import uuid
from typing import Any

from tests.azure.service.asset_scenes import ACTIVE, without
from tests.azure.service.play import DATA, REFUSED, STABLE, Player, content_of


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
        player.ask("a deployment", "PUT", blue, deployment, status=201, case=new), "a deployment is made", 240
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
        240,
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
