"""Metrics to MLflow, beside the training and never in its way.

A thread sends what training leaves in a queue, so that a slow tracking server costs no step; one that does not answer
costs the metrics, and the log says so in capitals.
"""

from __future__ import annotations

import math
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from scripts.errors import one_line
from scripts.local.engine.job_folder import Tracking
from scripts.uncollected import uncollected

# A local server answers in milliseconds; MLflow's own defaults (120 s, 7 retries) would outlive the job.
PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
LAST_WORDS = 30  # seconds that the end of the job waits for metrics still in the queue


class Tracker:
    """Sends metrics, parameters and tags of a job's run; without a tracking URI it does nothing."""

    def __init__(self, mlflow: Tracking, log: Callable[[str], None]) -> None:
        self._uri, self._run, self._log = mlflow.tracking_uri, mlflow.run_id, log
        self._queue: queue.Queue[tuple[str, Any] | None] = queue.Queue()
        self._failed = 0
        self._thread = threading.Thread(target=self._work, name="metrics", daemon=True)
        if self._uri:
            os.environ.update({name: os.environ.get(name, value) for name, value in PATIENCE.items()})
            self._thread.start()

    def metrics(self, step: int, **values: float) -> None:
        """Leaves metrics of a step to be sent; what is no finite number is left out, as MLflow's stores refuse it."""
        now = int(time.time() * 1000)
        self._put("metrics", [(name, float(v), now, step) for name, v in values.items() if math.isfinite(v)])

    def parameters(self, values: dict[str, Any]) -> None:
        """Leaves the parameters of the run to be sent."""
        self._put("params", [(name, str(value)) for name, value in values.items() if value is not None])

    def tags(self, values: dict[str, Any]) -> None:
        """Leaves tags of the run to be sent."""
        self._put("tags", [(name, str(value)) for name, value in values.items()])

    def close(self) -> None:
        """Waits until everything is sent, but not for ever."""
        if not self._uri:
            return
        self._queue.put(None)
        self._thread.join(LAST_WORDS)
        if self._thread.is_alive():
            self._log(
                f"METRICS LOST: {self._uri} still takes metrics {LAST_WORDS} s after the training; the job goes on"
            )

    def _put(self, kind: str, entries: list[Any]) -> None:
        if self._uri and entries:
            self._queue.put((kind, entries))

    def _work(self) -> None:
        try:
            with uncollected():
                from mlflow import MlflowClient
                from mlflow.entities import Metric, Param, RunTag

            client: Any = MlflowClient(self._uri)
        except Exception as error:  # whatever is wrong with metrics, the training must not die of it
            self._complain(error)
            return
        kinds = {"metrics": Metric, "params": Param, "tags": RunTag}
        ended = False
        while not ended:
            waiting = [self._queue.get()]
            while not self._queue.empty():  # so that a slow server gets few large requests
                waiting.append(self._queue.get())
            ended = None in waiting
            entries: dict[str, list[Any]] = {kind: [] for kind in kinds}
            for kind, rows in filter(None, waiting):
                entries[kind] += [kinds[kind](*row) for row in rows]
            try:
                client.log_batch(self._run, **entries)
            except Exception as error:
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        self._failed += 1
        if self._failed in (1, 10, 100, 1000):
            reason = f"{type(error).__name__}: {one_line(error)}"
            self._log(f"METRICS NOT SENT ({self._failed} time(s)) to {self._uri}: {reason}")
