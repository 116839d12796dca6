"""Where the local Azure ML keeps everything: one folder, the home, with plain files and SQLite databases."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import os
import secrets
import stat
import uuid
from pathlib import Path

from scripts.errors import FILE, UserError, one_line
from scripts.files import ROOT, private_folder, read_json, refuse, write_private

ANEW = "end the local Azure ML (make local-down) and move this away, and it is made anew"
AWAY = "remove it, and run this again"
OWN = "the home of the local Azure ML must be a folder of your own: set AZUREML_LOCAL_HOME to one"
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

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not value.strip() or not value.isprintable():
                raise ValueError(f"{name}: found {value!r:.60}, expected words or digits")

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
        self.starting = root / "up.lock"  # locked while somebody starts it, or signs az in
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

    def check(self, ends: bool = False) -> None:
        """Raises a `UserError` where something else lies in the place of a file or folder of the home.

        `ends`: for who only ends the emulator, which is found by its lock, whatever else is damaged.
        Whoever owns the home, something in it, or the place where a link leads, can read its keys and put jobs there:
        what another user may have put there is refused before it is believed, also where a local Azure ML answers.
        """
        if self.root.is_symlink():
            refuse(self.root, "is a link", OWN, FILE)
        folders = {self.root, self.tracking, self.blobs, self.uploads, self.jobs, self.deployments, self.azure}
        needed = (self.root, self.lock) if ends else tuple(vars(self).values())
        for path in vars(self).values():
            todo = {self.root: "set AZUREML_LOCAL_HOME to a folder", self.lock: AWAY, self.record: AWAY}.get(path, ANEW)
            try:
                _refuse_foreign(path)
                right = path not in needed or (stat.S_ISDIR if path in folders else stat.S_ISREG)(path.stat().st_mode)
            except FileNotFoundError:
                continue
            except OSError as error:
                refuse(path, f"cannot be read ({one_line(error.strerror).lower()})", todo, FILE)
            if not right:
                refuse(path, f"is no {'folder' if path in folders else 'file'}", todo, FILE)

    def create(self) -> None:
        """Makes the folders that are not there yet, and the home private."""
        self.check()
        if self.root.exists() and self.root.stat().st_mode & 0o022:  # others could write into it
            for path in self.root.rglob("*"):
                _refuse_foreign(path)
        private_folder(self.root)
        for path in self.root.iterdir():  # what an older version, or another umask, left readable
            _refuse_foreign(path)
            if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o077:
                path.chmod(0o600)
        for folder in (self.blobs, self.uploads, self.jobs, self.deployments):
            folder.mkdir(exist_ok=True, mode=0o700)

    def read_record(self) -> Record | None:
        """Returns what the last emulator wrote about itself, or None; it may be dead (see launcher.healthy)."""
        try:
            return read_json(self.record, "", Record)
        except UserError:  # the next start writes it anew
            return None


def _refuse_foreign(path: Path) -> None:
    owner = path.lstat().st_uid
    if owner != os.geteuid():
        refuse(path, f"belongs to another user ({owner})", OWN, FILE)


def locate(ends: bool = False) -> Home:
    """Returns the home: `AZUREML_LOCAL_HOME`, or `.local` in the repository; `ends`: see `Home.check`."""
    home = Home(Path(os.environ.get("AZUREML_LOCAL_HOME") or ROOT / ".local").absolute())
    home.check(ends)
    return home


def credentials(home: Home) -> Credentials:
    """Returns the credentials of a home, which are made once."""
    kept = read_json(home.credentials, ANEW, Credentials)
    if kept is not None:
        return kept
    tenant, client, principal = (str(uuid.uuid4()) for _ in range(3))
    made = Credentials(tenant, client, secrets.token_urlsafe(24), principal, secrets.token_hex(16))
    write_private(home.credentials, json.dumps(dataclasses.asdict(made), indent=2) + "\n")
    return made
