"""A job's folder, as the emulator leaves it and reads it: job.json in; log, steps.json, error.json and outputs back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts import files
from scripts.errors import USAGE, UserError

STEPS = (
    "ft_nlp_common_validation",
    "chat_completion_model_import",
    "chat_completion_datapreprocess",
    "chat_completion_finetune",
    "ft_nlp_model_converter",
)


@dataclass(frozen=True)
class Base:
    """The base model: what the job asked for, and the folder with its weights if there is one on this machine."""

    reference: str | None = None
    path: str | None = None
    stand_in: bool = False


@dataclass(frozen=True)
class Settings:
    """The caps of the emulator's settings; 0 or nothing is none."""

    max_tokens: int | None = None
    max_steps: int | None = None
    threads: int | None = None


@dataclass(frozen=True)
class Tracking:
    """Where the run is in MLflow."""

    tracking_uri: str | None = None
    run_id: str | None = None
    experiment_name: str = ""


@dataclass(frozen=True)
class Described:
    """What stands in job.json."""

    name: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    display_name: str = "chat_completion_pipeline"
    experiment_name: str = ""
    component: str = "chat_completion_pipeline"
    base_model: Base = Base()
    settings: Settings = Settings()
    mlflow: Tracking = Tracking()


class Job:
    """What a job asks for (`inputs` as on the wire, `settings` of the emulator) and where it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        file, anew = folder / "job.json", "the emulator writes it when it accepts a job: submit the job again"
        described = files.read_json(file, anew, Described)
        if described is None:
            raise UserError(f"{file}: does not exist; {anew}", USAGE)
        self.described = described
        self.name, self.inputs, self.settings = described.name, described.inputs, described.settings
        self.base_model, self.mlflow = described.base_model, described.mlflow
        self.outputs = {name: Path(path) for name, path in described.outputs.items()}
        self.scratch = self.folder / "scratch"
        self.logs = self.folder / "logs"
        self.logs.mkdir(exist_ok=True)
        self._log = (self.logs / "executionlogs.txt").open("a", encoding="utf-8", buffering=1)
        self._steps = {name: {"name": name, "status": "NotStarted", "started": None, "ended": None} for name in STEPS}
        self._mark(STEPS[0])  # so that the file is there

    def log(self, line: str) -> None:
        """Appends whole lines to the log that `az ml job stream` prints."""
        stamp = datetime.now(UTC).strftime("%H:%M:%S")
        self._log.write("".join(f"{stamp} {part}\n" for part in str(line).splitlines()))
        self._log.flush()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Runs its block as a step of the component: its state goes to steps.json, its duration to the log."""
        self._mark(name, status="Running", started=_now())
        self.log(f"[{name}] started")
        begun = time.monotonic()
        try:
            yield
        except BaseException as error:
            # A cancelled job ends by SystemExit from the signal's handler.
            self._mark(name, status="Canceled" if isinstance(error, SystemExit) else "Failed", ended=_now())
            raise
        self._mark(name, status="Completed", ended=_now())
        self.log(f"[{name}] completed in {time.monotonic() - begun:.1f} s")

    def fail(self, sentence: str, code: str) -> None:
        """Leaves the reason of a failure: `code` is UserError or SystemError."""
        self.log(f"{code}: {sentence}")
        write_json(self.folder / "error.json", {"code": code, "message": sentence})

    def _mark(self, name: str, **changes: str) -> None:
        self._steps[name].update(changes)
        write_json(self.folder / "steps.json", {"steps": list(self._steps.values())})


def write_json(path: Path, content: Any) -> None:
    """Writes JSON so that a reader sees the old file or the new one, never half of one."""
    files.write(path, json.dumps(content, indent=2) + "\n")


def _now() -> str:
    return datetime.now(UTC).isoformat()
