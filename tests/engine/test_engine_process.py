"""The engine as the process that the emulator starts: exit codes, errors, and how it ends early."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def start() -> Iterator[Callable[[Path], subprocess.Popen[bytes]]]:
    """Starts the engine with a pipe as stdin; what still runs at the end of the test is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def run(folder: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "scripts.local.engine", str(folder)]
        process = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait(10)
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


def log_of(folder: Path) -> str:
    path = folder / "logs" / "executionlogs.txt"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def wait_for(folder: Path, words: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while words not in log_of(folder):
        assert time.monotonic() < end, log_of(folder)
        time.sleep(0.1)


def test_a_job_completes_with_0_and_says_nothing_elsewhere(make_job: Callable[..., Path], start: Any) -> None:
    folder = make_job()
    process = start(folder)
    assert process.wait(180) == 0, log_of(folder)
    assert log_of(folder).endswith("completed\n")
    assert not (folder / "error.json").exists()
    assert process.stderr.read() == b""


def test_the_users_mistake_is_a_sentence_and_1(make_job: Callable[..., Path], start: Any) -> None:
    folder = make_job(learning_rate="-1")
    assert start(folder).wait(120) == 1
    error = json.loads((folder / "error.json").read_text())
    assert error == {"code": "UserError", "message": "inputs.learning_rate: found -1; allowed is more than 0."}
    assert "Traceback" not in log_of(folder)
    steps = json.loads((folder / "steps.json").read_text())["steps"]
    assert [step["status"] for step in steps] == ["Failed", *["NotStarted"] * 4]


def test_our_own_fault_keeps_its_traceback_out_of_the_log(
    make_job: Callable[..., Path], start: Any, tiny: Path, tmp_path: Path
) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(tiny, broken)
    (broken / "model.safetensors").write_bytes(b"nothing")
    folder = make_job(pytorch_model_path=str(broken))
    assert start(folder).wait(120) == 1
    error = json.loads((folder / "error.json").read_text())
    assert error["code"] == "SystemError" and "logs/debug.txt" in error["message"]
    assert "Traceback" in (folder / "logs" / "debug.txt").read_text()
    assert "Traceback" not in log_of(folder)


def test_terminate_cancels_with_143_and_leaves_nothing_half_written(make_job: Callable[..., Path], start: Any) -> None:
    folder = make_job(num_train_epochs="100000", evaluation_strategy="disable")
    process = start(folder)
    wait_for(folder, "step 20/")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143
    assert log_of(folder).endswith("cancelled\n")
    assert not (folder / "outputs" / "mlflow_model_folder").exists()
    assert not (folder / "error.json").exists()
    steps = json.loads((folder / "steps.json").read_text())["steps"]
    assert [step["status"] for step in steps][3:] == ["Canceled", "NotStarted"]


def test_it_ends_when_the_emulator_is_gone(make_job: Callable[..., Path], start: Any) -> None:
    folder = make_job(num_train_epochs="100000", evaluation_strategy="disable")
    process = start(folder)
    wait_for(folder, "step 5/")
    process.stdin.close()
    assert process.wait(10) == 1


def test_a_folder_without_a_job_is_a_usage_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.local.engine", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 2
    assert "job.json: does not exist" in done.stderr and "Traceback" not in done.stderr
