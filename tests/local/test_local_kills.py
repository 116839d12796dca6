"""SIGKILLs of the emulator while eight clients write: what was acknowledged is there, whole, once; nothing is stuck."""

from __future__ import annotations

import concurrent.futures
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.local.test_local_job_wire import REGISTRY_ENVIRONMENT
from tests.local.wire import Wire

pytestmark = [pytest.mark.slow, pytest.mark.torture]
WRITERS = 8
RESTART_SECONDS = 15.0  # on a busy machine; on an idle one it takes two
QUIET_SECONDS = 60.0
SETTLED = ("Succeeded", "Failed", "Canceled", "Completed", None)


class Store:
    """The default container, over the wire: a blob is put and read as a client of Azure's storage does."""

    def __init__(self, wire: Wire) -> None:
        path = "datastores/workspaceblobstore"
        found = wire.get(path)["properties"]
        self.url = f"https://{found['accountName']}.blob.core.windows.net/{found['containerName']}"
        self.sas = wire.ask("POST", f"{path}/listSecrets", {"expirableSecret": True}).json()["sasToken"]

    def ask(self, method: str, name: str, content: bytes | None = None) -> Any:
        """Returns the response of the storage to a request about a blob."""
        headers = {"x-ms-blob-type": "BlockBlob", "x-ms-version": "2024-11-04"}
        return requests.request(method, f"{self.url}/{name}{self.sas}", data=content, headers=headers, timeout=30)


class Written:
    """What was acknowledged: `put` by path, and what a look at it has to find; `open` are those without an answer."""

    def __init__(self, wire: Wire, store: Store) -> None:
        self.wire, self.store, self.lock = wire, store, threading.Lock()
        self.numbers = itertools.count()
        self.known: dict[str, Callable[[], str]] = {}  # what must be so: it returns what is wrong, or an empty text
        self.acknowledged = 0

    def writer(self, seed: int, stop: threading.Event) -> None:
        """Writes until it is told to stop; a request that got no answer may have been done or not."""
        work = itertools.cycle((self.data, self.blob, self.endpoint, self.job, self.tags, self.run))
        for _ in range(seed):
            next(work)
        while not stop.is_set():
            try:
                next(work)(next(self.numbers))
            except requests.RequestException:
                time.sleep(0.1)

    def acknowledge(self, name: str, look: Callable[[], str]) -> None:
        """Keeps what must be so from now on."""
        with self.lock:
            self.acknowledged += 1
            self.known[name] = look

    def asset(self, number: int, tags: dict[str, str]) -> Any:
        """Puts a data asset; its tags may be put again."""
        place = f"azureml://datastores/workspaceblobstore/paths/kills/{number}"
        return self.wire.put(f"data/kill-{number}/versions/1", dataType="uri_folder", dataUri=place, tags=tags)

    def data(self, number: int) -> None:
        """Registers data."""
        said = self.asset(number, {"n": str(number)})
        assert said.status_code == 201, said.text
        self.acknowledge(f"data {number}", lambda: self.differs(f"data/kill-{number}/versions/1", {"n": str(number)}))

    def tags(self, number: int) -> None:
        """Registers data and changes its tags thrice: the last change that was acknowledged is seen, or a later one."""
        for change in range(4):
            said = self.asset(number, {"n": str(change)})
            assert said.status_code in (200, 201), said.text
            allowed = [{"n": str(each)} for each in range(change, 4)]
            self.acknowledge(
                f"tags {number}",
                lambda allowed=allowed: self.differs(f"data/kill-{number}/versions/1", *allowed),
            )

    def differs(self, path: str, *allowed: dict[str, str]) -> str:
        """Returns what is wrong with a resource's tags."""
        answer = self.wire.ask("GET", path)
        tags = answer.json()["properties"].get("tags") if answer.status_code == 200 else None
        found = {"n": tags.get("n")} if tags else answer.text  # a job gets more of them
        return "" if found in allowed else f"{path}: found {found}, acknowledged {allowed[0]}"

    def blob(self, number: int) -> None:
        """Uploads a file of some size; it is whole or not there, even where nobody said that it is there."""
        content = f"{number:09}".encode() * (1 + number % 20_000)
        name = f"kills/{number}/rows.jsonl"

        def look(required: bool = True) -> str:
            answer = self.store.ask("GET", name)
            missing = answer.status_code == 404 and not required
            right = missing or answer.content == content
            return "" if right else f"blob {name}: {answer.status_code}, {len(answer.content)} of {len(content)} bytes"

        with self.lock:
            self.known[f"blob {number}"] = lambda: look(False)
        said = self.store.ask("PUT", name, content)
        assert said.status_code == 201, said.text
        self.acknowledge(f"blob {number}", look)

    def endpoint(self, number: int) -> None:
        """Creates an endpoint, and deletes every second one."""
        path, tags = f"onlineEndpoints/kill-{number}", {"n": str(number)}
        body = {"location": "eastus", "tags": tags, "properties": {"authMode": "Key"}}
        said = self.wire.ask("PUT", path, body)
        assert said.status_code == 201, said.text

        def look() -> str:
            answer = self.wire.ask("GET", path)
            return "" if answer.status_code == 200 and answer.json()["tags"] == tags else f"{path}: {answer.text}"

        self.acknowledge(path, look)
        if number % 2:
            with self.lock:
                del self.known[path]  # unless the deletion is acknowledged, it may be there or not
            said = self.wire.ask("DELETE", path)
            if said.status_code in (200, 202):
                self.acknowledge(path, lambda: self.gone(path))

    def gone(self, path: str) -> str:
        """Returns what is wrong where something must be gone."""
        answer = self.wire.ask("GET", path)
        return "" if answer.status_code == 404 else f"its deletion was accepted, and it is {answer.text}"

    def job(self, number: int) -> None:
        """Submits a job, seldom: it takes as long as all the rest together."""
        if number % 5:
            self.data(number)
            return
        properties = {"jobType": "Command", "command": "true", "environmentId": REGISTRY_ENVIRONMENT}
        said = self.wire.put(f"jobs/kill-{number}", **properties, tags={"n": str(number)})
        assert said.status_code in (200, 201), said.text
        self.acknowledge(f"job {number}", lambda: self.differs(f"jobs/kill-{number}", {"n": str(number)}))

    def run(self, number: int) -> None:
        """Makes an MLflow run and logs a parameter."""
        base = f"https://eastus.api.azureml.ms/mlflow/v2.0{self.wire.workspace}/api/2.0/mlflow/runs"
        said = self.wire.ask("POST", f"{base}/create", {"experiment_id": "0", "run_name": f"kill-{number}"})
        assert said.status_code == 200, said.text
        run = said.json()["run"]["info"]["run_id"]
        said = self.wire.ask("POST", f"{base}/log-parameter", {"run_id": run, "key": "n", "value": str(number)})
        assert said.status_code == 200, said.text

        def look() -> str:
            answer = self.wire.ask("GET", f"{base}/get", run_id=run)
            found = answer.json()["run"]["data"].get("params") if answer.status_code == 200 else answer.text
            return "" if found == [{"key": "n", "value": str(number)}] else f"run {run}: {found}"

        self.acknowledge(f"run {run}", look)


def listed(wire: Wire, collection: str) -> list[dict[str, Any]]:
    """Returns all pages of a listing."""
    found, page = [], wire.get(collection)
    while True:
        found += page["value"]
        if not page.get("nextLink"):
            return found
        page = wire.get(page["nextLink"])


def states(wire: Wire) -> Iterator[tuple[str, str]]:
    """Yields whatever has a state, with it."""
    for collection, key in (("onlineEndpoints", "provisioningState"), ("jobs", "status")):
        for each in listed(wire, collection):
            yield f"{collection}/{each['name']}", each["properties"].get(key)


def test_kills_under_parallel_writes(own, campaign):
    (own.emulated.home / "settings.yaml").write_text("training: {parallel_jobs: 4}\n")  # from the first kill on
    wire = Wire(own)
    written, stop = Written(wire, Store(wire)), threading.Event()
    kills, slowest = campaign.size(2, 300), 0.0
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(written.writer, seed, stop) for seed in range(WRITERS)]
        try:
            for kill in range(kills):
                time.sleep(campaign.chance.uniform(0.02, 1.5))
                own.emulated.kill()
                begun = time.monotonic()
                own.emulated.up()
                campaign.tried += 1
                slowest = max(slowest, time.monotonic() - begun)
                if time.monotonic() - begun > RESTART_SECONDS:
                    campaign.wrong("stuck", f"start {kill} took more than {RESTART_SECONDS:.0f} s")
                for failed in [each for each in writers if each.done()]:
                    writers.remove(failed)
                    campaign.wrong("500", f"after kill {kill}: {failed.exception()}")
        finally:
            stop.set()
    campaign.unit = f"{written.acknowledged} acknowledged, slowest start {slowest:.1f} s"
    verify(written, campaign)


def verify(written: Written, campaign: Any) -> None:
    """Waits for what is on its way, and looks at everything that was acknowledged, and at the listings."""
    wire = written.wire
    deadline = time.monotonic() + QUIET_SECONDS + campaign.tried
    while (left := [each for each in states(wire) if each[1] not in SETTLED]) and time.monotonic() < deadline:
        time.sleep(0.2)
    for name, state in left:
        campaign.wrong("stuck", f"{name} is {state}")
    for name, look in written.known.items():
        if wrong := look():
            campaign.wrong("lost", f"{name}: {wrong:.600}")
    for collection in ("onlineEndpoints", "jobs", "data"):
        names = [each["name"] for each in listed(wire, collection)]
        for name in {each for each in names if names.count(each) > 1}:
            campaign.wrong("twice", f"{collection}/{name}")
