"""What the files refer to: assets by an exact version, and one another by the same names and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scripts.azure.references import PLACE, REGISTRY, SHORT
from scripts.targets import command
from scripts.validate.bounds import whole
from scripts.validate.documents import Document, Finding, mapping


def check(documents: dict[str, Document]) -> Iterator[Finding]:
    """Yields references that name no exact version, and where the files of an environment do not fit together."""
    for document in documents.values():
        yield from _references(document, document.data, "")
    yield from _deployment(documents["online_deployment"], documents["online_endpoint"])
    yield from _job(documents["job"], documents["compute"])


def _references(document: Document, data: Any, key: str) -> Iterator[Finding]:
    if isinstance(data, dict):
        for name, value in data.items():
            yield from _references(document, value, f"{key}.{name}".lstrip("."))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _references(document, value, f"{key}.{number}")
    elif isinstance(data, str) and data.startswith("azureml:") and "${{" not in data:
        fault = "" if key.endswith("compute") else _reference_fault(data)  # a compute has no versions
        if fault:
            yield document.finding(key, f"found {data}; {fault}")


def _reference_fault(reference: str) -> str:
    if reference.endswith(("@latest", "/labels/latest")):
        return f"latest is another thing tomorrow: write the exact version ({command('lock')} pins it)"
    if reference.startswith("azureml://registries/"):
        asset = REGISTRY.fullmatch(reference)
        if not asset or asset["by"] != "versions":
            return "it names no version: end it with /versions/<version>"
    elif reference.startswith("azureml://"):
        if not PLACE.match(reference):
            return "expected azureml://registries/…, azureml://jobs/… or azureml://datastores/…"
    else:
        asset = SHORT.fullmatch(reference.removeprefix("azureml:"))
        if not asset or asset["by"] != ":":
            return "it names no version: write azureml:<name>:<version>"
    return ""


def _deployment(deployment: Document, endpoint: Document) -> Iterator[Finding]:
    if deployment.get("endpoint_name") != endpoint.get("name"):
        yield deployment.finding(
            "endpoint_name",
            f"found '{deployment.get('endpoint_name')}', but endpoint.yml makes '{endpoint.get('name')}'",
        )


def _job(job: Document, compute: Document) -> Iterator[Finding]:
    least, most = whole(compute.get("min_instances")), whole(compute.get("max_instances"))
    if least is not None and most is not None and least > most:
        yield compute.finding("min_instances", f"found {least}, more than max_instances, {most}")
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
