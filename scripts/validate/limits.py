"""Azure's limits that the SDK lets through: names, references, timeouts, probes, traffic and counts.

Sources: Microsoft's pages on managed online endpoints (quotas, the YAML reference) and the SDK's own constants.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from scripts.errors import suggest
from scripts.validate.documents import Document, Finding, mapping

_ENDPOINT_NAME = re.compile(r"[A-Za-z](-?[A-Za-z0-9])*")
_REGISTRY_ASSET = re.compile(r"azureml://registries/[^/]+/(?:models|components|environments|data)/[^/]+(?:/(.*))?")
_RANGES = {  # key -> (least, most); None: no limit
    "online_deployment": {
        "instance_count": (1, 50),
        "request_settings.request_timeout_ms": (1, 180_000),
        "request_settings.max_concurrent_requests_per_instance": (1, None),
        **{
            f"{probe}.{name}": (1, None)
            for probe in ("liveness_probe", "readiness_probe")
            for name in ("initial_delay", "period", "timeout", "failure_threshold")
        },
        "liveness_probe.success_threshold": (1, 1),
        "readiness_probe.success_threshold": (1, None),
    },
    "compute": {"min_instances": (0, None), "max_instances": (1, None), "idle_time_before_scale_down": (0, None)},
}
# What the SDK does not ask for, or takes for something else when it is left out.
_NEEDED = {"online_deployment": ("instance_count",), "compute": ("size", "max_instances")}
_TYPES = {"model": "mlflow_model", "data": "uri_file"}


def check(documents: dict[str, Document]) -> Iterator[Finding]:
    """Yields what is beyond a limit in the files of an environment, and where the files do not fit together."""
    for document in documents.values():
        yield from _references(document, document.data, "")
        for key, (least, most) in _RANGES.get(document.kind, {}).items():
            value, number = document.get(key), _whole(document.get(key))
            if isinstance(value, bool | float):
                yield document.finding(key, f"found {value}, expected a whole number")
            elif number is not None and (number < least or (most is not None and number > most)):
                bound = f"between {least} and {most}" if most else f"at least {least}"
                yield document.finding(key, f"found {value}, expected {bound}")
        yield from _meant(document)
    yield from _names(documents)
    yield from _traffic(documents["online_endpoint"])
    yield from _together(documents)


def _whole(value: Any) -> int | None:
    """Returns a whole number, or the one that text holds, as the SDK reads it; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]{1,18}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _meant(document: Document) -> Iterator[Finding]:
    """What is left out, or has another meaning than it seems to."""
    for key in _NEEDED.get(document.kind, ()):
        if document.get(key) in (None, ""):
            yield document.finding(key, "missing; add it")
    kind, found = _TYPES.get(document.kind), document.get("type")
    if kind and found != kind:
        yield document.finding("type", f"found {found!r}, expected {kind}{suggest(found, [kind])}")
    for part in ("tags", "properties"):
        for name, value in mapping(document.get(part)).items():
            if not isinstance(value, str):
                yield document.finding(f"{part}.{name}", f"found {value!r}, expected text, so put it in quotes")
    if document.kind == "online_deployment":
        if isinstance(document.get("model"), dict):
            yield document.finding("model", "a model written here is taken for a local folder; make deploy sets it")
        if document.get("scale_settings.type") not in (None, "default"):
            yield document.finding("scale_settings.type", "a managed deployment takes only default")


def _names(documents: dict[str, Document]) -> Iterator[Finding]:
    for kind in ("online_endpoint", "online_deployment"):
        name = str(documents[kind].get("name") or "")
        what = kind.removeprefix("online_")
        if not 3 <= len(name) <= 32:
            yield documents[kind].finding("name", f"'{name}' has {len(name)} characters; an {what} name has 3 to 32")
        if not _ENDPOINT_NAME.fullmatch(name):
            yield documents[kind].finding(
                "name", f"'{name}': an {what} name has letters, digits and single dashes, and begins with a letter"
            )
    cluster = str(documents["compute"].get("name") or "")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,14}[A-Za-z0-9]", cluster):
        yield documents["compute"].finding(
            "name", f"'{cluster}': a cluster name has 2 to 16 letters, digits and dashes, and begins with a letter"
        )
    for kind in ("model", "data"):
        name = str(documents[kind].get("name") or "")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}", name):
            yield documents[kind].finding("name", f"'{name}': 1 to 255 letters, digits and . _ - are allowed")
    for step in mapping(documents["job"].get("jobs")):
        if not str(step).isidentifier():
            yield documents["job"].finding(f"jobs.{step}", "a step name has letters, digits and underscores only")


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
        return "latest is another thing tomorrow: write the exact version (make lock pins it)"
    match = _REGISTRY_ASSET.fullmatch(reference)
    if match:
        if not re.fullmatch(r"versions/[^/]+", match[1] or ""):
            return "it names no version: end it with /versions/<version>"
    elif reference.startswith("azureml://"):
        if not re.match(r"azureml://(registries|jobs|datastores|subscriptions|locations)/[^/]+", reference):
            return "expected azureml://registries/…, azureml://jobs/… or azureml://datastores/…"
    elif not re.fullmatch(r"azureml:[^:@]+:[^:@]+", reference):
        return "it names no version: write azureml:<name>:<version>"
    return ""


def _traffic(endpoint: Document) -> Iterator[Finding]:
    for key in ("traffic", "mirror_traffic"):
        shares = endpoint.get(key)
        if not shares:
            continue
        yield endpoint.finding(key, "traffic cannot be set before the deployment exists; make deploy sets it")
        numbers = [share for share in shares.values() if isinstance(share, int)] if isinstance(shares, dict) else []
        if any(not 0 <= share <= 100 for share in numbers) or sum(numbers) > 100:
            yield endpoint.finding(key, f"shares are 0 to 100 per cent and at most 100 together, found {sum(numbers)}")
        if key == "mirror_traffic" and (len(numbers) > 1 or any(share > 50 for share in numbers)):
            yield endpoint.finding(key, "one deployment may get at most 50 per cent of mirrored traffic")


def _together(documents: dict[str, Document]) -> Iterator[Finding]:
    endpoint, deployment = documents["online_endpoint"], documents["online_deployment"]
    if deployment.get("endpoint_name") != endpoint.get("name"):
        yield deployment.finding(
            "endpoint_name",
            f"found '{deployment.get('endpoint_name')}', but endpoint.yml makes '{endpoint.get('name')}'",
        )
    compute, job = documents["compute"], documents["job"]
    least, most = _whole(compute.get("min_instances")), _whole(compute.get("max_instances"))
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
