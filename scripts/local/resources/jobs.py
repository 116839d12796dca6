"""Jobs: submitting, showing, listing, cancelling and archiving them."""

from __future__ import annotations

import contextlib
import json
import uuid
from typing import Any

from scripts.azure import name_rules
from scripts.local.core import clock, lookup
from scripts.local.core.arm import page, resource, view
from scripts.local.core.operations import begin
from scripts.local.core.state import Parts, State, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import WORKSPACE, Call, Routes, bad_request, reply
from scripts.local.resources.forms import form
from scripts.local.storage import uris

arm = Routes()
JOB = WORKSPACE + "/jobs/{name}"
ENDED = ("Completed", "Failed", "Canceled")
WAITING = ("NotStarted", "Starting", "Preparing", "Queued")
FORMS = {"Command": "job_command", "Pipeline": "job_pipeline", "FineTuning": "job_fine_tuning"}
# The first status of a job, as Microsoft's tests of the SDK recorded it in 2022 and 2023; fine-tuning's is unverified.
FIRST = {"Command": "Starting", "Pipeline": "Preparing", "FineTuning": "NotStarted"}
COMPUTE_MARKS = {"_azureml.ComputeTargetType": "amlctrain"}
PROCESS_MARKS = {
    "ProcessInfoFile": "azureml-logs/process_info.json",
    "ProcessStatusFile": "azureml-logs/process_status.json",
}
COMPUTE_TAG = {"_aml_system_ComputeTargetStatus": json.dumps({"AllocationState": "steady"})}
EXPERIMENT_NAME = (  # the service's own words, 2021-09 to 2024-10
    "Experiment name must be 1-256 characters, start with a letter or a number, and can only contain letters, numbers, "
    "underscores, and dashes."
)
MUTABLE = ("description", "tags", "displayName", "properties", "isArchived")


def _resource(workspace: Workspace, document: Document) -> dict[str, Any]:
    body = document.body
    properties, kind = body["properties"], body["properties"]["jobType"]
    places = {
        "Tracking": f"azureml://{workspace.region}.api.azureml.ms/mlflow/v1.0{workspace.path}",
        "Studio": f"https://ml.azure.com/runs/{document.name}?wsid={workspace.path}",  # without `tid`: the SDK adds it
    }
    marks, tags = service_marks(document)
    unplaced = body.get("unplaced", ())
    outputs = {
        name: {**output, "uri": None} if name in unplaced else output for name, output in properties["outputs"].items()
    }
    if kind == "Command":
        outputs = {"default": {"uri": _artifacts(document.name)}, **outputs}
    content = {
        **properties,
        "tags": {**properties["tags"], **tags},
        "properties": {**properties["properties"], **marks},
        "status": body["status"],
        "services": {name: {"jobServiceType": name, "endpoint": place} for name, place in places.items()},
        "outputs": outputs,
    }
    created = {key: value for key, value in document.system_data().items() if key.startswith("created")}
    return resource(workspace, f"jobs/{document.name}", document, properties=_complete(content), systemData=created)


def _complete(properties: dict[str, Any]) -> dict[str, Any]:
    """Returns what is shown of a job, also of an older home's."""
    inputs = {
        name: {"mode": "ReadOnlyMount", **given} if given.get("uri") else given
        for name, given in properties["inputs"].items()
    }
    properties = {**properties, "inputs": inputs}
    if properties["jobType"] == "Command":
        properties = {"resources": {}, **properties}
    shown: dict[str, Any] = form(FORMS[properties["jobType"]]).complete({"properties": properties})["properties"]
    return shown


def _artifacts(job: str) -> str:
    return f"azureml://datastores/{uris.ARTIFACTS}/ExperimentRun/dcid.{job}"


def service_marks(document: Document) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the properties and the tags that the service adds, as recorded by Microsoft's tests of the SDK, 2023."""
    properties, status = document.body["properties"], document.body["status"]
    if properties["jobType"] == "Pipeline":
        settings = properties.get("settings") or {}
        literals = {key: each["value"] for key, each in properties["inputs"].items() if "value" in each}
        compute = settings.get("default_compute") or properties.get("computeId")
        marks = {
            "azureml.DevPlatv2": "true",
            "azureml.DatasetAccessMode": "Asset",
            "azureml.runsource": "azureml.PipelineRun",
            "runSource": "MFE",
            "runType": "HTTP",
            "azureml.parameters": json.dumps(literals),
            "azureml.continue_on_step_failure": str(settings.get("continue_on_step_failure", True)),
            "azureml.continue_on_failed_optional_input": "True",
            "azureml.enforceRerun": str(settings.get("force_rerun", False)),
            **({"azureml.defaultComputeName": str(compute).rpartition("/")[2]} if compute else {}),
            "azureml.defaultDataStoreName": str(settings.get("default_datastore") or uris.DEFAULT).rpartition("/")[2],
            "azureml.pipelineComponent": "pipelinerun",
        }
        stages = {"azureml.pipelines.stages": json.dumps({"Execution": {"Status": status}})}
        return marks | (stages if status in ENDED else {}), {}
    if properties["jobType"] == "Command":
        marks = dict(COMPUTE_MARKS)
        if properties.get("codeId"):
            marks["ContentSnapshotId"] = str(uuid.uuid5(uuid.NAMESPACE_URL, properties["codeId"]))
        if status == FIRST["Command"]:
            return marks, {}
        return marks | PROCESS_MARKS, COMPUTE_TAG
    return {}, {}


@arm("GET", WORKSPACE + "/jobs")
async def list_jobs(call: Call) -> Any:
    """Lists the jobs, newest first."""
    key, _, value = call.query.get("tag", "").partition("=")
    kind = call.query.get("jobtype", "").lower()

    def is_asked_for(properties: dict[str, Any]) -> bool:
        tags = properties["tags"]
        return (not key or (key in tags and value in ("", tags[key]))) and kind in ("", properties["jobType"].lower())

    jobs = reversed(call.state.store.list("jobs", call.ws.scope))
    shown = [_resource(call.ws, job) for job in jobs if is_asked_for(job.body["properties"])]
    return page(call, view(call, shown))


@arm("GET", JOB)
async def get(call: Call) -> Any:
    """Returns a job."""
    return _resource(call.ws, lookup.job(call.state, call.ws, call.words["name"]))


@arm("PUT", JOB)
async def put(call: Call) -> Any:
    """Submits a job, after refusing what Azure ML refuses; one that exists can only be renamed, tagged and archived."""
    name = call.words["name"]
    if name_rules.fault("job", name):
        raise bad_request(f"The job name {name!r} is not allowed: letters, digits, '_' and '-', at most 255.")
    sent, unplaced = _read(name, call.json())
    old = call.state.store.get(call.ws.scope, "jobs", name)
    if old is not None:
        return _update(call, old, sent)
    if name_rules.fault("experiment", sent["experimentName"]):
        raise bad_request(EXPERIMENT_NAME)
    properties = {"tags": {}, "properties": {}, "isArchived": False, "displayName": name, **sent}
    call.parts.runner.check(call.ws, name, properties)
    body = {"properties": properties, "status": FIRST[properties["jobType"]], "unplaced": unplaced}
    document = call.state.store.put(call.ws.scope, "jobs", name, body)
    call.parts.runner.submit(call.ws, name)
    with contextlib.suppress(Exception):  # of MLflow: the job makes the run too, and ends with the reason
        await call.parts.tracking.create_run(call.ws, name, properties)
    place = f"https://management.azure.com{call.ws.path}/jobs/{name}?{call.request.url.query}"
    return reply(_resource(call.ws, document), 201, {"Location": place})


def _read(name: str, body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Returns what was sent of a job, with each output's place, and the outputs whose place Azure chooses."""
    kind = (body.get("properties") or {}).get("jobType")
    if not isinstance(kind, str) or kind not in FORMS:
        raise bad_request(
            f"Job {name} is of type {kind!r}; the local Azure ML runs {', '.join(FORMS)} jobs. Run it on Azure ML."
        )
    sent: dict[str, Any] = form(FORMS[kind]).read(body, f"Job {name}")["properties"]
    services = set(sent.pop("services", {})) - {"Tracking", "Studio"}  # those two come back in an update
    if services:
        raise bad_request(
            f"Job {name} asks for the services {', '.join(sorted(services))}; the local Azure ML opens none into a "
            "job: leave `services` out here."
        )
    sent.setdefault("experimentName", "Default")
    if kind == "Command":
        sent.get("outputs", {}).pop("default", None)  # the service's own, which comes back in an update
    sent.setdefault("inputs", {})
    outputs = sent.setdefault("outputs", {})
    unplaced = [key for key, output in outputs.items() if not output.get("uri")]
    for key, output in outputs.items():
        output |= {
            "mode": output.get("mode", "ReadWriteMount"),
            "jobOutputType": output.get("jobOutputType", "uri_folder"),
        }
        place = str(output.get("uri") or uris.default_output(name, key, output["jobOutputType"]))
        words = {"name": name, "output_name": key, "default_datastore": uris.DEFAULT}
        for word, value in words.items():
            place = place.replace(f"${{{{{word}}}}}", value)
        output["uri"] = place
    return sent, unplaced


def _update(call: Call, old: Document, sent: dict[str, Any]) -> Any:
    """Changes what of a job can change, as MicrosoftDocs/azure-docs#122250 has it, and refuses any other change."""
    before, after = (_fixed(each) for each in (old.body["properties"], sent))
    for key in before | after:
        if before.get(key) != after.get(key):
            message = (
                "A job with this name already exists. If you are trying to create a new job, use a different name. If "
                "you are trying to update an existing job, the existing job's "
                f"{key[0].upper()}{key[1:]} cannot be changed. Only description, tags, displayName, properties, and "
                "isArchived can be updated."
            )
            raise bad_request(message, inner=("Immutable", "JobPropertyImmutable"))
    body = old.body
    marks = service_marks(old)  # what the service added comes back with what a client had read
    for key in MUTABLE:
        if key in sent:
            body["properties"][key] = sent[key]
    for key, added in zip(("properties", "tags"), marks, strict=True):
        body["properties"][key] = {
            word: value for word, value in body["properties"][key].items() if added.get(word) != value
        }
    return reply(_resource(call.ws, call.state.store.change(old)))


def _fixed(properties: dict[str, Any]) -> dict[str, Any]:
    """Returns what of a job cannot change, in a form that can be compared: as it was sent, or as it was shown."""
    shown = _complete(properties)
    fixed = {key: value for key, value in shown.items() if key not in MUTABLE and key not in ("status", "services")}
    compared: dict[str, Any] = _compared(fixed, "")
    return compared


def _compared(value: Any, key: str) -> Any:
    """Returns a value without what is empty or the client's own note (`_source`), computes by their names alone."""
    if isinstance(value, dict):
        parts = {word: _compared(part, word) for word, part in value.items() if not word.startswith("_")}
        return {word: part for word, part in parts.items() if part not in (None, {}, [], "")}
    if isinstance(value, list):
        return [_compared(each, key) for each in value]
    if key in ("computeId", "default_compute", "default_datastore"):
        return str(value).rpartition("/")[2].removeprefix("azureml:").lower() if value else None
    return value


@arm("POST", JOB + "/cancel")
async def cancel(call: Call) -> Any:
    """Cancels a job. Of one that has ended a pipeline is refused, another changes nothing: recorded, 2022 to 2023."""
    document = lookup.job(call.state, call.ws, call.words["name"])
    if document.body["status"] in ENDED:
        if document.body["properties"]["jobType"] != "Pipeline":
            return reply()
        message = f"The pipeline run {document.name} is in terminal status, it can't be canceled."
        raise bad_request(message, inner=("BadArgument", "ArgumentInvalid", "CancelPipelineRunInTerminalStatus"))
    with call.state.store.transaction():
        set_status(call.state, call.ws.scope, document.name, "CancelRequested")
        headers = begin(call, "job.cancel", document.name)
    return reply(status=202, headers=headers)


async def stop(parts: Parts, words: dict[str, Any]) -> None:
    """Ends the process of a cancelled job."""
    await parts.runner.cancel(words["scope"], words["name"])


def has_ended(state: State, scope: str, name: str) -> bool:
    """Tells whether a job has ended, or is not there."""
    document = state.store.get(scope, "jobs", name)
    return document is None or document.body["status"] in ENDED


def set_status(state: State, scope: str, name: str, status: str, error: dict[str, str] | None = None) -> bool:
    """Stores a job's status and says so; one that has ended, or is to be cancelled, does not go back."""
    document = state.store.get(scope, "jobs", name)
    assert document is not None
    now = document.body["status"]
    if now in ENDED or (now == "CancelRequested" and status not in ENDED):
        return False
    content: dict[str, Any] = {"status": status, **({"error": error} if error else {})}
    if status == "Running":
        content["started"] = document.body.get("started", clock.now())
    if status in ENDED:
        content["ended"] = clock.now()
    state.store.change(document, **content)
    return True
