"""Azure's limits that the SDK lets through: names, counts, timeouts, probes and traffic, as scripts/azure has them.

Each function is a rule for one document, ours or anyone's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from scripts.azure import name_rules
from scripts.azure.limits import Limit, limit, traffic_adds_up
from scripts.validate.documents import ERROR, WARNING, Document, Finding, mapping

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
    "component": "component (az ml)",
    "pipeline_component": "component (az ml)",
    "parallel_component": "component (az ml)",
    "spark_component": "component (az ml)",
}
_TEXTS_ONLY = ("job", "command_job", "sweep_job", "spark_job", "automl_job", "finetuning_job", "compute")
_PIPELINES = ("job", "pipeline_component")
# A name that is filled in later: <name>, $NAME, {{name}}, name_placeholder.
_PLACEHOLDER = re.compile(r"[<>{}$]|placeholder", re.IGNORECASE)


def numbers(document: Document) -> Iterator[Finding]:
    """Yields the numbers that are beyond what Azure allows."""
    for key, of in _LIMITS.get(document.kind, {}).items():
        value, number = document.get(key), whole(document.get(key))
        if isinstance(value, bool | float):
            yield document.finding(key, f"found {value}, expected a whole number")
        elif number is not None and not limit(of).holds(number):
            yield document.finding(key, f"found {value}, expected {bound(limit(of))}")
    least, most = whole(document.get("min_instances")), whole(document.get("max_instances"))
    if document.kind == "compute" and least is not None and most is not None and least > most:
        yield document.finding("min_instances", f"found {least}, more than max_instances, {most}")
    found = document.get("version")
    given = document.kind == "model" and found is not None and not _PLACEHOLDER.search(str(found))
    if given and not limit("model.version").holds(whole(found) or 0):
        yield document.finding("version", f"found {found!r}, expected a positive integer: Azure takes no other")


def names(document: Document) -> Iterator[Finding]:
    """Yields the names that Azure does not take; one that a command adds, or a script fills in, is none yet."""
    name = document.get("name")
    if document.kind in _NAMED and name is not None and not _PLACEHOLDER.search(str(name)):
        rule = name_rules.rule(_NAMED[document.kind])
        if fault := rule.fault(name):
            yield replace(document.finding("name", fault), level=WARNING if rule.unverified else ERROR)
    experiment = document.get("experiment_name")
    is_given = isinstance(experiment, str) and not _PLACEHOLDER.search(experiment)
    if is_given and (fault := name_rules.fault("experiment", experiment)):
        yield document.finding("experiment_name", fault)
    if document.kind in _PIPELINES:
        for step in mapping(document.get("jobs")):
            if fault := name_rules.fault("step", step):
                yield document.finding(f"jobs.{step}", fault)


def texts(document: Document) -> Iterator[Finding]:
    """Yields tags and properties that are no texts, where the SDK takes no other; elsewhere it writes them as texts."""
    if document.kind in _TEXTS_ONLY:
        yield from not_texts(document)


def not_texts(document: Document) -> Iterator[Finding]:
    """Yields tags and properties that are no texts."""
    for part in ("tags", "properties"):
        for name, value in mapping(document.get(part)).items():
            if not isinstance(value, str) and value is not None:
                yield document.finding(f"{part}.{name}", f"found {value!r}, expected text, so put it in quotes")


def traffic(document: Document) -> Iterator[Finding]:
    """Yields shares of traffic that do not add up, and scaling that a managed deployment has none of."""
    if document.kind == "online_deployment" and document.get("scale_settings.type") not in (None, "default"):
        yield document.finding("scale_settings.type", "a managed deployment takes only default")
    if document.kind not in ("online_endpoint", "kubernetes_online_endpoint"):
        return
    for key in ("traffic", "mirror_traffic"):
        shares = document.get(key)
        if not shares:
            continue
        found = [share for share in map(whole, mapping(shares).values()) if share is not None]
        total = sum(found)
        if not all(map(limit("endpoint.traffic").holds, found)):
            yield document.finding(key, f"shares are 0 to 100 per cent, found {', '.join(map(str, found))}")
        elif key == "traffic" and not traffic_adds_up(total):
            yield document.finding(key, f"shares are 0 or 100 per cent together, found {total}")
        elif key == "mirror_traffic" and not (
            limit("endpoint.mirror_traffic").holds(total)
            and limit("endpoint.mirror_traffic.deployments").holds(len(found))
        ):
            yield document.finding(key, "one deployment may get at most 50 per cent of mirrored traffic")


def whole(value: Any) -> int | None:
    """Returns a whole number, or the one that text holds, as the SDK reads it; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]{1,18}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def bound(of: Limit) -> str:
    """Returns what a limit allows, as findings say it."""
    if of.above is not None or of.below is not None:
        return of.words
    return f"at least {of.least}" if of.most is None else f"between {of.least} and {of.most}"
