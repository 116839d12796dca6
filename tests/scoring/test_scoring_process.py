"""The server as the process that the emulator starts."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.conversation import answer
from scripts.local.scoring.__main__ import load
from scripts.local.scoring.app import Server

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    started: list[subprocess.Popen[bytes]] = []

    def run(folder: Path) -> tuple[subprocess.Popen[bytes], str, Path]:
        port, log = free_port(), tmp_path / "scoring.log"
        command = [sys.executable, "-m", "scripts.local.scoring", "--model-dir", str(folder), "--port", str(port)]
        process = subprocess.Popen([*command, "--log", str(log)], cwd=REPOSITORY, stdin=subprocess.PIPE)
        started.append(process)
        return process, f"http://127.0.0.1:{port}", log

    yield run
    for process in started:
        process.kill()
        process.wait(10)
        process.stdin.close()


def status(url: str) -> int:
    try:
        return urllib.request.urlopen(url, timeout=5).status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def wait_until_healthy(process: subprocess.Popen[bytes], url: str) -> None:
    end = time.monotonic() + 120
    while status(url) != 200:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.1)


def test_it_answers_and_ends_with_the_emulator(start: Any, served: Path) -> None:
    process, url, log = start(served)
    wait_until_healthy(process, url)
    body = {"input_data": {"input_string": [{"role": "user", "content": "Hello"}], "parameters": {"max_new_tokens": 4}}}
    request = urllib.request.Request(f"{url}/score", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        assert set(json.load(response)) == {"output"}
    assert "model ready after" in log.read_text() and "POST /score 200" in log.read_text()
    process.stdin.close()
    assert process.wait(10) == 1


def test_it_ends_on_terminate(start: Any, served: Path) -> None:
    process, url, _ = start(served)
    wait_until_healthy(process, url)
    process.terminate()
    assert process.wait(30) in (0, 143, -15)


def test_terminate_lets_what_runs_end_and_takes_no_more(start: Any, served: Path) -> None:
    process, url, log = start(served)
    wait_until_healthy(process, url)
    text: list[Any] = []
    asked = {"input_string": [[{"role": "user", "content": "Hello"}]] * 64, "parameters": {"max_new_tokens": 200}}
    request = urllib.request.Request(f"{url}/score", json.dumps({"input_data": asked}).encode())

    def ask() -> None:
        with urllib.request.urlopen(request, timeout=60) as response:
            text.extend(json.load(response))

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.2)
    assert not text, "it was answered before it could be asked to end"
    process.terminate()
    time.sleep(0.4)
    assert status(url) == 0 and process.poll() is None  # nobody listens, and it goes on
    asking.join(60)
    assert len(text) == 64
    assert process.wait(10) in (0, -15)
    assert "POST /score 200" in log.read_text()


@pytest.fixture
def broken(served: Path, tmp_path: Path, missing: str) -> Path:
    folder = tmp_path / "broken"
    shutil.copytree(served, folder)
    (folder / missing).unlink()
    return folder


@pytest.mark.parametrize("damaged", ["model/config.json", "model/tokenizer_config.json", "model/model.safetensors"])
def test_a_damaged_file_fails_with_a_sentence(start: Any, served: Path, tmp_path: Path, damaged: str) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(served, folder)
    (folder / damaged).write_bytes((folder / damaged).read_bytes()[:20])
    process, _, log = start(folder)
    assert process.wait(120) == 1
    assert " error: " in log.read_text()
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("missing", ["MLmodel", "model/config.json"])
def test_a_folder_that_cannot_be_served_fails_at_once_with_a_sentence(start: Any, broken: Path) -> None:
    process, _, log = start(broken)
    assert process.wait(120) == 1
    assert " error: " in log.read_text()
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("missing", ["model/chat_template.jinja", "model/model.safetensors"])
def test_a_model_that_does_not_load_ends_the_process_with_a_sentence(
    broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, said = argparse.Namespace(model_dir=broken, max_batch=8, threads=1, cache_mb=64), []

    def end(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(SystemExit) as ended:
        load(Server(said.append, answer.OUTPUT), options, said.append)
    assert ended.value.code == 1
    assert [line.startswith("error: ") for line in said] == [True]
