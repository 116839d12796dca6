"""What this project demands of its own files beyond Azure: nothing left to a default, and one fits the other."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.azure import name_rules
from scripts.errors import suggest
from scripts.validate.bounds import not_texts, whole
from scripts.validate.documents import Document, Finding, mapping

# What the SDK does not ask for, or takes for something else when it is left out.
_NEEDED = {"online_deployment": ("instance_count",), "compute": ("size", "max_instances")}
_NAMED = {"online_endpoint": "endpoint", "online_deployment": "deployment", "compute": "cluster", "model": "model",
          "data": "data"}  # fmt: skip
_TYPES = {"model": "mlflow_model", "data": "uri_file"}


def check(documents: dict[str, Document]) -> Iterator[Finding]:
    """Yields what is left out, what has another meaning than it seems to, and what does not fit together."""
    for document in documents.values():
        yield from _meant(document)
    yield from _deployment(documents["online_deployment"], documents["online_endpoint"])
    yield from _job(documents["job"], documents["compute"])


def _meant(document: Document) -> Iterator[Finding]:
    for key in _NEEDED.get(document.kind, ()):
        if document.get(key) in (None, ""):
            yield document.finding(key, "missing; add it")
    if document.kind in _NAMED and document.get("name") is None:
        yield document.finding("name", name_rules.fault(_NAMED[document.kind], ""))
    kind, found = _TYPES.get(document.kind), document.get("type")
    if kind and found != kind:
        yield document.finding("type", f"found {found!r}, expected {kind}{suggest(found, [kind])}")
    yield from not_texts(document)
    if document.kind == "online_deployment" and isinstance(document.get("model"), dict):
        yield document.finding("model", "a model written here is taken for a local folder; deploying sets it")
    for key in ("traffic", "mirror_traffic"):
        if document.kind == "online_endpoint" and document.get(key):
            yield document.finding(key, "traffic cannot be set before the deployment exists; deploying sets it")


def _deployment(deployment: Document, endpoint: Document) -> Iterator[Finding]:
    if deployment.get("endpoint_name") != endpoint.get("name"):
        yield deployment.finding(
            "endpoint_name",
            f"found '{deployment.get('endpoint_name')}', but endpoint.yml makes '{endpoint.get('name')}'",
        )


def _job(job: Document, compute: Document) -> Iterator[Finding]:
    if job.kind == "finetuning_job" and job.get("compute") != compute.get("name"):
        yield job.finding("compute", f"found '{job.get('compute')}', but compute.yml makes '{compute.get('name')}'")
    most = whole(compute.get("max_instances"))
    for step, node in mapping(job.get("jobs")).items():
        inputs = mapping(mapping(node).get("inputs"))
        for name, value in inputs.items():
            if name.startswith("compute_") and value != compute.get("name"):
                hint = "; write the bare name" if str(value).startswith("azureml:") else ""
                yield job.finding(
                    f"jobs.{step}.inputs.{name}",
                    f"found '{value}', but compute.yml makes '{compute.get('name')}'{hint}",
                )
        nodes = inputs.get("num_nodes_finetune", 1)
        if most is not None and isinstance(nodes, int) and nodes > most:
            yield job.finding(
                f"jobs.{step}.inputs.num_nodes_finetune",
                f"found {nodes}, but the cluster has at most {most}; raise compute.max_instances",
            )
