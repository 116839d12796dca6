"""One fact, all readers: what the emulator refuses is what validation refuses, over generated names and numbers.

The two share facts and no code: the emulator is asked over the wire, validation reads YAML.
"""

from __future__ import annotations

import random
import time
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from scripts.azure import machine_sizes, name_rules
from scripts.azure.limits import limit, traffic_adds_up
from scripts.azure.machine_sizes import family_key
from scripts.local.core.store import Store
from scripts.validate import own, rules
from scripts.validate.documents import Document
from tests.local.conftest import MODEL, SIZE

CORES = 1000  # of a family, by the emulator's own settings
ODD = [
    "blue--1",
    "_x",
    "modèle",
    "ab",
    "abc",
    "a" * 16,
    "a" * 17,
    "a" * 32,
    "a" * 33,
    "ab-",
    "-ab",
    "1ab",
    "a.b",
    "a_b",
    "é",
]
PARTS = {"cluster": "computes/{}", "endpoint": "onlineEndpoints/{}",
 "deployment": "onlineEndpoints/{endpoint}/deployments/{}",
         "model": "models/{}/versions/1", "data": "data/{}/versions/1"}  # fmt: skip
KINDS = {
    "cluster": "compute",
    "endpoint": "online_endpoint",
    "deployment": "online_deployment",
    "model": "model",
    "data": "data",
}
GOOD = {"compute": "gpu-cluster", "online_endpoint": "an-endpoint", "online_deployment": "blue", "model": "a-model",
        "data": "some-data", "job": None}  # fmt: skip


class Wire:
    """The emulator as a client of the wire meets it."""

    def __init__(self, local: Any) -> None:
        words = local.emulated.workspace
        self.base = f"https://management.azure.com/subscriptions/{words['subscription_id']}/resourceGroups/"
        self.base += (
            f"{words['resource_group']}/providers/Microsoft.MachineLearningServices/workspaces/{words['workspace']}/"
        )
        token = local.ml._credential.get_token("https://management.azure.com/.default").token
        self.headers = {"Authorization": f"Bearer {token}"}

    def put(self, path: str, body: dict[str, Any]) -> requests.Response:
        return requests.put(self.base + path, json=body, headers=self.headers, timeout=20)

    def make_endpoint(self, name: str) -> str:
        made = self.put(f"onlineEndpoints/{name}", {"location": "eastus", "properties": {"authMode": "Key"}})
        assert made.status_code == 201, made.text
        self.wait(f"onlineEndpoints/{name}")
        return name

    def wait(self, path: str) -> dict[str, Any]:
        """Returns a resource when nothing is done to it any more."""
        deadline = time.monotonic() + 20
        while True:
            found = requests.get(self.base + path, headers=self.headers, timeout=20).json()
            if found["properties"]["provisioningState"] in ("Succeeded", "Failed"):
                return dict(found)
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def deploy(self, endpoint: str, name: str, size: str = SIZE, count: int = 1, **settings: Any) -> requests.Response:
        properties = {
            "endpointComputeType": "Managed",
            "instanceType": size,
            "model": MODEL,
            "requestSettings": settings,
        }
        body = {"location": "eastus", "sku": {"name": "Default", "capacity": count}, "properties": properties}
        return self.put(f"onlineEndpoints/{endpoint}/deployments/{quote(name)}", body)

    def compute(self, name: str, size: str = SIZE, least: int = 0, most: int = 1) -> requests.Response:
        scale = {"minNodeCount": least, "maxNodeCount": most}
        inner = {"vmSize": size, "scaleSettings": scale}
        return self.put(
            f"computes/{quote(name)}",
            {"location": "eastus", "properties": {"computeType": "AmlCompute", "properties": inner}},
        )


@pytest.fixture
def wire(local: Any) -> Wire:
    return Wire(local)


def documents(**changes: dict[str, Any]) -> dict[str, Document]:
    """Returns the files of an environment, read: each has a good name, and what `changes` puts into it."""
    return {
        kind: Document(Path("x.yml"), "x.yml", kind, {"name": name, **changes.get(kind, {})}, {})
        for kind, name in GOOD.items()
    }


def says(key: str, **changes: dict[str, Any]) -> list[str]:
    """Returns what validation says of a key."""
    made = documents(**changes)
    found = chain(own.check(made), *(rules.check(each, rules.OWN) for each in made.values()))
    return [finding.sentence for finding in found if finding.key == key]


def names(seed: int) -> list[str]:
    draw = random.Random(seed)
    made = (
        "".join(draw.choices("abZ9-_é"[: draw.choice((4, 5, 6, 7))], k=draw.choice((1, 2, 3, 16, 17, 32, 33))))
        for _ in range(40)
    )
    return [*ODD, *made]


@pytest.mark.parametrize("resource", PARTS)
def test_names(wire: Wire, resource: str) -> None:
    endpoint = wire.make_endpoint("names-of-all") if resource == "deployment" else ""
    seen = set()
    for name in names(len(resource)):
        if resource == "cluster":
            answer = wire.compute(name)
        elif resource == "deployment":
            answer = wire.deploy(endpoint, name)
        else:
            answer = wire.put(PARTS[resource].format(quote(name)), {"location": "eastus", "properties": {}})
        message = answer.json()["error"]["message"] if answer.status_code == 400 else ""
        refused = f"name {name!r} is not allowed" in message or "Resource name is invalid." in message
        assert refused == bool(name_rules.fault(resource, name)), (name, answer.text)
        assert refused == bool(says("name", **{KINDS[resource]: {"name": name}})), name
        seen.add(refused)
    assert seen == {True, False}


def test_a_sum_of_traffic(wire: Wire) -> None:
    endpoint = wire.make_endpoint("traffic-of-all")
    for name in ("blue", "green", "red"):
        assert wire.deploy(endpoint, name).status_code == 201
    draw = random.Random(5)
    shares = [
        (60, 0, 0),
        (100, 0, 0),
        (0, 0, 0),
        (50, 50, 0),
        (33, 33, 34),
        (33, 33, 33),
        (101, 0, 0),
        (90, 20, 0),
        (-10, 110, 0),
    ]
    shares += [tuple(draw.choice((0, 10, 20, 40, 50, 80)) for _ in range(3)) for _ in range(20)]  # type: ignore[misc]
    for share in shares:
        traffic = dict(zip(("blue", "green", "red"), share, strict=True))
        answer = wire.put(
            f"onlineEndpoints/{endpoint}", {"location": "eastus", "properties": {"authMode": "Key", "traffic": traffic}}
        )
        refused = answer.status_code == 400
        said = [
            sentence
            for sentence in says("traffic", online_endpoint={"traffic": traffic})
            if "deploying sets it" not in sentence
        ]
        assert refused == bool(said) == (not traffic_adds_up(sum(share)) or not 0 <= min(share) <= max(share) <= 100), (
            share
        )


@pytest.mark.parametrize("shares", [{"blue": 50}, {"blue": 51}, {"blue": 0}, {"blue": 20, "green": 20}, {"blue": 101}])
def test_mirrored_traffic(wire: Wire, shares: dict[str, int]) -> None:
    endpoint = wire.make_endpoint("mirror-of-all")
    for name in ("blue", "green"):
        wire.deploy(endpoint, name)
    answer = wire.put(
        f"onlineEndpoints/{endpoint}",
        {"location": "eastus", "properties": {"authMode": "Key", "mirrorTraffic": shares}},
    )
    said = [
        each
        for each in says("mirror_traffic", online_endpoint={"mirror_traffic": shares})
        if "deploying sets it" not in each
    ]
    assert ("allowed" in answer.text) == bool(said), answer.text
    assert (answer.status_code == 400) == bool(said), answer.text
    wire.wait(f"onlineEndpoints/{endpoint}")


def test_numbers_of_a_deployment(wire: Wire) -> None:
    endpoint = wire.make_endpoint("numbers-of-all")
    for number, count in enumerate((-1, 1, 50, 51, 2)):
        answer = wire.deploy(endpoint, f"count-{number}", "Standard_DS2_v2", count)
        assert (answer.status_code == 400) == bool(
            says("instance_count", online_deployment={"instance_count": count})
        ), answer.text
    for milliseconds in (1, 180_000, 180_001, 900_000):
        answer = wire.deploy(endpoint, f"time-{milliseconds}", requestTimeout=f"PT{milliseconds / 1000}S")
        said = says(
            "request_settings.request_timeout_ms",
            online_deployment={"request_settings": {"request_timeout_ms": milliseconds}},
        )
        assert (
            (answer.status_code == 400)
            == bool(said)
            == (not limit("deployment.request_timeout_ms").holds(milliseconds))
        ), answer.text
    key = "max_concurrent_requests_per_instance"
    for requests_at_once in (-1, 0, 1, 9):
        name = f"requests-{requests_at_once + 1}"
        answer = wire.deploy(endpoint, name, maxConcurrentRequestsPerInstance=requests_at_once)
        said = says(f"request_settings.{key}", online_deployment={"request_settings": {key: requests_at_once}})
        assert (answer.status_code == 400) == bool(said), answer.text


@pytest.mark.parametrize(("least", "most"), [(0, 1), (-1, 1), (0, 0), (0, -1), (1, 1), (0, 5)])
def test_nodes_of_a_cluster(wire: Wire, least: int, most: int) -> None:
    answer = wire.compute("nodes-of-all", "Standard_DS2_v2", least, most)
    nodes = {"min_instances": least, "max_instances": most, "size": "Standard_DS2_v2"}
    said = says("min_instances", compute=nodes) + says("max_instances", compute=nodes)
    assert (answer.status_code == 400) == bool(said), answer.text


def test_every_size_has_the_catalogs_family(local: Any) -> None:
    offered = {size.name: size for size in local.ml.compute.list_sizes()}
    listed = {usage.name["value"] for usage in local.ml.compute.list_usage()}
    for size in machine_sizes.catalog().values():
        assert size.family in listed
        assert (size.name in offered) == (size.status == machine_sizes.AVAILABLE)
        if size.name in offered:
            assert offered[size.name].family == size.family
    assert len({family_key(name) for name in listed}) == len(listed)


def test_the_quota_of_endpoints_is_the_catalogs_arithmetic(wire: Wire) -> None:
    """The most machines that the quota holds are taken, one more is refused: of a size of each family."""
    endpoint = wire.make_endpoint("quota-of-all")
    families = {
        size.family: size for size in machine_sizes.catalog().values() if size.online_endpoint and size.retires is None
    }
    tried = 0
    for number, size in enumerate(families.values()):
        counts = [count for count in range(1, 51) if size.serving_cores(count) <= CORES]
        if counts and counts[-1] < 50 and family_key(size.family) != "ncadsa100v4":  # of which other tests hold some
            for count, refused in ((counts[-1] + 1, True), (counts[-1], False)):
                answer = wire.deploy(endpoint, f"quota-{number}", size.name, count)
                assert (answer.status_code == 400) == refused, answer.text
                assert not refused or "Not enough quota" in answer.text
            tried += 1
    assert tried >= 4


@pytest.mark.parametrize("properties", [None, {"scaleSettings": None}, {"properties": {"scaleSettings": None}}])
def test_a_change_without_a_scale_changes_nothing(wire: Wire, properties: Any) -> None:
    assert wire.compute("changed-by-nothing", most=3).status_code in (200, 201)
    url = f"{wire.base}computes/changed-by-nothing"
    answer = requests.patch(url, json={"properties": properties}, headers=wire.headers, timeout=20)
    assert answer.status_code == 200, answer.text
    assert answer.json()["properties"]["properties"]["scaleSettings"]["maxNodeCount"] == 3


def test_what_an_older_home_holds_under_a_name_that_is_refused_now_can_still_be_changed(wire: Wire, local: Any) -> None:
    assert wire.put("data/ab.c/versions/1", {"properties": {}}).status_code == 400
    words = local.emulated.workspace
    store = Store(local.emulated.home / "state.sqlite")  # as the first version stored it
    scope = f"{words['subscription_id']}/{words['resource_group']}/{words['workspace']}".lower()
    uri = "azureml://datastores/workspaceblobstore/paths/x"
    older = {"dataType": "uri_file", "dataUri": uri, "tags": {}, "properties": {}, "isArchived": False}
    store.put(scope, "data", "ab.c", {"properties": older}, "1")
    store.close()
    stored = requests.get(f"{wire.base}data/ab.c/versions/1", headers=wire.headers, timeout=20).json()
    stored["properties"]["isArchived"] = True
    changed = wire.put("data/ab.c/versions/1", stored)
    assert changed.status_code == 200, changed.text
    assert changed.json()["properties"]["isArchived"] is True
