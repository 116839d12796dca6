"""Who gets through the doors of the emulator: keys, pages of browsers, and where a key may be read."""

from __future__ import annotations

import base64
import json
import os
import socket
import stat
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
import requests

from scripts.local import launcher
from scripts.local.core.home import Home
from tests.conftest import REPOSITORY, WORKSPACE

THEIRS = "[mlflow]\nmlflow_tracking_username = x\nmlflow_tracking_password = y\n"
ARM = "https://management.azure.com/subscriptions?api-version=2022-12-01"


def knock(port: int, *lines: str) -> str:
    """Returns the status line of the answer to a request that no client would make so."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        return connection.recv(100).decode().partition("\r\n")[0]


def proxy_key() -> str:
    return base64.b64encode(urlsplit(os.environ["HTTPS_PROXY"]).netloc.rpartition("@")[0].encode()).decode()


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["CONNECT management.azure.com:443 HTTP/1.1"], 407),
        (["CONNECT management.azure.com:443 HTTP/1.1", "Proxy-Authorization: Basic bG9jYWw6Z3Vlc3M="], 407),
        (["CONNECT pypi.org:443 HTTP/1.1"], 407),
        (["GET http://127.0.0.1/ HTTP/1.1"], 407),
        (["CONNECT pypi.org:443 HTTP/1.1", "Proxy-Authorization: Basic {key}"], 403),
        (["GET http://127.0.0.1/ HTTP/1.1", "proxy-authorization: basic {key}"], 403),
        (["CONNECT management.azure.com:443 HTTP/1.1", "Proxy-Authorization: Basic {key}"], 200),
    ],
)
def test_the_proxy_wants_its_key(local, lines, status):
    lines = [line.format(key=proxy_key()) for line in lines]
    assert knock(local.emulated.record["proxy_port"], *lines).startswith(f"HTTP/1.1 {status} ")


def test_the_key_of_the_proxy_outlives_the_emulator(own):
    before = own.emulated.env["HTTPS_PROXY"]
    own.emulated.kill()
    own.emulated.up()
    assert own.emulated.env["HTTPS_PROXY"] == before  # shells that have the environment go on


def test_a_page_of_a_browser_is_refused_whatever_it_knows(local):
    token = local.ml._credential.get_token("https://management.azure.com/.default").token
    headers = {"Authorization": f"Bearer {token}"}
    for origin, status in ((None, 200), ("https://management.azure.com", 200), ("https://evil.example", 403)):
        more = {"Origin": origin} if origin else {}
        assert requests.get(ARM, headers=headers | more, timeout=10).status_code == status, origin
    port, key = local.emulated.record["plain_port"], f"x-local-key: {local.emulated.record['key']}"
    for origin, status in (("https://evil.example", 403), ("null", 403), (f"http://127.0.0.1:{port}", 200)):
        lines = ["GET /control/health HTTP/1.1", f"Host: 127.0.0.1:{port}", key, f"Origin: {origin}"]
        assert knock(port, *lines).startswith(f"HTTP/1.1 {status} "), origin


def test_a_job_reaches_mlflow_of_its_workspace_and_nothing_else_while_it_runs(local, tmp_path):
    """Whatever the user keeps for another server of MLflow's."""
    from azure.ai.ml import command

    (tmp_path / ".mlflow").mkdir()
    (tmp_path / ".mlflow" / "credentials").write_text(THEIRS)
    local.cluster()
    script = (
        "python -c \"import json, os, mlflow; mlflow.log_metric('loss', 1.5); "
        "print('TOKEN', json.dumps([os.environ['MLFLOW_TRACKING_TOKEN'], os.environ['MLFLOW_TRACKING_URI']]))\"; "
        f"until [ -e {tmp_path}/seen ]; do sleep 0.05; done"
    )
    job = command(
        name=local.name("job"), command=f"HOME={tmp_path} {script}", compute="gpu-cluster",
        environment="azureml://registries/azureml/environments/acpt-pytorch-2.2-cuda12.1/versions/40",
    )  # fmt: skip
    name = local.ml.jobs.create_or_update(job).name
    logs = f"blobs/*/azureml/ExperimentRun/dcid.{name}/user_logs/std_log.txt"

    def said():
        lines = (line for log in local.emulated.home.glob(logs) for line in log.read_text().splitlines(keepends=True))
        return next((each for each in lines if each.startswith("TOKEN ") and each.endswith("\n")), None)

    line = local.until(said)
    token, uri = json.loads(line.removeprefix("TOKEN "))
    bearer = {"Authorization": f"Bearer {token}"}
    session = requests.Session()
    session.trust_env = False
    asked = {"run_id": name}
    run = session.get(f"{uri}/api/2.0/mlflow/runs/get", params=asked, headers=bearer, timeout=10)
    assert run.json()["run"]["data"]["metrics"][0]["value"] == 1.5
    launcher.register(Home(local.emulated.home), {**WORKSPACE, "workspace": "another"})
    other = uri.replace(WORKSPACE["workspace"], "another")
    assert session.get(f"{other}/api/2.0/mlflow/runs/get", params=asked, headers=bearer, timeout=10).status_code == 401
    assert requests.get(ARM, headers=bearer, timeout=10).status_code == 401
    (tmp_path / "seen").touch()
    assert local.ended(name) == "Completed"
    late = session.post(f"{uri}/api/2.0/mlflow/runs/delete", json=asked, headers=bearer, timeout=10)
    assert (late.status_code, late.json()["error"]["code"]) == (401, "ExpiredAuthenticationToken")


def test_the_sign_in_of_az_has_no_secret_on_its_command_line(fake_emulator, tmp_path):
    az, seen = tmp_path / "az", tmp_path / "seen"
    az.write_text(f'#!/bin/sh\necho "$*" >> {seen}\ncat >> {seen}.input\n')
    az.chmod(0o755)
    home = Home(fake_emulator.home)
    folder = home.azure / WORKSPACE["subscription_id"]
    (folder / "signed-in").unlink(missing_ok=True)
    secret = fake_emulator.env["AZURE_CLIENT_SECRET"]
    launcher.sign_in(home, fake_emulator.env, str(az), WORKSPACE["subscription_id"])
    said = seen.read_text()
    assert "login --service-principal" in said and "-p @- " in said
    assert secret not in said
    assert secret in (tmp_path / "seen.input").read_text()  # what `@-` stands for, as test_local_az.py shows
    (folder / "signed-in").unlink()


def test_a_home_that_was_open_is_closed_whatever_the_umask(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    for name in ("emulator.log", "refused.log"):
        (home / name).write_text("old")
        (home / name).chmod(0o644)
    up = "import os, pathlib; from scripts.local import launcher; os.umask(0); launcher.up(launcher.Home(pathlib.{!r}))"
    subprocess.run([sys.executable, "-c", up.format(home)], cwd=REPOSITORY, check=True, timeout=90)
    try:
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        wrong = [each.name for each in home.rglob("*") if each.is_file() and each.stat().st_mode & 0o077]
        assert wrong == []
        assert [each.name for each in home.rglob("*") if each.is_dir() and each.stat().st_mode & 0o077] == []
        assert (home / "emulator.log").read_text().startswith("old")
    finally:
        launcher.down(Home(home))


def test_a_shell_runs_nothing_of_what_its_variables_are_called(fake_emulator, tmp_path):
    """Any program may start one with names that no shell could write."""
    environment = os.environ | {
        "AZUREML_LOCAL_HOME": str(fake_emulator.home),
        f"AZURE_X; touch {tmp_path}/run #": "1",
        "AZURE_LEFT": "1",
    }
    script = f'eval "$({sys.executable} -m scripts.local env)" && echo ${{AZURE_LEFT-gone}}'
    done = subprocess.run(
        ["bash", "-c", script], env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("gone\n", "")
    assert not (tmp_path / "run").exists()
