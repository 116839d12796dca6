"""The emulator seen from outside: starting it, asking it, stopping it, leading a program to it. Light to import."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.errors import FAILED, FILE, UNREACHABLE, UserError, one_line
from scripts.files import ROOT, append_private, refuse, write_private
from scripts.local.core import code
from scripts.local.core.home import PROXY_USER, Home, credentials

LITTLE_BYTES = 2**16  # free on a disk that is as good as full
START_SECONDS = 60.0
# A user's login, cloud, network and settings of az and the SDK; what az is extended with stays.
_LEADS_ELSEWHERE = re.compile(
    r"AZURE_(?!EXTENSION_DIR$|CONFIG_DIR$|SUBSCRIPTION_ID$|DEFAULTS_).*|AZUREML_(?!LOCAL_|CHAIN_).*|ARM_.*|MSI_.*|IDENTITY_.*|MLFLOW_.*"
    r"|(?i:\w+_proxy)|SSL_CERT_DIR"
)
STOP_SECONDS = 40.0
OUTDATED = "the local Azure ML runs older code; make local-down, then go on"


def request(
    home: Home, method: str, path: str, body: dict[str, Any] | None = None, timeout: float = 10
) -> dict[str, Any]:
    """Sends the running emulator a control request; raises OSError when nothing answers, UserError when it refuses."""
    record = home.read_record()
    if record is None:
        raise ConnectionRefusedError("no emulator.json")
    connection = http.client.HTTPConnection("127.0.0.1", record.plain_port, timeout=timeout)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"x-local-key": record.key, "content-type": "application/json"})
        answer = connection.getresponse()
        data = json.loads(answer.read() or b"{}")
        refusal = data["error"]["message"] if answer.status >= 400 else None
    except (http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise ConnectionError(f"what listens on port {record.plain_port} is not the local Azure ML: {error}") from None
    finally:
        connection.close()
    if answer.status == 401:
        raise ConnectionError("another local Azure ML listens on the port")
    if refusal is not None:
        raise UserError(refusal)
    return data


def healthy(home: Home) -> bool:
    """Says whether the emulator of this home runs and answers."""
    return _health(home) is not None


def _health(home: Home) -> dict[str, Any] | None:
    try:
        record, answer = home.read_record(), request(home, "GET", "/control/health", timeout=5)
        return answer if record is not None and answer["pid"] == record.pid else None
    except (OSError, KeyError, UserError):
        return None


def is_outdated(answer: dict[str, Any]) -> bool:
    """Says whether an emulator, by what it answered, runs other code than lies here now."""
    return bool(answer.get("code") != code.digest())


@contextlib.contextmanager
def _one_at_a_time(home: Home) -> Iterator[None]:
    with append_private(home.starting) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up(home: Home) -> bool:
    """Starts the emulator in the background unless it runs, and waits until it answers. Returns whether it was started.

    Safe to call from two processes at once: the second waits for the first; and while it stops: it is started after.
    One that runs other code than lies here is started anew, unless that would interrupt a job or a deployment.
    """
    health = _health(home)
    if health is not None and not is_outdated(health):
        return False
    home.create()
    with _one_at_a_time(home):
        health = _health(home)
        if health is not None and is_outdated(health):
            busy = status(home) or {}
            if busy.get("running_jobs") or busy.get("endpoints"):
                print(f"note: {OUTDATED}", file=sys.stderr)
                return False
            print("note: the local Azure ML starts anew, as its code has changed", file=sys.stderr)
            down(home)
        deadline = time.monotonic() + START_SECONDS
        while (pid := holder(home)) is not None:
            if healthy(home):
                return False
            if time.monotonic() > deadline:
                raise UserError(
                    f"The local Azure ML (process {pid}) does not answer; `make local-down` ends it. "
                    f"Its log is {home.log}.",
                    UNREACHABLE,
                )
            time.sleep(0.05)
        with append_private(home.log) as log:
            start = log.seek(0, os.SEEK_END)
            process = subprocess.Popen(
                [sys.executable, "-m", "scripts.local", "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=os.environ | {"AZUREML_LOCAL_HOME": str(home.root)},
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if healthy(home):
                return True
            if process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            process.kill()
        with home.log.open("rb") as log:
            log.seek(start)
            lines = log.read().decode(errors="replace").strip().splitlines()
        if shutil.disk_usage(home.root).free < LITTLE_BYTES:  # the log holds what the disk took of it
            reason = f"no space is left on the disk of {home.root}."
        elif lines:
            reason = lines[-1].removeprefix("error: ").rstrip(".") + "."
        else:
            ended = process.returncode is not None
            reason = f"it ended with exit code {process.returncode}." if ended else "it did not answer in time."
        raise UserError(f"The local Azure ML did not start: {reason} Its log is {home.log}.", UNREACHABLE)


def down(home: Home) -> bool:
    """Stops the emulator with its jobs and deployments and waits until it is gone. Returns whether it ran."""
    pid = holder(home)
    if pid is None:
        return False
    try:
        request(home, "POST", "/control/stop")
    except (OSError, UserError):  # it starts, or hangs
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        if holder(home) != pid:
            return True
        time.sleep(0.05)
    _signal(pid, signal.SIGKILL)
    raise UserError(
        f"The local Azure ML (process {pid}) did not stop within {STOP_SECONDS:g} s and was killed.", FAILED
    )


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        if pid:
            os.kill(pid, number)


def holder(home: Home) -> int | None:
    """Returns the process id of the emulator that holds the home, answering or not; None where there is none.

    The lock goes with the process, whatever a file says and whatever process got its id since. 0: it gave no id.
    """
    for _ in range(20):
        try:
            with home.lock.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None
        except FileNotFoundError:
            return None
        except BlockingIOError:
            if text := home.lock.read_text(errors="replace").strip():
                return int(text) if text.isdecimal() else 0
        time.sleep(0.05)  # the lock has just been taken
    return 0


def status(home: Home) -> dict[str, Any] | None:
    """Returns what the emulator says about itself, or None when it does not run."""
    try:
        return request(home, "GET", "/control/status")
    except OSError:
        return None


def register(home: Home, workspace: dict[str, str]) -> None:
    """Makes a workspace known to the running emulator."""
    _order(home, "/control/workspaces", workspace)


def put_clock(home: Home, hours: float) -> None:
    """Puts the clock of the running emulator ahead."""
    _order(home, "/control/clock", {"hours": hours})


def _order(home: Home, path: str, body: dict[str, Any]) -> None:
    try:
        request(home, "POST", path, body)
    except OSError as error:
        raise UserError(f"The local Azure ML does not answer ({error}); run `make local-up`.", UNREACHABLE) from None


def environment(home: Home, base: dict[str, str], workspace: dict[str, str] | None = None) -> dict[str, str]:
    """Returns the environment with which the SDK and the CLI reach the emulator, built from `base`.

    Only programs that talk to Azure ML should get it: everything else is refused by the proxy.
    """
    record = home.read_record()
    if record is None:
        raise UserError("The local Azure ML does not run; start it with `make local-up`.", UNREACHABLE)
    try:  # what programs say of it would lead elsewhere: that nobody is logged in
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(home.authority)
    except OSError as error:
        reason = one_line(error.strerror or error).lower()
        refuse(
            home.authority, f"cannot be trusted ({reason})", "run `make local-down`: the next start makes it anew", FILE
        )
    principal = credentials(home)
    variables = {key: value for key, value in base.items() if not _LEADS_ELSEWHERE.fullmatch(key)}
    proxy = f"http://{PROXY_USER}:{principal.proxy_key}@127.0.0.1:{record.proxy_port}"
    variables |= {
        "AZUREML_LOCAL_HOME": str(home.root),
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        **dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"), str(home.authority)),
        "AZURE_TENANT_ID": principal.tenant_id,
        "AZURE_CLIENT_ID": principal.client_id,
        "AZURE_CLIENT_SECRET": principal.client_secret,
        "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
        "AZURE_CORE_COLLECT_TELEMETRY": "0",
        "AZUREML_RUN_POLLING_INTERVAL_MIN": "1",
        "AZUREML_RUN_POLLING_INTERVAL_MAX": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    if workspace is not None:
        variables |= {
            "AZURE_SUBSCRIPTION_ID": workspace["subscription_id"],
            "AZURE_DEFAULTS_GROUP": workspace["resource_group"],
            "AZURE_DEFAULTS_WORKSPACE": workspace["workspace"],
            "AZURE_DEFAULTS_LOCATION": workspace["region"],
        }
    return variables


def sign_in(home: Home, variables: dict[str, str], az: str, subscription: str) -> dict[str, str]:
    """Returns the environment in which the official CLI (`az`, its path) is signed in to the emulator; it does so once.

    Its configuration is kept apart, a folder a subscription, so that the user's own sign-in is never touched; the
    extensions that the user installed are still found.
    """
    folder = home.azure / subscription
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = Path(variables.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")
    variables = {**variables, "AZURE_CONFIG_DIR": str(folder)}
    if "AZURE_EXTENSION_DIR" not in variables and (own / "cliextensions").is_dir() and own != folder:
        variables["AZURE_EXTENSION_DIR"] = str(own / "cliextensions")
    marker = folder / "signed-in"
    with _one_at_a_time(home):
        if not (marker.exists() and marker.read_text() == variables["AZURE_CLIENT_ID"]):
            # `@-`: az reads the value from standard input. A command line is what every user of the machine can read.
            principal = ["-u", variables["AZURE_CLIENT_ID"], "-p", "@-"]
            login = ["login", "--service-principal", *principal, "--tenant", variables["AZURE_TENANT_ID"]]
            for words in (login, ["account", "set", "-s", subscription]):
                done = subprocess.run(
                    [az, *words, "-o", "none"],
                    env=variables,
                    input=variables["AZURE_CLIENT_SECRET"],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if done.returncode:
                    raise UserError(f"`az {words[0]}` to the local Azure ML failed: {done.stderr.strip()}", FAILED)
            write_private(marker, variables["AZURE_CLIENT_ID"])
    return variables
