"""Run history, on the data plane: the status and logs that a stream polls, a job's steps, archiving, artifacts."""

from __future__ import annotations

import time
from typing import Any

from scripts.local.core import lookup
from scripts.local.core.arm import page
from scripts.local.core.store import Document, iso
from scripts.local.core.web import WORKSPACE, Call, Routes, not_found
from scripts.local.resources.jobs import ENDED
from scripts.local.storage import blob_files
from scripts.local.storage.uris import artifacts, shared_access

data = Routes()
HISTORY = "/history/v1.0" + WORKSPACE
EXPERIMENT = HISTORY + "/experiments/{experiment}/runs/{name}"
# The one file that the SDK streams, for each type of job.
LOG_NAMES = {
    "Pipeline": "logs/azureml/executionlogs.txt",
    "FineTuning": "user_logs/std_log.txt",
    "Command": "user_logs/std_log.txt",
}

JUST_NOW = 10.0  # seconds


def _artifact_url(call: Call, job: str, path: str) -> str:
    secret = shared_access(call.state)
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
    return {
        "runId": document.name,
        "status": _observed(call, document),
        "startTimeUtc": iso(document.created),
        "endTimeUtc": iso(document.modified) if document.body["status"] in ENDED else None,
        "logFiles": {log: _artifact_url(call, document.name, log)} if exists else {},
        "error": _error(document),
        "warnings": None,
        "properties": {},
    }


def _observed(call: Call, document: Document) -> str:
    """Returns the status for a stream. Run history lags behind in Azure too; here it lets a stream print a short job.

    The SDK prints no log at all when its first poll finds the job ended: one that has just ended is first Finalizing.
    """
    status = str(document.body["status"])
    key = (document.scope, document.name)
    first = key not in call.parts.runner.observed
    call.parts.runner.observed.add(key)
    if first and status in ENDED and time.time() - document.modified < JUST_NOW:
        return "Finalizing"
    return status


def _run(call: Call, document: Document) -> dict[str, Any]:
    properties = document.body["properties"]
    return {
        "runId": document.name,
        "rootRunId": document.name,
        "parentRunId": None,
        "experimentId": properties["experimentName"],
        "status": document.body["status"],
        "displayName": properties["displayName"],
        "createdUtc": iso(document.created),
        "runType": "azureml.PipelineRun",
        "tags": properties["tags"],
        "properties": properties["properties"],
        "hidden": properties["isArchived"],
        "error": _error(document),
    }


@data("GET", HISTORY + "/runs/{name}")
@data("GET", EXPERIMENT)
async def get(call: Call) -> Any:
    """Returns the run of a job."""
    return _run(call, lookup.job(call.state, call.ws, call.words["name"]))


@data("PATCH", EXPERIMENT)
async def update(call: Call) -> Any:
    """Archives, restores, renames or tags a job."""
    document = lookup.job(call.state, call.ws, call.words["name"])
    change = await call.json()
    properties = document.body["properties"]
    for key in ("hidden", "displayName", "tags", "description"):
        if change.get(key) is not None:
            properties["isArchived" if key == "hidden" else key] = change[key]
    call.state.store.put(call.ws.scope, "jobs", document.name, document.body)
    return {}


@data("GET", HISTORY + "/runs/{name}/children")
@data("GET", EXPERIMENT + "/children")
async def children(call: Call) -> Any:
    """Lists the steps of a job as runs."""
    document = lookup.job(call.state, call.ws, call.words["name"])
    shown = {
        "rootRunId": document.name,
        "parentRunId": document.name,
        "experimentId": document.body["properties"]["experimentName"],
        "runType": "azureml.StepRun",
        "tags": {},
        "properties": {},
    }
    steps = [(step["name"], step["status"]) for step in call.parts.runner.steps(call.ws, document)]
    runs = [
        {**shown, "runId": f"{document.name}.{name}", "displayName": name, "status": state} for name, state in steps
    ]
    return page(call, runs)


@data("POST", HISTORY + "/rundata")
async def run_data(call: Call) -> Any:
    """Answers a download. Outputs are left to the SDK's own search: the type that Azure reports makes it fail."""
    document = lookup.job(call.state, call.ws, str((await call.json()).get("runId")))
    return {"runMetadata": {**_run(call, document), "outputs": {}}}


@data("POST", EXPERIMENT + "/artifacts/batch/metadata")
async def create_artifacts(call: Call) -> Any:
    """Gives MLflow's client a place to upload artifacts to."""
    paths = [str(each.get("path")) for each in (await call.json()).get("paths", [])]
    content = {path: _content(call, path) for path in paths}
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
