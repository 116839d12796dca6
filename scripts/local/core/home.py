"""Where the local Azure ML keeps everything: one folder, the home, with plain files and SQLite databases."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import hmac
import json
import os
import secrets
import stat
import uuid
from pathlib import Path

from scripts.errors import FILE, UserError
from scripts.files import ROOT, private_folder, write_private

PROXY_USER = "local"


@dataclasses.dataclass(frozen=True)
class Record:
    """What the running emulator says about itself in emulator.json: process, ports and the key of control requests."""

    pid: int
    proxy_port: int
    plain_port: int
    key: str
    started: float = 0.0


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The service principal that may sign in here, and the signature of the shared access to blobs."""

    tenant_id: str
    client_id: str
    client_secret: str
    object_id: str
    sas_signature: str

    @property
    def proxy_key(self) -> str:
        """The key of the proxy: not another secret to keep, and the same after a restart, so that shells stay valid."""
        return hmac.digest(self.client_secret.encode(), b"proxy", hashlib.sha256).hex()


class Home:
    """The paths under the home; everything in it is private to the user (folder mode 0700)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.record = root / "emulator.json"  # pid, ports and keys of the running emulator
        self.log = root / "emulator.log"
        self.refused = root / "refused.log"
        self.settings = root / "settings.yaml"
        self.faults = root / "faults.yaml"
        self.lock = root / "serve.lock"  # locked by the emulator that runs, and holds its process id
        self.database = root / "state.sqlite"
        self.tracking = root / "mlflow"  # a database a workspace
        self.authority = root / "ca.pem"
        self.authority_key = root / "ca-key.pem"
        self.credentials = root / "credentials.json"
        self.blobs = root / "blobs"
        self.uploads = root / "uploads"
        self.jobs = root / "jobs"
        self.deployments = root / "deployments"
        self.azure = root / "azure"  # AZURE_CONFIG_DIR of the official CLI, a folder a subscription

    def create(self) -> None:
        """Makes the folders that are not there yet, and the home private; refuses what another user may have put there.

        Whoever owns the home, or the place where a link leads, can read the keys in it and put jobs there.
        """
        with contextlib.suppress(FileNotFoundError):
            there = self.root.lstat()
            fault = (
                "is a link" if stat.S_ISLNK(there.st_mode)
                else "is no folder" if not stat.S_ISDIR(there.st_mode)
                else f"belongs to another user ({there.st_uid})" if there.st_uid != os.geteuid()
                else None
            )  # fmt: skip
            if fault:
                raise UserError(
                    f"{self.root}: {fault}, and the home of the local Azure ML must be a folder of your own; set "
                    "AZUREML_LOCAL_HOME to one.",
                    FILE,
                )
        private_folder(self.root)
        for path in self.root.iterdir():  # what an older version, or another umask, left readable
            if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o077:
                path.chmod(0o600)
        for folder in (self.blobs, self.uploads, self.jobs, self.deployments):
            folder.mkdir(exist_ok=True, mode=0o700)

    def read_record(self) -> Record | None:
        """Returns what the last emulator wrote about itself, or None; it may be dead (see launcher.healthy)."""
        try:
            content = json.loads(self.record.read_text())
            return Record(**content)
        except (FileNotFoundError, ValueError, TypeError):
            return None


def locate() -> Home:
    """Returns the home: `AZUREML_LOCAL_HOME`, or `.local` in the repository."""
    return Home(Path(os.environ.get("AZUREML_LOCAL_HOME") or ROOT / ".local").absolute())


def credentials(home: Home) -> Credentials:
    """Returns the credentials of a home, which are made once."""
    if not home.credentials.exists():
        tenant, client, principal = (str(uuid.uuid4()) for _ in range(3))
        made = Credentials(tenant, client, secrets.token_urlsafe(24), principal, secrets.token_hex(16))
        write_private(home.credentials, json.dumps(dataclasses.asdict(made), indent=2) + "\n")
    try:
        return Credentials(**json.loads(home.credentials.read_text()))
    except (ValueError, TypeError):
        raise UserError(
            f"{home.credentials}: is damaged; end the local Azure ML (make local-down) and delete this file: new "
            "credentials are made",
            FILE,
        ) from None
