"""Jobs: submitting, showing, listing, cancelling and archiving them."""

from __future__ import annotations

from typing import Any

from scripts.azure import name_rules
from scripts.local.core import lookup
from scripts.local.core.arm import page, resource, view, without_nulls
from scripts.local.core.operations import begin
from scripts.local.core.state import Parts, State, Workspace
from scripts.local.core.store import Document
from scripts.local.core.web import WORKSPACE, Call, Routes, bad_request, reply
from scripts.local.storage import uris

arm = Routes()
JOB = WORKSPACE + "/jobs/{name}"
ENDED = ("Completed", "Failed", "Canceled")


def _resource(workspace: Workspace, document: Document) -> dict[str, Any]:
    places = {
        "Studio": f"https://ml.azure.com/runs/{document.name}?wsid={workspace.path}",  # without `tid`: the SDK adds it
        "Tracking": f"azureml://{workspace.region}.api.azureml.ms/mlflow/v1.0{workspace.path}",
    }
    services = {name: {"jobServiceType": name, "endpoint": place} for name, place in places.items()}
    shown = {**document.body["properties"], "status": document.body["status"], "services": services}
    return resource(workspace, f"jobs/{document.name}", document, properties=shown)


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
    body = await call.json()
    properties = {"tags": {}, "properties": {}, "isArchived": False, **without_nulls(body.get("properties") or {})}
    old = call.state.store.get(call.ws.scope, "jobs", name)
    if old is not None:
        return _update(call, old, properties)
    properties.setdefault("displayName", name)
    properties.setdefault("experimentName", "Default")
    properties["inputs"] = properties.get("inputs") or {}
    properties["outputs"] = _outputs(call, name, properties.get("outputs") or {})
    if properties.get("jobType") == "Command":
        properties["outputs"].pop("default", None)
    call.parts.runner.check(call.ws, name, properties)
    await call.parts.tracking.create_run(call.ws, name, properties)
    twin = call.state.store.get(call.ws.scope, "jobs", name)
    if twin is not None:  # submitted by another client in the meantime: one name, one job
        return reply(_resource(call.ws, twin))
    document = call.state.store.put(call.ws.scope, "jobs", name, {"properties": properties, "status": "NotStarted"})
    call.parts.runner.submit(call.ws, name)
    return reply(_resource(call.ws, document), 201)


def _outputs(call: Call, job: str, outputs: dict[str, Any]) -> dict[str, Any]:
    filled = {}
    for name, output in outputs.items():
        kind = output.get("jobOutputType", "uri_folder")
        uri = (
            str(output.get("uri") or uris.default_output(job, name, kind))
            .replace("${{name}}", job)
            .replace("${{output_name}}", name)
        )
        uri = uri.replace("${{default_datastore}}", "workspaceblobstore")
        filled[name] = {"mode": "ReadWriteMount", **output, "jobOutputType": kind, "uri": uri}
    return filled


def _update(call: Call, old: Document, properties: dict[str, Any]) -> Any:
    body = old.body
    for key in ("displayName", "tags", "isArchived", "description"):
        if key in properties:
            body["properties"][key] = properties[key]
    return reply(_resource(call.ws, call.state.store.put(call.ws.scope, "jobs", old.name, body)))


@arm("POST", JOB + "/cancel")
async def cancel(call: Call) -> Any:
    """Cancels a job; on one that has ended it does nothing."""
    document = lookup.job(call.state, call.ws, call.words["name"])
    with call.state.store.transaction():
        set_status(call.state, call.ws.scope, document.name, "CancelRequested")
        headers = begin(call, "job.cancel", document.name)
    return reply(status=202, headers=headers)


async def stop(parts: Parts, words: dict[str, Any]) -> None:
    """Ends the process of a cancelled job."""
    await parts.runner.cancel(words["scope"], words["name"])


def set_status(state: State, scope: str, name: str, status: str, error: dict[str, str] | None = None) -> bool:
    """Stores a job's status and says so; one that has ended, or is to be cancelled, does not go back."""
    document = state.store.get(scope, "jobs", name)
    assert document is not None
    now = document.body["status"]
    if now in ENDED or (now == "CancelRequested" and status not in ENDED):
        return False
    body = {**document.body, "status": status, **({"error": error} if error else {})}
    state.store.put(scope, "jobs", name, body)
    return True
