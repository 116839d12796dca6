"""Azure's limits that the SDK lets through: names, counts, timeouts, probes and traffic, as scripts/azure has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from scripts.azure import name_rules
from scripts.azure.limits import Limit, limit, traffic_adds_up
from scripts.errors import suggest
from scripts.validate.documents import Document, Finding, mapping

_LIMITS = {  # kind -> key of the YAML -> what it is a limit of
    "online_deployment": {
        "instance_count": "deployment.instance_count",
        "request_settings.request_timeout_ms": "deployment.request_timeout_ms",
        "request_settings.max_concurrent_requests_per_instance": "deployment.max_concurrent_requests_per_instance",
        **{
            f"{probe}.{name}": f"probe.{name}"
            for probe in ("liveness_probe", "readiness_probe")
            for name in ("initial_delay", "period", "timeout", "failure_threshold")
        },
        **{
            f"{probe}.success_threshold": f"{probe}.success_threshold"
            for probe in ("liveness_probe", "readiness_probe")
        },
    },
    "compute": {key: f"cluster.{key}" for key in ("min_instances", "max_instances", "idle_time_before_scale_down")},
}
_NAMED = {
    "online_endpoint": "endpoint",
    "online_deployment": "deployment",
    "compute": "cluster",
    "model": "model",
    "data": "data",
}
# What the SDK does not ask for, or takes for something else when it is left out.
_NEEDED = {"online_deployment": ("instance_count",), "compute": ("size", "max_instances")}
_TYPES = {"model": "mlflow_model", "data": "uri_file"}


def check(documents: dict[str, Document]) -> Iterator[Finding]:
    """Yields what is beyond a limit in the files of an environment."""
    for document in documents.values():
        yield from _numbers(document)
        yield from _meant(document)
        if document.kind in _NAMED:
            fault = name_rules.fault(_NAMED[document.kind], document.get("name") or "")
            if fault:
                yield document.finding("name", fault)
    experiment = documents["job"].get("experiment_name")
    if experiment is not None and (fault := name_rules.fault("experiment", experiment)):
        yield documents["job"].finding("experiment_name", fault)
    for step in mapping(documents["job"].get("jobs")):
        fault = name_rules.fault("step", step)
        if fault:
            yield documents["job"].finding(f"jobs.{step}", fault)
    yield from _traffic(documents["online_endpoint"])


def whole(value: Any) -> int | None:
    """Returns a whole number, or the one that text holds, as the SDK reads it; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]{1,18}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _numbers(document: Document) -> Iterator[Finding]:
    for key, of in _LIMITS.get(document.kind, {}).items():
        value, number = document.get(key), whole(document.get(key))
        if isinstance(value, bool | float):
            yield document.finding(key, f"found {value}, expected a whole number")
        elif number is not None and not limit(of).holds(number):
            yield document.finding(key, f"found {value}, expected {bound(limit(of))}")


def bound(of: Limit) -> str:
    """Returns what a limit allows, as findings say it."""
    if of.above is not None or of.below is not None:
        return of.words
    return f"at least {of.least}" if of.most is None else f"between {of.least} and {of.most}"


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
    if document.kind == "model" and document.get("version") is not None:
        found = document.get("version")
        if not limit("model.version").holds(whole(found) or 0):
            yield document.finding("version", f"found {found!r}, expected a positive integer: Azure takes no other")
    if document.kind == "online_deployment":
        if isinstance(document.get("model"), dict):
            yield document.finding("model", "a model written here is taken for a local folder; deploying sets it")
        if document.get("scale_settings.type") not in (None, "default"):
            yield document.finding("scale_settings.type", "a managed deployment takes only default")


def _traffic(endpoint: Document) -> Iterator[Finding]:
    for key in ("traffic", "mirror_traffic"):
        shares = endpoint.get(key)
        if not shares:
            continue
        yield endpoint.finding(key, "traffic cannot be set before the deployment exists; deploying sets it")
        numbers = [share for share in map(whole, mapping(shares).values()) if share is not None]
        total = sum(numbers)
        if not all(map(limit("endpoint.traffic").holds, numbers)):
            yield endpoint.finding(key, f"shares are 0 to 100 per cent, found {', '.join(map(str, numbers))}")
        elif key == "traffic" and not traffic_adds_up(total):
            yield endpoint.finding(key, f"shares are 0 or 100 per cent together, found {total}")
        elif key == "mirror_traffic" and not (
            limit("endpoint.mirror_traffic").holds(total)
            and limit("endpoint.mirror_traffic.deployments").holds(len(numbers))
        ):
            yield endpoint.finding(key, "one deployment may get at most 50 per cent of mirrored traffic")
