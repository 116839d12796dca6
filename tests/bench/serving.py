"""`python -m tests.bench.serving --seconds 600`: a deployment of SmolLM2 under load, a rollout and two signals.

Clients ask one question after the other, every fourth a long one. Measured while nothing happens: statuses, waits, and
memory of the scoring process and of the emulator. Then, under the same load, a rollout, a SIGTERM and a SIGKILL of the
scoring process: how many requests failed without the client's own repeat at 429 and 503, and with it. Exit code 1 where
a bound is missed: 0 answers of 408 or 5xx, the longest wait under 5 medians, memory flat to 5 %, 0 failed with repeats
and at most 4 without.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests

from tests.conftest import WORKSPACE, Emulated, enter

SIZE = "Standard_NC24ads_A100_v4"
CONDA = "dependencies: [python=3.10, pip: [mlflow==2.22.1, azureml-ai-monitoring==1.0.0]]\n"
REPEATS = 60  # of a client that is told to ask again
SETTLED = 0.25  # of a soak, after which memory is looked at


@dataclass
class Seen:
    """What the clients saw: the status of every request's first answer and of its last, and seconds to the last."""

    first: Counter[int] = field(default_factory=Counter)
    last: Counter[int] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)

    @property
    def failed(self) -> tuple[int, int]:
        """How many requests failed without repeats, and with them."""
        without, with_ = (sum(counted.values()) - counted[200] for counted in (self.first, self.last))
        return without, with_


class Served:
    """An emulator of its own with a deployment of SmolLM2 that has all traffic."""

    def __init__(self, home: Path, clients: int, words: int) -> None:
        self.emulated, self.clients, self.words = Emulated(home, WORKSPACE), clients, words
        self.emulated.up()
        enter(self.emulated)
        os.environ["AZUREML_LOCAL_HOME"] = str(home)
        from azure.ai.ml.entities import ManagedOnlineEndpoint, Model

        from scripts.local.engine import smollm2

        folder = home / "model"
        shutil.copytree(smollm2.weights("bfloat16")[0], folder / "model")
        (folder / "MLmodel").write_text("flavors:\n  python_function:\n    env: conda.yaml\n")
        (folder / "conda.yaml").write_text(CONDA)
        self.ml = self.emulated.clients()[0]
        made = Model(name="smollm2", version="1", path=str(folder), type="mlflow_model")
        self.model = self.ml.models.create_or_update(made).id
        self.ml.online_endpoints.begin_create_or_update(
            ManagedOnlineEndpoint(name="bench-ep", auth_mode="key")
        ).result()
        self.deploy()
        endpoint = ManagedOnlineEndpoint(name="bench-ep", auth_mode="key", traffic={"blue": 100})
        self.ml.online_endpoints.begin_create_or_update(endpoint).result()
        self.key = self.ml.online_endpoints.get_keys("bench-ep").primary_key

    def deploy(self, **variables: str) -> None:
        """Makes the deployment, or replaces it."""
        from azure.ai.ml.entities import ManagedOnlineDeployment, OnlineRequestSettings

        settings = OnlineRequestSettings(
            request_timeout_ms=180000, max_concurrent_requests_per_instance=self.clients, max_queue_wait_ms=60000
        )
        deployment = ManagedOnlineDeployment(
            name="blue", endpoint_name="bench-ep", model=self.model, instance_type=SIZE, instance_count=1,
            request_settings=settings, environment_variables=variables,
        )  # fmt: skip
        self.ml.online_deployments.begin_create_or_update(deployment).result()

    def scoring(self) -> psutil.Process:
        """Returns the newest scoring process, waiting for one."""
        while True:
            found = []
            for each in psutil.Process(self.emulated.record["pid"]).children():
                with contextlib.suppress(psutil.Error):  # it ended meanwhile
                    if "scripts.local.scoring" in each.cmdline():
                        found.append(each)
            if found:
                return max(found, key=lambda each: each.create_time())
            time.sleep(0.1)

    def ask(self, session: requests.Session, long: bool) -> requests.Response | None:
        """Asks once; None where there was no answer at all."""
        content = "Count the words. " + "word " * (self.words if long else 8)
        parameters = {"max_new_tokens": 16, "do_sample": True, "temperature": 0.7}
        asked = {"input_string": [{"role": "user", "content": content}], "parameters": parameters}
        headers = {"Authorization": f"Bearer {self.key}"}
        url = "https://bench-ep.eastus.inference.ml.azure.com/score"
        try:
            return session.post(url, json={"input_data": asked}, headers=headers, timeout=240)
        except requests.RequestException:
            return None

    def under_load(self, story: Callable[[], Any]) -> Seen:
        """Returns what the clients saw while something happened."""
        seen, ended = Seen(), threading.Event()

        def client(number: int) -> None:
            asked = number
            with requests.Session() as session:
                while not ended.is_set():
                    asked, begun = asked + 1, time.monotonic()
                    answer = self.ask(session, asked % 4 == 0)
                    seen.first[answer.status_code if answer is not None else 0] += 1
                    for _ in range(REPEATS):
                        if answer is None or answer.status_code not in (429, 503):
                            break
                        time.sleep(float(answer.headers.get("retry-after", 0.5)))
                        answer = self.ask(session, asked % 4 == 0)
                    seen.last[answer.status_code if answer is not None else 0] += 1
                    seen.waits.append(time.monotonic() - begun)

        with concurrent.futures.ThreadPoolExecutor(self.clients) as pool:
            clients = [pool.submit(client, number) for number in range(self.clients)]
            try:
                story()
            finally:
                ended.set()
            for each in clients:
                each.result()
        return seen


def soak(served: Served, seconds: float) -> list[str]:
    """Runs the load while nothing happens; prints what was seen and returns the bounds that were missed."""
    memory: dict[str, list[float]] = {"scoring process": [], "emulator": []}

    def watch() -> None:
        begun = time.monotonic()
        processes = (served.scoring(), psutil.Process(served.emulated.record["pid"]))
        while (passed := time.monotonic() - begun) < seconds:
            if passed > SETTLED * seconds:
                for name, process in zip(memory, processes, strict=True):
                    memory[name].append(process.memory_info().rss / 2**20)
            time.sleep(0.5)

    seen = served.under_load(watch)
    median, longest = statistics.median(seen.waits), max(seen.waits)
    print(f"soak of {seconds:g} s: {dict(seen.first)}; waits: median {median:.1f} s, longest {longest:.1f} s")
    missed = [f"{count} answers of {status}" for status, count in seen.first.items() if status == 408 or status >= 500]
    missed += ["requests without an answer"] if seen.first[0] else []
    missed += ["a wait of more than 5 medians"] if longest >= 5 * median else []
    for name, samples in memory.items():
        third = max(1, len(samples) // 3)
        before, after = statistics.median(samples[:third]), statistics.median(samples[-third:])
        print(f"memory of the {name}: {before:.0f} MB, then {after:.0f} MB; {max(samples):.0f} MB at most")
        missed += [f"memory of the {name} grew"] if after > 1.05 * before else []
    return missed


def events(served: Served) -> list[str]:
    """Replaces and ends the scoring process under the load; prints what was seen and returns the bounds missed."""

    def end(stop: Callable[[psutil.Process], None]) -> None:
        time.sleep(3)
        old = served.scoring()
        stop(old)
        with requests.Session() as session:
            while served.scoring().pid == old.pid or served.ask(session, False) is None:
                time.sleep(0.5)
        time.sleep(3)

    missed = []
    stories: dict[str, Callable[[], Any]] = {
        "rollout": lambda: served.deploy(ROUND="2"),
        "SIGTERM": lambda: end(psutil.Process.terminate),
        "SIGKILL": lambda: end(psutil.Process.kill),
    }
    for name, story in stories.items():
        begun = time.monotonic()
        seen = served.under_load(story)
        without, with_ = seen.failed
        print(
            f"{name}: {dict(seen.first)} in {time.monotonic() - begun:.0f} s, longest wait {max(seen.waits):.1f} s; "
            f"failed: {without} without repeats, {with_} with them"
        )
        missed += [f"{name}: {without} failed without repeats"] if without > 4 else []
        missed += [f"{name}: {with_} failed with repeats"] if with_ else []
    return missed


def command() -> int:
    """Measures, prints, and says what was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.serving", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="length of the soak (default 600)")
    parser.add_argument("--clients", type=int, default=8, help="clients at a time (default 8)")
    parser.add_argument("--words", type=int, default=400, help="words of a long prompt (default 400)")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    home = Path(tempfile.mkdtemp(prefix="bench-serving-"))
    served = None
    try:
        served = Served(home, options.clients, options.words)
        missed = soak(served, options.seconds) + events(served)
    finally:
        if served is not None:
            served.emulated.down()
        shutil.rmtree(home, ignore_errors=True)
    print("\n".join(f"missed: {each}" for each in missed) or "all bounds are kept")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(command())
