"""Requests that nobody should send, to every route of the emulator's own table: valid ones, changed by a seeded chance.

A route that is new is asked as soon as it stands in the table: with a valid body of its own where there is one, with
one of the others otherwise.
"""

from __future__ import annotations

import copy
import http.client
import json
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from scripts.local.core.web import Route
from scripts.local.routes import TABLES
from tests.conftest import Emulated
from tests.local.odd_values import ODD_BODIES, ODD_QUERIES, ODD_WORDS, changed, spoilt
from tests.local.valid_bodies import bodies
from tests.local.wire import tunnel

PATIENCE = 30.0  # seconds: what takes longer hangs; the first job waits for the import of MLflow
MADE = (
    "jobs/fuzz-1",
    "models/fuzz/versions/1",
    "components/fuzz/versions/1",
    "onlineEndpoints/fuzz-ep/deployments/blue",
)
NOT_ASKED = {"/control/stop"}  # it would end the emulator
ENDED = ("Succeeded", "Failed", "Completed", "Canceled")
MLFLOW = (
    "2.0/mlflow/experiments/create 2.0/mlflow/experiments/search 2.0/mlflow/runs/create 2.0/mlflow/runs/update "
    "2.0/mlflow/runs/log-batch 2.0/mlflow/runs/log-metric 2.0/mlflow/runs/set-tag 2.0/mlflow/runs/search "
    "2.0/mlflow/runs/get 2.0/mlflow/logged-models/search 3.0/mlflow/traces/search"
).split()


@dataclass(frozen=True)
class Asked:
    """A request, as it is sent."""

    family: str
    method: str
    path: str
    body: bytes
    kind: str = "application/json"

    def line(self) -> str:
        """Returns it in a line."""
        return f"{self.family} {self.method} {self.path[:200]} [{self.kind}] {self.body[:300]!r}"


@dataclass
class Fuzz:
    """Asks a running emulator; `faults` are the answers that should not have been, a line each."""

    emulated: Emulated
    seed: int
    faults: list[str] = field(default_factory=list)
    connections: dict[str, http.client.HTTPConnection] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        credentials = json.loads((self.emulated.home / "credentials.json").read_text())
        words = self.emulated.workspace
        self.account, self.token, self.key = "x", "", ""
        form = {
            "grant_type": "client_credentials",
            "client_id": credentials["client_id"],
            "client_secret": credentials["client_secret"],
            "scope": "https://management.azure.com/.default",
        }
        where = f"/{credentials['tenant_id']}/oauth2/v2.0/token"
        answer = self.send(
            Asked("identity", "POST", where, urlencode(form).encode(), "application/x-www-form-urlencoded")
        )
        self.token = json.loads(answer[1])["access_token"]
        self.words = {
            "subscription": words["subscription_id"],
            "group": words["resource_group"],
            "workspace": words["workspace"],
            "location": words["region"],
            "registry": "azureml",
            "tenant": credentials["tenant_id"],
            "kind": "models",
            "version": "1",
            "endpoint": "fuzz-ep",
            "experiment": "fuzz",
            "origin": "LocalUpload",
            "container": "fuzz",
            "namespace": "Microsoft.Compute",
            "verb": "set",
            "id": "endpoint:x:y",
            "run": "fuzz-1",
        }
        group = f"/subscriptions/{words['subscription_id']}/resourceGroups/{words['resource_group']}"
        self.ws = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/{words['workspace']}"
        status, content = self.arm("GET", self.ws)
        assert status == 200, content
        self.account = self.words["account"] = content["properties"]["storageAccount"].rpartition("/")[2]
        store = f"{self.ws}/datastores/workspaceblobstore/listSecrets"
        self.shared = self.arm("POST", store, {"expirableSecret": True})[1]["sasToken"].lstrip("?")
        self.bodies = bodies(self.ws, self.emulated.workspace)
        self.make()
        made = {self.arm("GET", f"{self.ws}/{path}")[0] for path in MADE}
        assert made == {200}

    # --- what is sent --------------------------------------------------------------------------------------------

    def host(self, family: str) -> str:
        """Returns a host of a family of routes."""
        return {
            "arm": "management.azure.com",
            "identity": "login.microsoftonline.com",
            "data": f"{self.emulated.workspace['region']}.api.azureml.ms",
            "scoring": f"fuzz-ep.{self.emulated.workspace['region']}.inference.ml.azure.com",
            "blob": f"{self.account}.blob.core.windows.net",
            "control": "127.0.0.1",
        }[family]

    def send(self, asked: Asked) -> tuple[int, bytes]:
        """Returns the status and the body of the answer; 0 where there was none."""
        record = self.emulated.record
        headers = {"Content-Type": asked.kind, "Authorization": f"Bearer {self.token}", "x-local-key": record["key"]}
        if asked.family == "blob":
            headers |= {"x-ms-blob-type": "BlockBlob"}
        if asked.family == "scoring":
            headers |= {"Authorization": f"Bearer {self.key}", "azureml-model-deployment": "blue"}
        headers["Host"] = self.host(asked.family)
        for again in (True, False):
            connection = self.connections.get(asked.family) or self._connect(asked.family, record)
            try:
                connection.request(asked.method, asked.path, asked.body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except TimeoutError:
                self.connections.pop(asked.family).close()
                return 0, b"no answer in time"
            except (http.client.HTTPException, OSError) as error:
                self.connections.pop(asked.family).close()
                if not again:
                    return 0, repr(error).encode()
        raise AssertionError

    def _connect(self, family: str, record: dict[str, Any]) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", record["plain_port"], timeout=PATIENCE)
        if family != "control":
            connection.sock = tunnel(self.emulated, self.host(family), PATIENCE)
        self.connections[family] = connection
        return connection

    def arm(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Returns the status and the JSON of a plain request to ARM."""
        path = path if "?" in path else f"{path}?api-version=2023-08-01-preview"
        status, raw = self.send(Asked("arm", method, path, b"" if body is None else json.dumps(body).encode()))
        if not 0 < status < 500:
            self.faults.append(f"{status} {method} {path}: {raw[:300]!r}")
        return status, json.loads(raw) if raw and status else None

    def make(self) -> None:
        """Makes one resource of each kind where there is none (any more), with the valid bodies."""
        _, store = self.arm("GET", f"{self.ws}/datastores/workspaceblobstore")
        for name in ("MLmodel", "data"):
            blob = f"/{store['properties']['containerName']}/fuzz/{name}?{self.shared}"
            status, answer = self.send(Asked("blob", "PUT", blob, b"flavors: {python_function: {}}\n"))
            assert status == 201, answer
        names = {"computes/{name}": "fuzz-cluster", "deployments/{name}": "blue", "jobs/{name}": "fuzz-1"}
        for end, body in self.bodies:
            if not re.match(r"[a-zA-Z]+/{(name|endpoint)}", end) or end.startswith("runs"):
                continue
            words = {"{name}": names.get(end, "fuzz"), "{version}": "1", "{endpoint}": "fuzz-ep"}
            path = re.sub(r"{\w+}", lambda match, words=words: words[match[0]], end)
            path = f"onlineEndpoints/fuzz-ep/{path}" if end.startswith("deployments") else path
            if self.arm("GET", f"{self.ws}/{path}")[0] != 200:
                self.arm("PUT", f"{self.ws}/{path}", body)
            if end.startswith(("computes", "online")):
                self.settle(5)
        keys = self.arm("POST", f"{self.ws}/onlineEndpoints/fuzz-ep/listKeys")[1]
        self.key = keys.get("primaryKey") or self.key

    def requests(self, count: int) -> Iterator[Asked]:
        """Yields requests: each route of each table in turn, so that a few hundred ask all of them."""
        rows = [
            (family, method, route)
            for family, table in TABLES.items()
            for route in table.table
            for method in sorted(route.methods)
            if route.template not in NOT_ASKED
        ]
        known = tuple(end for end, _ in self.bodies if "mlflow" not in end)
        written = [row for row in rows if row[1] in ("PUT", "PATCH", "POST") and row[2].template.endswith(known)]
        for number in range(count):  # what takes a body is asked more often
            if number % 200 == 199:
                self.make()  # what was deleted meanwhile
            family, method, route = rows[number // 2 % len(rows)] if number % 2 else self.chance.choice(written)
            yield self._request(family, method, route)

    def _request(self, family: str, method: str, route: Route) -> Asked:
        path = re.sub(r"{(\w+)(:path)?}", lambda match: self._word(family, match[1], route.template), route.template)
        query = {"api-version": "2023-08-01-preview"}
        for key, values in ODD_QUERIES.items():
            if self.chance.random() < 0.04:
                query[key] = self.chance.choice(values)
        if family == "blob":
            query |= dict(parse_qsl(self.shared))
        where = f"{path}?{urlencode(query, errors='replace')}"
        if method in ("GET", "HEAD") or (method == "DELETE" and self.chance.random() < 0.9):
            return Asked(family, method, where, b"")
        body, kind = self._body(route.template)
        return Asked(family, method, where, body, kind)

    def _word(self, family: str, word: str, template: str) -> str:
        odd = self.chance.random()
        if odd < (0.01 if word in ("subscription", "group", "workspace") else 0.05):
            return quote(self.chance.choice(ODD_WORDS))
        if word == "rest" and family == "blob":
            name = quote(self.chance.choice(("fuzz/a", "fuzz/MLmodel", "a//b", "../x", "x" * 300, "é", "a/./b", "")))
            return f"{self.chance.choice(('azureml', 'fuzz-container', 'X'))}/{name}"
        if word == "rest":
            return (
                self.chance.choice(MLFLOW) if "/api/" in template else self.chance.choice(("a", "a/b", "/", "%C3%A9"))
            )
        if word == "path":
            return self.chance.choice(("a", "a/b", "..", "a/../../b", "%00"))
        if word == "name":
            if "computes" in template:
                return self.chance.choice(("fuzz-cluster", "other-cluster"))
            if "deployments" in template:
                return self.chance.choice(("blue", "green"))
            return self.chance.choice(("fuzz", "fuzz-1", "fuzz-2", "fuzz-out"))
        if word == "endpoint" and odd < 0.3:
            return "other-ep"
        if word == "kind":
            return self.chance.choice(("models", "components", "environments", "data", "codes"))
        return self.words.get(word, "fuzz")

    def _body(self, template: str) -> tuple[bytes, str]:
        fitting = [
            body for end, body in self.bodies if template.endswith(end) or (end[0].isdigit() and end in template)
        ]
        body = self.chance.choice(fitting or [body for _, body in self.bodies])
        if isinstance(body, bytes):
            return spoilt(self.chance, body), "application/x-www-form-urlencoded"
        chance = self.chance.random()
        if chance < 0.06:
            return self.chance.choice(ODD_BODIES), "application/json"  # fmt: skip
        if chance < 0.15:
            return json.dumps(body).encode(), "application/json"
        if chance < 0.17:
            return json.dumps(body).encode(), self.chance.choice(("text/plain", "", "application/xml", "x"))
        body = copy.deepcopy(body)
        for _ in range(self.chance.choice((1, 1, 1, 2, 3))):
            body = changed(self.chance, body)
        return spoilt(self.chance, json.dumps(body).encode(), 0.03), "application/json"

    # --- what comes back -----------------------------------------------------------------------------------------

    def run(self, count: int) -> None:
        """Sends so many requests and notes each answer that should not have been."""
        for asked in self.requests(count):
            began = time.monotonic()
            status, body = self.send(asked)
            if fault := _fault(asked, status, body):
                self.faults.append(f"{status} after {time.monotonic() - began:.1f} s, {fault}: {asked.line()}")

    def listings(self) -> list[str]:
        """Returns what is wrong with any listing, or with a resource that one shows."""
        wrong = []
        for family in ("arm", "data"):
            for route in TABLES[family].table:
                if "GET" not in route.methods or ":path" in route.template or route.template.endswith("}"):
                    continue
                names = ("fuzz", "fuzz-1", "blue") if "{name}" in route.template else ("",)
                for name in names:
                    words = {**self.words, "name": name}
                    path = re.sub(r"{(\w+)}", lambda match, words=words: words[match[1]], route.template)
                    for query in ("", "&listViewType=All", "&hash=x", "&tag=a", "&$top=1"):
                        wrong += self._page(family, f"{path}?api-version=2023-08-01-preview{query}")
        return wrong

    def _page(self, family: str, path: str) -> list[str]:
        status, body = self.send(Asked(family, "GET", path, b""))
        if status >= 500 or status == 0:
            return [f"{status} {path}: {body[:300]!r}"]
        try:
            items = json.loads(body or b"{}").get("value", [])
        except AttributeError:
            return []
        wrong = []
        for item in items if isinstance(items, list) and family == "arm" else []:
            identifier = item.get("id") if isinstance(item, dict) else None
            if isinstance(identifier, str) and "/workspaces/" in identifier:
                found, content = self.send(
                    Asked("arm", "GET", f"{quote(identifier)}?api-version=2023-08-01-preview", b"")
                )
                if found != 200:
                    wrong.append(f"{found} {identifier}, which {path} lists: {content[:300]!r}")
        return wrong

    def unsettled(self) -> list[str]:
        """Returns what is still on its way to a state in which it stays."""
        left = []
        for kind in ("computes", "onlineEndpoints", "jobs", "onlineEndpoints/fuzz-ep/deployments"):
            items = (self.arm("GET", f"{self.ws}/{kind}?api-version=2023-08-01-preview&$top=10000")[1] or {}).get(
                "value", []
            )
            for item in items:
                state = item["properties"].get("provisioningState") or item["properties"].get("status")
                if state not in ENDED:
                    left.append(f"{item['id'].rpartition('workspaces/')[2]} is {state}")
        return left

    def settle(self, seconds: float) -> list[str]:
        """Waits until nothing is on its way; returns what still is."""
        deadline = time.monotonic() + seconds
        while (left := self.unsettled()) and time.monotonic() < deadline:
            time.sleep(0.2)
        return left


def _fault(asked: Asked, status: int, body: bytes) -> str:
    """Returns what is wrong with an answer, an empty text where nothing is."""
    if status == 0 or status >= 500:
        return body[:400].decode(errors="replace")
    mlflow = "/api/" in asked.path  # MLflow's own server answers what it does not know in HTML
    if status < 400 or mlflow or asked.method == "HEAD" or asked.family in ("blob", "scoring") or not body:
        return ""
    try:
        content = json.loads(body)
    except ValueError:
        return f"an answer that is no JSON: {body[:200]!r}"
    error = content.get("error") if isinstance(content, dict) else None
    told = isinstance(error, dict) and error.get("code") and error.get("message")
    known = told or content.get("error_code") or isinstance(error, str)
    return "" if known else f"no envelope of Azure's: {body[:200]!r}"
