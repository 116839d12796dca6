"""The scoring process ends under load, is replaced, or its clients are slow: who asks is answered all the same."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
import requests
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint, OnlineRequestSettings

from tests.local.conftest import SIZE, Local
from tests.local.wire import Wire, tunnel

CLIENTS = 8


class Served:
    """A deployment `blue` with all traffic, whose server is the fake."""

    def __init__(self, local: Local) -> None:
        self.local, self.endpoint = local, local.name("drain")
        self.model = local.model().id
        local.ml.online_endpoints.begin_create_or_update(
            ManagedOnlineEndpoint(name=self.endpoint, auth_mode="key")
        ).result()
        self.deploy()
        local.ml.online_endpoints.begin_create_or_update(
            ManagedOnlineEndpoint(name=self.endpoint, auth_mode="key", traffic={"blue": 100})
        ).result()
        self.key = local.ml.online_endpoints.get_keys(self.endpoint).primary_key
        self.host = f"{self.endpoint}.eastus.inference.ml.azure.com"

    def deploy(self, seconds: float = 20, **words: Any) -> None:
        settings = OnlineRequestSettings(
            request_timeout_ms=int(1000 * seconds), max_concurrent_requests_per_instance=CLIENTS
        )
        deployment = ManagedOnlineDeployment(
            name="blue", endpoint_name=self.endpoint, model=self.model, instance_type=SIZE, instance_count=1,
            request_settings=settings, **words,
        )  # fmt: skip
        self.local.ml.online_deployments.begin_create_or_update(deployment).result()

    def process(self) -> psutil.Process:
        """Returns the newest process that serves."""
        children = psutil.Process(self.local.emulated.record["pid"]).children()
        return max(
            (each for each in children if "tests.local.fakes.scoring" in each.cmdline()), key=lambda p: p.create_time()
        )

    def ask(self, session: requests.Session, **wish: Any) -> requests.Response:
        body = {"input_data": {"input_string": ["hi"], "parameters": wish}}
        headers = {"Authorization": f"Bearer {self.key}"}
        return session.post(f"https://{self.host}/score", json=body, headers=headers, timeout=40)

    def under_load(self, story: Callable[[], None], sleep: float = 0.3) -> Counter[int]:
        """Returns the statuses of all that CLIENTS were answered while something happens, without any repeat."""
        statuses: Counter[int] = Counter()
        ended = threading.Event()

        def client() -> None:
            with requests.Session() as session:
                while not ended.is_set():
                    statuses[self.ask(session, sleep=sleep).status_code] += 1

        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(client) for _ in range(CLIENTS)]
            time.sleep(0.6)
            story()
            time.sleep(1.5)
            ended.set()
            for each in clients:
                each.result()
        return statuses


@pytest.fixture
def served(local: Local) -> Iterator[Served]:
    made = Served(local)
    yield made
    local.ml.online_endpoints.begin_delete(made.endpoint).result()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nobody_notices_the_end_of_a_server(served: Served, number: int) -> None:
    before = served.process()

    def end() -> None:
        os.kill(before.pid, number)

    statuses = served.under_load(end)
    lost = statuses.total() - statuses[200]  # of which the answer had begun
    assert lost <= (4 if number == signal.SIGKILL else 0), statuses
    assert statuses[200] > 2 * CLIENTS
    assert served.process().pid != before.pid


def test_nobody_notices_a_server_that_takes_connections_while_it_ends(served: Served) -> None:
    statuses = served.under_load(lambda: os.kill(served.process().pid, signal.SIGUSR1))
    assert set(statuses) == {200}, statuses


def test_nobody_notices_a_rollout(served: Served) -> None:
    statuses = served.under_load(lambda: served.deploy(environment_variables={"A": "1"}))
    assert set(statuses) == {200}, statuses


def test_a_server_that_does_not_come_back_in_time_is_503_with_when_to_ask_again(served: Served) -> None:
    served.deploy(seconds=1, environment_variables={"FAKE_SCORING_SLOW_AGAIN": str(served.local.folder / "started")})
    served.process().kill()
    with requests.Session() as session:
        answer = served.ask(session)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        served.local.until(lambda: served.ask(session).status_code == 200)


def test_a_request_that_ends_servers_is_not_sent_for_ever(served: Served) -> None:
    with requests.Session() as session:
        answer = served.ask(session, exit=True)
        assert (answer.status_code, answer.headers["ms-azureml-model-error-statuscode"]) == (424, "502")
        assert served.ask(session).status_code == 200


def test_clients_that_send_slowly_hold_up_nobody(served: Served) -> None:
    head = f"POST /score HTTP/1.1\r\nHost: {served.host}\r\nAuthorization: Bearer {served.key}\r\n"
    with contextlib.ExitStack() as stack:
        for number in range(4 * CLIENTS):
            slow = stack.enter_context(tunnel(served.local.emulated, served.host))
            slow.sendall((head + ("Content-Length: 100\r\n\r\n{" if number % 2 else "X-Slow: ")).encode())
        with requests.Session() as session:
            assert served.ask(session).status_code == 200
            big = session.post(
                f"https://{served.host}/score", data=b" " * (17 * 2**20),
                headers={"Authorization": f"Bearer {served.key}"}, timeout=40,
            )  # fmt: skip
            assert (big.status_code, big.text) == (413, "The request has more than 16777216 bytes.")
            assert json.loads(served.ask(session).text)["output"] == "hi"


def test_clients_that_leave_make_room_at_once(served: Served) -> None:
    for _ in range(3 * CLIENTS):  # more than the deployment takes on at a time
        with pytest.raises(requests.Timeout), requests.Session() as session:
            body = {"input_data": {"input_string": ["hi"], "parameters": {"sleep": 10}}}
            headers = {"Authorization": f"Bearer {served.key}"}
            session.post(f"https://{served.host}/score", json=body, headers=headers, timeout=0.2)
    with requests.Session() as session:
        begun = time.monotonic()
        assert served.ask(session).status_code == 200
        assert time.monotonic() - begun < 5


def test_of_two_changes_at_once_what_the_first_brought_serves_after_a_restart(own: Local) -> None:
    served = Served(own)
    wire, path = Wire(own), f"onlineEndpoints/{served.endpoint}/deployments/blue"
    body = wire.get(path)
    for variables in ({"FAKE_SCORING_SLOW_AGAIN": __file__}, {"FAKE_SCORING_CRASH": "1"}):
        body["properties"]["environmentVariables"] = variables
        changed = wire.ask("PUT", path, {key: body[key] for key in ("location", "sku", "properties")})
        assert changed.status_code == 201, changed.text
        time.sleep(0.3)  # the first has begun
    own.until(lambda: wire.ask("GET", changed.headers["Azure-AsyncOperation"]).json()["status"] == "Failed")
    assert wire.get(path)["properties"]["provisioningState"] == "Failed"
    own.emulated.kill()
    own.emulated.up()
    with requests.Session() as session:
        assert served.ask(session).status_code == 200
