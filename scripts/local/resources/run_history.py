"""Run history, on the data plane: the status and logs that a stream polls, a job's steps, archiving, artifacts."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from scripts.local.core import clock, lookup
from scripts.local.core.arm import page
from scripts.local.core.store import Document
from scripts.local.core.web import WORKSPACE, Call, Routes, not_found
from scripts.local.resources.forms import form
from scripts.local.resources.jobs import COMPUTE_MARKS, COMPUTE_TAG, ENDED, PROCESS_MARKS, service_marks
from scripts.local.storage import blob_files
from scripts.local.storage.blob_signatures import shared_access
from scripts.local.storage.uris import artifacts

data = Routes()
HISTORY_PATH = "/history/v1.0"
HISTORY = HISTORY_PATH + WORKSPACE
EXPERIMENT = HISTORY + "/experiments/{experiment}/runs/{name}"
# The one file that the SDK streams, for each type of job.
LOG_NAMES = {
    "Pipeline": "logs/azureml/executionlogs.txt",
    "FineTuning": "user_logs/std_log.txt",
    "Command": "user_logs/std_log.txt",
}
RUN_TYPES = {"Pipeline": "azureml.PipelineRun", "FineTuning": "azureml.PipelineRun", "Command": "azureml.scriptrun"}
USER = {
    "userObjectId": "00000000-0000-4000-8000-00006c6f6361",
    "userTenantId": "00000000-0000-4000-8000-00006c6f6361",
    "userPuId": "",
    "userIss": "https://sts.windows.net/00000000-0000-4000-8000-00006c6f6361/",
    "userName": "local user",
}

JUST_NOW = 10.0  # seconds


def _artifact_url(call: Call, job: str, path: str) -> str:
    secret = shared_access(call.state, call.ws.account)
    return f"https://{call.ws.account}.blob.core.windows.net/azureml/ExperimentRun/dcid.{job}/{path}?{secret}"


def _content(call: Call, path: str) -> dict[str, str]:
    return {"contentUri": _artifact_url(call, call.words["name"], path), "origin": "ExperimentRun"}


def _error(document: Document) -> dict[str, Any] | None:
    error = document.body.get("error")
    return {"error": {**error, "details": []}} if error and document.body["status"] == "Failed" else None


@data("GET", HISTORY + "/runs/{name}/details")
@data("GET", EXPERIMENT + "/details")
async def details(call: Call) -> Any:
    """Answers a poll of `az ml job stream`: the status, the URL of the whole log, and the error of a failed job."""
    document = lookup.job(call.state, call.ws, call.words["name"])
    log = LOG_NAMES[document.body["properties"]["jobType"]]
    exists = (artifacts(call.state, call.ws, document.name) / log).is_file()
    content = {
        **_common(call, document, _observed(call, document)),
        "createdTimeUtc": clock.iso(document.created),
        "logFiles": {log: _artifact_url(call, document.name, log)} if exists else {},
        "jobCost": {},
    }
    return form("run_details").complete(content)


def _common(call: Call, document: Document, status: str) -> dict[str, Any]:
    """Returns what a run's details and its description share. Nobody signs in here: the user is the same always."""
    marks, tags = service_marks(document)
    properties, started = document.body["properties"], document.body.get("started")
    until = document.body.get("ended", document.modified) if status in ENDED else clock.now()
    took = str(datetime.timedelta(seconds=until - started)) if started else None
    since = {"lastStartTimeUtc": clock.iso(started), "effectiveStartTimeUtc": clock.iso(started)} if started else {}
    running = {**since, "currentComputeTime": took or "00:00:00"}
    ended = {"endTimeUtc": clock.iso(until), "duration": took, "computeDuration": took}
    identifier = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{call.ws.path}/{document.name}"))
    return {
        "runId": document.name,
        "rootRunId": document.name,
        "runUuid": identifier,
        "rootRunUuid": identifier,
        "runNumber": document.serial,
        "status": status,
        "dataContainerId": f"dcid.{document.name}",
        "createdBy": USER,
        "userId": USER["userObjectId"],
        "lastModifiedBy": USER,
        "lastModifiedUtc": clock.iso(document.modified),
        "startTimeUtc": clock.iso(started) if started else None,
        **(ended if status in ENDED else running),
        "runTypeV2": {"orchestrator": "Execution", "traits": [properties["jobType"]]},
        "tags": {**properties["tags"], **tags},
        "properties": {**properties["properties"], **marks},
        "error": _error(document),
    }


def _observed(call: Call, document: Document) -> str:
    """Returns the status for a stream. Run history lags behind in Azure too; here it lets a stream print a short job.

    The SDK prints no log at all when its first poll finds the job ended: one that has just ended is first Finalizing.
    """
    status = str(document.body["status"])
    key = (document.scope, document.name)
    first = key not in call.parts.runner.observed
    call.parts.runner.observed.add(key)
    if first and status in ENDED and clock.now() - document.body.get("ended", 0) < JUST_NOW:
        return "Finalizing"
    return status


def _run(call: Call, document: Document, **content: Any) -> dict[str, Any]:
    properties = document.body["properties"]
    cancel = f"https://{call.host}{HISTORY_PATH}{call.ws.path}/runs/{document.name}/cancel"
    run = {
        **_common(call, document, document.body["status"]),
        "createdUtc": clock.iso(document.created),
        "experimentId": properties["experimentName"],
        "displayName": properties["displayName"],
        "description": properties.get("description"),
        "hidden": properties["isArchived"],
        "runType": RUN_TYPES[properties["jobType"]],
        "actionUris": {"Cancel": cancel},
        "cancelUri": cancel,
        **content,
    }
    return form("run_listed").complete(run)


@data("GET", HISTORY + "/runs/{name}")
@data("GET", EXPERIMENT)
async def get(call: Call) -> Any:
    """Returns the run of a job, or of a step of one."""
    job, dot, _ = call.words["name"].partition(".")
    document = call.state.store.get(call.ws.scope, "jobs", job) if dot else None
    for run in _children(call, document) if document else []:
        if run["runId"] == call.words["name"]:
            return run
    return _run(call, lookup.job(call.state, call.ws, call.words["name"]))


@data("PATCH", EXPERIMENT)
async def update(call: Call) -> Any:
    """Archives, restores, renames or tags a job."""
    document = lookup.job(call.state, call.ws, call.words["name"])
    change = form("run_listed").read(call.json(), f"Run {document.name}")
    properties = document.body["properties"]
    for key in ("hidden", "displayName", "tags", "description"):
        if change.get(key) is not None:
            properties["isArchived" if key == "hidden" else key] = change[key]
    call.state.store.change(document)
    return {}


@data("GET", HISTORY + "/runs/{name}/children")
@data("GET", EXPERIMENT + "/children")
async def children(call: Call) -> Any:
    """Lists the steps of a job as runs."""
    return page(call, _children(call, lookup.job(call.state, call.ws, call.words["name"])))


def _children(call: Call, document: Document) -> list[dict[str, Any]]:
    runs = []
    for number, step in enumerate(call.parts.runner.steps(call.ws, document)):
        identifier = f"{document.name}.{step['name']}"
        content = {
            "runId": identifier,
            "runUuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{call.ws.path}/{identifier}")),
            "parentRunId": document.name,
            "parentRunUuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{call.ws.path}/{document.name}")),
            "runNumber": number + 1,
            "dataContainerId": f"dcid.{identifier}",
            "displayName": step["name"],
            "name": step["name"],
            "status": step["status"],
            "runType": "azureml.StepRun",
            "description": None,
            "target": "local",
            "currentAttemptId": 1,
            "tags": {"azureml.nodeid": step["name"], "azureml.pipeline": document.name, **COMPUTE_TAG},
            "properties": {
                "StepType": "PythonScriptStep",
                "ComputeTargetType": "AmlCompute",
                "azureml.moduleid": str(uuid.uuid5(uuid.NAMESPACE_URL, step["name"])),
                "azureml.moduleName": step["name"],
                "azureml.moduleVersion": "1",
                "azureml.DevPlatv2": "true",
                "azureml.runsource": "azureml.StepRun",
                "azureml.nodeid": step["name"],
                "azureml.pipelinerunid": document.name,
                "azureml.pipeline": document.name,
                "azureml.pipelineComponent": "masterescloud",
                **COMPUTE_MARKS,
                **PROCESS_MARKS,
            },
            "error": None,
        }
        runs.append(_run(call, document, **content))
    return runs


@data("POST", HISTORY + "/rundata")
async def run_data(call: Call) -> Any:
    """Answers a download. Outputs are left to the SDK's own search: the type that Azure reports makes it fail."""
    asked = form("run_data").read(call.json(), "The request").get("runId", "")
    document = lookup.job(call.state, call.ws, asked)
    metadata = _run(call, document, outputs={})
    return {"runMetadata": metadata, "runDefinition": None, "jobSpecification": None, "systemSettings": None}


@data("POST", EXPERIMENT + "/artifacts/batch/metadata")
async def create_artifacts(call: Call) -> Any:
    """Gives MLflow's client a place to upload artifacts to."""
    paths = form("artifact_paths").read(call.json(), "The request").get("paths", [])
    content = {each["path"]: _content(call, each["path"]) for each in paths}
    return {"artifacts": {}, "artifactContentInformation": content, "errors": {}}


@data("GET", EXPERIMENT + "/artifacts")
async def list_artifacts(call: Call) -> Any:
    """Lists all artifacts of a run."""
    root = artifacts(call.state, call.ws, call.words["name"])
    return page(call, [{"path": name, "origin": "ExperimentRun"} for name, _ in blob_files.files(root, "")], size=1000)


@data("GET", EXPERIMENT + "/artifacts/contentinfo")
async def artifact(call: Call) -> Any:
    """Says where an artifact can be downloaded."""
    path = call.query.get("path", "")
    if not blob_files.safe(artifacts(call.state, call.ws, call.words["name"]), path).is_file():
        raise not_found(f"Run {call.words['name']} has no artifact {path!r}.")
    return {**_content(call, path), "path": path}
