"""The authority of a home: what it signs for a host that is not emulated is refused by clients, and it ends soon."""

from __future__ import annotations

import base64
import contextlib
import datetime
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from urllib3.util import connection

from scripts.errors import UserError
from scripts.local import launcher
from scripts.local.core.home import Home
from scripts.local.front import certificates

OURS, FOREIGN = "management.azure.com", "pypi.org"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made


@contextlib.contextmanager
def server(home: Home, host: str) -> Iterator[int]:
    """A TLS server on the loopback with a certificate of the home's authority for a host."""
    certificate, key = certificates.authority(home).issue(host)
    (home.root / "server.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home.root / "server.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as wrapped:
                        wrapped.recv(4096)
                        wrapped.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def with_openssl(home: Home, host: str) -> str:
    certificate, _ = certificates.authority(home).issue(host)
    (home.root / "leaf.pem").write_bytes(certificate)
    words = ["openssl", "verify", "-x509_strict", "-CAfile", home.authority, home.root / "leaf.pem"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr


def with_requests(home: Home, host: str) -> str:
    with server(home, host) as port, pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "create_connection", lambda *_, **__: socket.create_connection(("127.0.0.1", port)))
        session = requests.Session()
        session.trust_env = False
        try:
            return "" if session.get(f"https://{host}/", verify=str(home.authority), timeout=10).ok else "?"
        except requests.exceptions.SSLError as error:
            return str(error)


def with_curl(home: Home, host: str) -> str:
    with server(home, host) as port:
        words = ["curl", "-sS", "--noproxy", "*", "--cacert", home.authority, f"https://{host}/"]
        words += ["--connect-to", f"{host}:443:127.0.0.1:{port}", "--max-time", "10"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.stderr


@pytest.mark.parametrize("ask", [with_openssl, with_requests, with_curl])
def test_a_certificate_for_another_host_is_refused(home, ask):
    program = ask.__name__.removeprefix("with_")
    if program != "requests" and shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    assert ask(home, OURS) == ""
    assert "permitted subtree violation" in ask(home, FOREIGN)


def test_every_emulated_host_is_covered_and_no_other(home):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.renew(home, context)
    certificate, _ = certificates.authority(home).issue(*certificates.HOSTS)
    (home.root / "leaf.pem").write_bytes(certificate)
    for host, fits in (
        ("management.azure.com", True),
        ("eastus.api.azureml.ms", True),
        ("anyaccount.blob.core.windows.net", True),
        ("chat.westeurope.inference.ml.azure.com", True),
        ("graph.microsoft.com", False),
        ("portal.azure.com", False),
    ):
        words = ["openssl", "verify", "-CAfile", home.authority, "-verify_hostname", host, home.root / "leaf.pem"]
        assert (subprocess.run(words, capture_output=True, check=False).returncode == 0) is fits, host
    assert not list(home.root.glob("tmp*")), "the key of the certificate is left in a file"


def test_it_ends_soon_and_is_made_anew_before(home, monkeypatch):
    first = certificates.authority(home).certificate
    assert first.not_valid_after_utc - first.not_valid_before_utc < datetime.timedelta(days=15)
    assert certificates.authority(home).certificate == first
    monkeypatch.setattr(certificates, "RENEWED", datetime.timedelta(days=14))  # as seen seven days later
    second = certificates.authority(home).certificate
    assert second != first
    assert home.authority.stat().st_mode & 0o777 == home.authority_key.stat().st_mode & 0o777 == 0o600


def _turn_each_byte(path: Path, home: Home) -> None:
    """Damages one byte of the certificate after the other, and leaves the last one damaged."""
    whole = x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(serialization.Encoding.DER)
    made, key = home.authority.read_bytes(), home.authority_key.read_bytes()
    for place in range(7, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        text = base64.encodebytes(bytes(damaged)).decode()
        home.authority_key.write_bytes(key)
        path.write_text(f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n")
        read = path.read_bytes()
        found = certificates.authority(home).certificate.public_bytes(serialization.Encoding.PEM)
        assert found not in (made, read), place
    home.authority_key.write_bytes(key)
    path.write_bytes(read)


@pytest.mark.parametrize("damage", ["empty", "text", "other key", "no limits", "gone", "a bit"])
def test_what_cannot_be_used_is_made_anew(home, damage):
    first = certificates.authority(home).certificate
    path = home.authority if damage != "other key" else home.authority_key
    if damage == "gone":
        path.unlink()
    elif damage == "other key":  # as a kill between the two files leaves it
        path.write_bytes(certificates._pem_of_key(certificates.new().key))
    elif damage == "no limits":  # as the authorities of earlier versions were, which ended in the year 3000
        words = ["openssl", "req", "-x509", "-key", home.authority_key, "-days", "9", "-subj", "/CN=old", "-out", path]
        subprocess.run(words, check=True, capture_output=True)
    elif damage == "a bit":
        _turn_each_byte(path, home)
    else:
        path.write_text("" if damage == "empty" else "no certificate")
    second = certificates.authority(home).certificate
    assert second != first
    assert with_openssl(home, OURS) == ""


def test_a_server_that_runs_goes_on_with_the_new_one(home, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.renew(home, context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serial() -> int:
            client = ssl.create_default_context(cafile=str(home.authority))
            accepting = threading.Thread(target=lambda: context.wrap_socket(listener.accept()[0], server_side=True))
            accepting.start()
            with client.wrap_socket(socket.create_connection(listener.getsockname()), server_hostname=OURS) as wrapped:
                found = wrapped.getpeercert()["serialNumber"]
            accepting.join(10)
            return found

        before = serial()
        monkeypatch.setattr(certificates, "RENEWED", datetime.timedelta(days=14))
        certificates.renew(home, context)
        assert serial() != before


@pytest.mark.parametrize(
    ("content", "found"), [(None, "no such file"), ("", "no certificate"), ("x", "no certificate")]
)
def test_a_program_is_not_led_to_an_authority_that_it_cannot_trust(home, content, found):
    """It would say that nobody is logged in."""
    record = {"pid": 1, "proxy_port": 1, "plain_port": 1, "key": "k"}
    home.record.write_text(json.dumps(record))
    certificates.authority(home)
    assert launcher.environment(home, {})["SSL_CERT_FILE"] == str(home.authority)
    home.authority.unlink() if content is None else home.authority.write_text(content)
    with pytest.raises(UserError, match=rf"ca\.pem: cannot be trusted \(.*{found}.*; run `make local-down`"):
        launcher.environment(home, {})
