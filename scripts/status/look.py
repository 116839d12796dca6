"""Asks Azure Resource Manager what is in a workspace. It loads no SDK of Azure ML, and changes nothing."""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from scripts.azure import machine_sizes, updates
from scripts.azure.arm import Arm
from scripts.azure.client import ARM
from scripts.azure.login import Login
from scripts.errors import UserError, one_line
from scripts.state import ENDED_BADLY, plain_status
from scripts.status.seen import CLUSTER, INSTANCE, MANAGED, Compute, Deployment, Endpoint, Job, Place, Seen

API = "2024-04-01"  # the newest of which Microsoft recorded these lists
LOGIN_SECONDS = 8.0
MOST_JOBS = 100  # the newest: the service lists them so
_ENDED = ENDED_BADLY | {"completed"}
_DAWN = "1970-01-01T00:00:00Z"


def look(places: Sequence[Place], arm: Arm | None = None) -> list[Seen]:
    """Returns what is in each workspace; one that cannot be asked says why, and hinders no other.

    A CouldNotAskError where nobody is logged in: that is so of all of them.
    """
    asked = arm or Arm(_logged_in())
    with ThreadPoolExecutor(max(1, len(places))) as pool:
        return list(pool.map(lambda place: _look(place, asked), places))


def serves(place: Place, endpoint: str, arm: Arm | None = None) -> bool:
    """Tells whether an endpoint has a deployment, with one question; a CouldNotAskError where nobody can say."""
    asked = arm or Arm(_logged_in())
    return next(_list(asked, place, f"onlineEndpoints/{endpoint}/deployments"), None) is not None


def _logged_in() -> Login:
    login = Login(LOGIN_SECONDS, browser=False)
    login.get_token(ARM)
    return login


def _look(place: Place, arm: Arm) -> Seen:
    name = place.workspace
    try:
        if arm.get(f"workspace {name}", _path(place), API) is None:
            return Seen(place, error=f"there is no workspace {name} in resource group {place.group}")
        endpoints = [_endpoint(each, _list(arm, place, f"onlineEndpoints/{each['name']}/deployments"))
                     for each in _list(arm, place, "onlineEndpoints")]  # fmt: skip
        listed = list(itertools.islice(_list(arm, place, "jobs"), MOST_JOBS))
        computes = [_compute(each, listed) for each in _list(arm, place, "computes")]
    except UserError as error:
        return Seen(place, error=one_line(error))
    jobs = [_job(each) for each in listed]
    last = [each for each in jobs if each.ended][:1]
    return Seen(
        place,
        time.time() - (arm.skew or 0.0),
        endpoints,
        [each for each in computes if each.kind in (CLUSTER, INSTANCE)],
        [*(each for each in jobs if not each.ended), *last],
    )


def _list(arm: Arm, place: Place, kind: str) -> Iterator[dict[str, Any]]:
    return arm.pages(f"{kind} of workspace {place.workspace}", f"{_path(place)}/{kind}", API)


def _path(place: Place) -> str:
    group = f"/subscriptions/{place.subscription}/resourceGroups/{place.group}"
    return f"{group}/providers/Microsoft.MachineLearningServices/workspaces/{place.workspace}"


def _endpoint(found: Mapping[str, Any], deployments: Iterator[dict[str, Any]]) -> Endpoint:
    inner, system = found["properties"], found.get("systemData") or {}
    shares = [inner.get(key) or {} for key in ("traffic", "mirrorTraffic")]
    return Endpoint(
        name=str(found["name"]),
        state=str(inner.get("provisioningState") or ""),
        made=_seconds(system.get("createdAt")),
        by=str(system.get("createdBy") or ""),
        tags=_tags(found),
        deployments=[_deployment(each, *shares) for each in deployments],
    )


def _deployment(found: Mapping[str, Any], traffic: Mapping[str, Any], mirror: Mapping[str, Any]) -> Deployment:
    inner, system, name = found["properties"], found.get("systemData") or {}, str(found["name"])
    return Deployment(
        name=name,
        state=str(inner.get("provisioningState") or ""),
        kind=str(inner.get("endpointComputeType") or MANAGED),
        size=_size(str(inner.get("instanceType") or "")),
        instances=int((found.get("sku") or {}).get("capacity") or 0),
        model=str(updates.same_form("deployment", "model", inner.get("model") or "")),
        traffic=int(traffic.get(name) or 0),
        mirror=int(mirror.get(name) or 0),
        made=_seconds(system.get("createdAt")),
        by=str(system.get("createdBy") or ""),
        tags=_tags(found),
    )


def _compute(found: Mapping[str, Any], jobs: Sequence[Mapping[str, Any]]) -> Compute:
    outer = found["properties"]
    inner, kind, name = outer.get("properties") or {}, str(outer.get("computeType")), str(found["name"])
    scale, runs = inner.get("scaleSettings") or {}, str(inner.get("state") or "") == "Running"
    counts = inner.get("nodeStateCounts") or {}
    return Compute(
        name=name,
        kind=kind,
        state=str(inner.get("state") if kind == INSTANCE else outer.get("provisioningState") or ""),
        size=_size(str(inner.get("vmSize") or "")),
        low_priority=str(inner.get("vmPriority") or "").lower() == "lowpriority",
        nodes=int(runs) if kind == INSTANCE else int(inner.get("currentNodeCount") or 0),
        least=int(scale.get("minNodeCount") or 0),
        most=int(scale.get("maxNodeCount") or 0),
        made=_seconds(outer.get("createdOn")),
        tags=_tags(found),
        job=next((str(each["name"]) for each in jobs if not _has_ended(each) and _may_use(each, name)), ""),
        at_work=sum(int(counts.get(f"{state}NodeCount") or 0) for state in ("running", "preparing")),
    )


def _job(found: Mapping[str, Any]) -> Job:
    inner, system = found["properties"], found.get("systemData") or {}
    return Job(
        name=str(found["name"]),
        status=str(inner.get("status") or ""),
        ended=_has_ended(found),
        made=_seconds(system.get("createdAt")),
        by=str(system.get("createdBy") or ""),
        tags=_tags(inner),
    )


def _has_ended(job: Mapping[str, Any]) -> bool:
    return plain_status(str(job["properties"].get("status") or "")) in _ENDED


def _may_use(job: Mapping[str, Any], compute: str) -> bool:
    """Tells whether a job names a compute anywhere, or does not tell what its steps are: then nobody knows."""
    inner = job["properties"]
    unknown = str(inner.get("jobType")) == "Pipeline" and not inner.get("jobs")
    return unknown or compute.lower() in {word.rpartition("/")[2].lower() for word in _texts(inner)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(each)


def _tags(found: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(text) for name, text in (found.get("tags") or {}).items() if text is not None}


def _size(name: str) -> str:
    """Returns the name of a machine size as it is spelled: the service shows some in capital letters."""
    known = machine_sizes.catalog().get(name.lower())
    return known.name if known else name


def _seconds(moment: Any) -> float:
    try:
        found = datetime.datetime.fromisoformat(str(moment or _DAWN).replace("Z", "+00:00"))
    except ValueError:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).timestamp()
