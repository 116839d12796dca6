"""The emulator as a program: starting, stopping, what it lets through, and `run`."""

from __future__ import annotations

import base64
import json
import os
import socket
import stat
import subprocess
import sys
import time

import jwt
import psutil
import pytest
import requests

from scripts.errors import FILE, UNREACHABLE, UserError
from scripts.local.core import settings
from scripts.local.core.home import Home, credentials
from scripts.local.launcher import up
from tests.conftest import REPOSITORY, WORKSPACE
from tests.local.conftest import gone

FLAGS = [
    *("--subscription", WORKSPACE["subscription_id"], "--resource-group", WORKSPACE["resource_group"]),
    *("--workspace", WORKSPACE["workspace"], "--region", WORKSPACE["region"]),
]


def program(home, *words, **variables):
    """Runs `python -m scripts.local`."""
    clean = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    environment = clean | {"AZUREML_LOCAL_HOME": str(home), "PYTHONPATH": str(REPOSITORY), **variables}
    command = [sys.executable, "-m", "scripts.local", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=90)


def test_a_host_that_is_not_emulated_is_refused_and_logged(local):
    for host in ("example.com", "dc.services.visualstudio.com", "strangersaccount.blob.core.windows.net", "127.0.0.1"):
        with pytest.raises(requests.exceptions.ProxyError, match="403"):
            requests.get(f"https://{host}/", timeout=10, proxies={"https": os.environ["HTTPS_PROXY"]})
    lines = (local.emulated.home / "refused.log").read_text().splitlines()
    assert {json.loads(line)["target"] for line in lines} >= {"example.com:443", "127.0.0.1:443"}


def test_it_listens_on_the_loopback_only_and_keeps_its_secrets(local):
    process = psutil.Process(local.emulated.record["pid"])
    listening = [each.laddr.ip for each in process.net_connections() if each.status == psutil.CONN_LISTEN]
    assert len(listening) == 2
    assert set(listening) == {"127.0.0.1"}
    home = local.emulated.home
    for name in ("ca.pem", "ca-key.pem", "credentials.json", "emulator.json"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600, name


@pytest.mark.parametrize("text", ["", "x", "null", "[1", '{"tenant_id": "a"}', "{}"])
def test_damaged_credentials_are_a_sentence(tmp_path, text):
    (tmp_path / "credentials.json").write_text(text)
    with pytest.raises(
        UserError, match=r"credentials.json: .+; end the local Azure ML \(make local-down\) and move this away"
    ):
        credentials(Home(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_a_start_without_room_on_the_disk_says_so(tmp_path):
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True
    ).returncode:
        pytest.skip("may not mount")
    try:
        with pytest.raises(UserError, match="did not start: no space is left on the disk"):
            up(Home(tmp_path / "home"))
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_the_plain_listener_answers_the_loopback_and_the_key_only(local):
    port = local.emulated.record["plain_port"]
    session = requests.Session()
    session.trust_env = False
    url = f"http://127.0.0.1:{port}/control/status"
    assert session.get(url, timeout=5).status_code == 401
    assert session.get(url, timeout=5, headers={"x-local-key": local.emulated.record["key"]}).status_code == 200
    assert session.get(url, timeout=5, headers={"Host": "attacker.example"}).status_code == 421
    assert session.get(url, timeout=5, headers={"Host": "management.azure.com"}).status_code == 421


def test_managed_identity(local, monkeypatch):
    from azure.identity import ManagedIdentityCredential

    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{local.emulated.record['plain_port']}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", os.environ["AZURE_CLIENT_SECRET"])
    assert ManagedIdentityCredential().get_token("https://management.azure.com/.default").token.count(".") == 2


def test_starting_twice_at_once_stopping_and_a_stale_record(tmp_path):
    home = tmp_path / "home"
    words = [sys.executable, "-m", "scripts.local", "up"]
    environment = os.environ | {"AZUREML_LOCAL_HOME": str(home), "PYTHONPATH": str(REPOSITORY)}
    both = [subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [each.communicate(timeout=60)[0] for each in both]
    assert sorted("already" in text for text in said) == [False, True]
    first = json.loads((home / "emulator.json").read_text())["pid"]
    second = program(home, "serve")
    assert second.returncode == 1
    assert "already runs" in second.stderr
    psutil.Process(first).kill()
    assert program(home, "status").returncode == 1
    assert "started" in program(home, "up").stdout
    state = json.loads(program(home, "status", "-o", "json").stdout)
    assert state["pid"] != first
    assert (state["running_jobs"], state["endpoints"]) == ([], [])
    assert "is stopped" in program(home, "down").stdout
    assert gone(state["pid"])
    assert "did not run" in program(home, "down").stdout


def test_where_others_are_at_work_the_end_of_the_demo_stops_nothing(own):
    job = own.submit({"seed": 1})
    said = program(own.emulated.home, "down", "--unless-used", "--env", "demo").stdout
    assert said.startswith(f"The local Azure ML goes on running for job {job} of {WORKSPACE['workspace']}; ")
    assert own.ml.jobs.get(job).status in ("Queued", "Running", "NotStarted")
    assert (
        "is stopped" in program(own.emulated.home, "down", "--unless-used", *FLAGS).stdout
    )  # its own job is no other's


def test_a_record_that_is_nonsense_or_of_another_program(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        for content in ("[]", "{", "{}", json.dumps({"pid": 1, "key": "k", "proxy_port": port, "plain_port": port})):
            (tmp_path / "emulator.json").write_text(content)
            assert "did not run" in program(tmp_path, "down").stdout
        done = program(tmp_path, "status")
        assert (done.returncode, "does not run" in done.stdout) == (1, True)
        assert "started" in program(tmp_path, "up").stdout  # although its ports of last time are taken
        assert json.loads(program(tmp_path, "status", "-o", "json").stdout)["ports"]["proxy_port"] != port
    assert "is stopped" in program(tmp_path, "down").stdout


def test_what_it_writes_is_the_owners_alone(local):
    runs, *_ = local.until(lambda: list(local.emulated.home.glob("mlflow/*.sqlite")))
    for path in (runs, local.emulated.home / "state.sqlite"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_token_cannot_be_forged(local):
    def encode(part):
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()

    real = local.ml._credential.get_token("https://management.azure.com/.default").token
    claims = {"aud": "https://management.azure.com", "exp": time.time() + 3600}
    forged = (
        f"{encode({'alg': 'none'})}.{encode(claims)}.",
        f"{encode({'alg': 'none'})}.{encode(claims)}.{real.rpartition('.')[2]}",
        "a.b.c",
        "é",
    )
    url = f"https://management.azure.com/subscriptions/{WORKSPACE['subscription_id']}"
    for token in (*forged, real):
        answer = requests.get(url, headers={"Authorization": f"Bearer {token}".encode()}, timeout=10)
        assert answer.status_code == (200 if token == real else 401), token


def test_a_token_of_yesterday_is_no_longer_taken(local):
    secret = json.loads((local.emulated.home / "credentials.json").read_text())["client_secret"]
    url = f"https://management.azure.com/subscriptions/{WORKSPACE['subscription_id']}"
    for age, status in ((0, 200), (90000, 401)):
        claims = {"aud": "https://management.azure.com", "exp": time.time() + 86400 - age}
        token = jwt.encode(claims, secret, "HS256")
        answer = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        assert answer.status_code == status
    assert answer.json()["error"]["code"] == "ExpiredAuthenticationToken"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("state.sqlite", b"no database at all, but long enough", "state.sqlite: file is not a database"),
        ("settings.yaml", b"\xff\xfe", "settings.yaml: not UTF-8 text"),
        ("settings.yaml", b"serving: {ready_seconds: .nan}", "serving.ready_seconds is '.nan'; allowed is a number"),
        ("settings.yaml", b"trainin: {}", "settings.yaml:1: trainin: unknown key (did you mean 'training'?)"),
        (
            "settings.yaml",
            b"serving: {ready_seconds: .inf}",
            "serving.ready_seconds is '.inf'; allowed is a number",
        ),
        ("settings.yaml", b"operations: {lro_seconds: -.inf}", "operations.lro_seconds is '-.inf'"),
        ("blobs", b"a file", "blobs: is no folder"),
        ("mlflow/a.sqlite", b"no database at all, but long enough", "mlflow/a.sqlite: file is not a database; put"),
    ],
)
def test_a_start_that_cannot_start_says_why_at_once(tmp_path, name, content, words):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    started = time.monotonic()
    done = program(tmp_path, "up")
    assert time.monotonic() - started < 15
    assert done.returncode in (UNREACHABLE, FILE)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/computes?$skip=abc", None, 400),
        ("GET", "/jobs/a%00b", None, 400),
        ("GET", "/jobs/..%252f..%252f..", None, 404),
        ("PUT", "/jobs/odd", "[]", 400),
        ("PUT", "/jobs/odd", "{", 400),
        ("PUT", "/jobs/odd", '{"properties": 1}', 400),
        ("PUT", "/computes/odd", '{"properties": []}', 400),
        ("PUT", "/data/odd/versions/1", '{"properties": "x"}', 400),
        ("PUT", "/models/a%2f..%2fb/versions/1", "{}", 404),
    ],
)
def test_odd_requests_get_a_sentence(local, method, path, body, status):
    words = local.emulated.workspace
    base = f"https://management.azure.com/subscriptions/{words['subscription_id']}/resourceGroups/tests/providers"
    base += f"/Microsoft.MachineLearningServices/workspaces/{words['workspace']}"
    token = local.ml._credential.get_token("https://management.azure.com/.default").token
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.request(method, base + path, data=body, headers=headers, timeout=10)
    assert answer.status_code == status
    assert answer.json()["error"]["message"].endswith(".")


def test_artifacts_of_a_run_are_not_looked_for_elsewhere(local):
    words = local.emulated.workspace
    path = f"/subscriptions/{words['subscription_id']}/resourceGroups/tests/providers"
    path += f"/Microsoft.MachineLearningServices/workspaces/{words['workspace']}/experiments/e/runs"
    token = local.ml._credential.get_token("https://management.azure.com/.default").token
    for name in ("x%252f..%252f..%252f..%252f..%252f..", "x%2f..%2f..%2f..%2f..%2f.."):
        url = f"https://eastus.api.azureml.ms/history/v1.0{path}/{name}/artifacts"
        answer = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        assert answer.status_code == 404 or answer.json()["value"] == []


def test_run_gives_a_program_the_environment_and_its_exit_code(fake_emulator):
    home = fake_emulator.home
    program(home, "run", *FLAGS, "--", "true")
    code = "import os, json; print(json.dumps(dict(os.environ))); raise SystemExit(7)"
    hostile = {"NO_PROXY": "*.azure.com", "SSL_CERT_DIR": "/etc/ssl/certs", "AZURE_CLIENT_SECRET": "the-real-one"}
    begun = time.monotonic()
    done = program(home, "run", *FLAGS, "--", sys.executable, "-c", code, **hostile)
    assert time.monotonic() - begun < 2
    assert done.returncode == 7
    seen = json.loads(done.stdout)
    assert seen["HTTPS_PROXY"] == seen["https_proxy"] == fake_emulator.env["HTTPS_PROXY"]
    assert seen["HTTPS_PROXY"].endswith(f"@127.0.0.1:{fake_emulator.record['proxy_port']}")
    assert seen["NO_PROXY"] == "127.0.0.1,localhost"
    assert "SSL_CERT_DIR" not in seen
    assert seen["AZURE_CLIENT_SECRET"] != "the-real-one"
    assert seen["AZURE_DEFAULTS_WORKSPACE"] == WORKSPACE["workspace"]


def test_run_takes_the_workspace_from_the_values_of_an_environment(fake_emulator):
    code = "import os; print(os.environ['AZURE_DEFAULTS_GROUP'])"
    done = program(fake_emulator.home, "run", "--env", "dev", "--", sys.executable, "-c", code)
    assert done.stdout.strip() == "my-resource-group"
    listed = json.loads(program(fake_emulator.home, "status", "-o", "json").stdout)["workspaces"]
    assert "my-resource-group" in [each["resource_group"] for each in listed]


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    [
        (["run", *FLAGS, "--", "no-such-program"], "no such program", 127),
        (["run", "--", "true", "--env"], "", 0),
        (["run", *FLAGS[:-1], "atlantis", "--", "true"], "'atlantis'", 4),
        (["run", "--subscription", "x", *FLAGS[2:], "--", "true"], "allowed is a GUID", 4),
        (["run", *FLAGS[:-1], "westeurope", "--", "true"], "cannot move to westeurope", 4),
        (["fault", "quota-exeeded"], "did you mean 'quota-exceeded'", 4),
    ],
)
def test_mistakes_on_the_command_line(fake_emulator, words, sentence, code):
    done = program(fake_emulator.home, *words)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("trainin: {}\n", "settings.yaml:1: trainin: unknown key (did you mean 'training'?)"),
        ("training: {max_tokens: soon}\n", "training.max_tokens is 'soon'"),
        ("training: {threads: -1}\n", "settings.yaml:1: training.threads is -1; allowed is a whole number from 0 to"),
        ("serving:\n  ready_seconds: .nan\n", "settings.yaml:2: serving.ready_seconds is '.nan'; allowed is a number"),
        ("base_models: {Phi-4: weights}\n", "base_models.Phi-4"),
        ("quota: {families: {standardNCADSA100v4Family: 1.5}}\n", "quota.families.standardNCADSA100v4Family is 1.5"),
        ("quota: {families: {standardNCAST4v3Family: 8}}\n", "the catalog has no size of such a family (did you mean"),
        ("training: [", "settings.yaml"),
    ],
)
def test_wrong_settings_are_refused(tmp_path, text, sentence):
    (tmp_path / "settings.yaml").write_text(text)
    with pytest.raises(UserError) as refused:
        settings.load(tmp_path / "settings.yaml")
    assert sentence in str(refused.value)


def test_a_browser_cannot_be_made_to_reach_mlflow_by_another_name(local):
    with socket.create_connection(("127.0.0.1", local.emulated.record["plain_port"]), 5) as connection:
        connection.sendall(b"GET /mlflow/v2.0/x HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 421")


def test_a_shell_or_a_wrapper_is_signed_in_for_the_official_cli(fake_emulator, tmp_path):
    calls = tmp_path / "calls"
    az = tmp_path / "az"
    az.write_text(f'#!/bin/sh\necho "$AZURE_CONFIG_DIR $*" >> {calls}\n')
    wrapper = tmp_path / "my-az"
    wrapper.write_text('#!/bin/sh\nexec az "$@"\n')
    for each in (az, wrapper):
        each.chmod(0o755)
    home, path = fake_emulator.home, f"{tmp_path}:{os.environ['PATH']}"
    folder = home / "azure" / WORKSPACE["subscription_id"]
    (folder / "signed-in").unlink(missing_ok=True)
    elsewhere = {
        "AZUREML_CURRENT_CLOUD": "AzureChinaCloud", "AZURE_CLOUD_NAME": "AzureChinaCloud", "ARM_TENANT_ID": "x",
        "AZURE_AUTHORITY_HOST": "login.chinacloudapi.cn", "MLFLOW_TRACKING_URI": "http://x", "ALL_PROXY": "http://x",
        "AZURE_FEDERATED_TOKEN_FILE": "/x", "IDENTITY_ENDPOINT": "http://x", "http_proxy": "http://x",
    }  # fmt: skip
    lines = program(home, "env", *FLAGS, PATH=path, AZURE_EXTENSION_DIR="/mine", **elsewhere).stdout.splitlines()
    assert f"export AZURE_CONFIG_DIR={folder}" in lines and "unset AZURE_EXTENSION_DIR" not in lines
    assert {f"unset {name}" for name in elsewhere} <= set(lines)
    done = program(home, "run", *FLAGS, "--", str(wrapper), "ml", "job", "list", PATH=path)
    assert done.returncode == 0, done.stderr
    said = calls.read_text().splitlines()
    assert [line.split()[1] for line in said] == ["login", "account", "ml"]  # signed in once
    assert all(line.startswith(f"{folder} ") for line in said)
    (folder / "signed-in").unlink()
