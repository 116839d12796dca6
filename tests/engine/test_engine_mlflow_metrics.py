"""Metrics reach MLflow under the component's names, and a server that is slow or gone costs only metrics."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scripts.local.engine.job_folder import Tracking
from scripts.local.engine.mlflow_metrics import Tracker


class Server:
    """Records what MLflow's client sends; `delay` seconds before each answer."""

    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.delay = 0.0
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(recorder.delay)
                recorder.received.append((self.path, json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.uri = f"http://127.0.0.1:{self.http.server_port}"

    def metrics(self) -> dict[str, list[tuple[int, float]]]:
        found: dict[str, list[tuple[int, float]]] = {}
        for path, body in self.received:
            if path.endswith("log-batch"):
                for metric in body.get("metrics", []):
                    found.setdefault(metric["key"], []).append((int(metric.get("step", 0)), metric["value"]))
        return found


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def with_tracking(folder: Path, uri: str) -> Path:
    description = json.loads((folder / "job.json").read_text())
    description["mlflow"] = {"tracking_uri": uri, "run_id": "run"}
    (folder / "job.json").write_text(json.dumps(description))
    return folder


def test_a_job_sends_the_metrics_of_the_component(
    server: Server, make_job: Callable[..., Path], run_job: Callable[[Path], Any]
) -> None:
    run_job(with_tracking(make_job(num_train_epochs="2"), server.uri))
    metrics = server.metrics()
    assert [step for step, _ in metrics["loss"]] == list(range(1, 13))
    assert [step for step, _ in metrics["eval_loss"]] == [0, 6, 12]
    assert {"learning_rate", "grad_norm", "epoch", "train_runtime", "train_loss", "eval_runtime"} <= set(metrics)
    assert metrics["loss"][-1][1] < metrics["loss"][0][1]
    bodies = [body for path, body in server.received if path.endswith("log-batch")]
    assert {body["run_id"] for body in bodies} == {"run"}
    params = {each["key"]: each["value"] for body in bodies for each in body.get("params", [])}
    assert params["learning_rate"] == "0.01"
    tags = {each["key"]: each["value"] for body in bodies for each in body.get("tags", [])}
    assert float(tags["score"]) == pytest.approx(min(value for _, value in metrics["eval_loss"]))
    assert int(tags["train_assistant_tokens"]) > 0


def test_a_slow_server_does_not_slow_the_training(server: Server) -> None:
    server.delay = 0.5
    tracker = Tracker(Tracking(server.uri, "run"), print)
    begun = time.monotonic()
    for step in range(50):
        tracker.metrics(step, loss=float(step))
    assert time.monotonic() - begun < 0.2
    tracker.close()
    assert len(server.metrics()["loss"]) == 50
    assert len(server.received) < 10  # what waited went together


def test_a_server_that_is_gone_is_said_aloud_and_the_job_completes(
    make_job: Callable[..., Path], run_job: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    folder = with_tracking(make_job(), "http://127.0.0.1:9")
    run_job(folder)
    log = (folder / "logs" / "executionlogs.txt").read_text()
    assert "METRICS NOT SENT (1 time(s)) to http://127.0.0.1:9" in log
    assert (folder / "outputs" / "mlflow_model_folder" / "MLmodel").exists()


def test_a_loss_that_is_no_number_is_left_out(server: Server) -> None:
    tracker = Tracker(Tracking(server.uri, "run"), print)
    tracker.metrics(1, loss=float("nan"), learning_rate=0.1)
    tracker.close()
    assert server.metrics() == {"learning_rate": [(1, 0.1)]}
