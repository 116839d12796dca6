"""Where the local Azure ML keeps everything: one folder, the home, with plain files and SQLite databases."""

from __future__ import annotations

import json
import os
import secrets
import uuid
from pathlib import Path
from typing import Any

from scripts.errors import UserError
from scripts.files import ROOT, write_private


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
        """Makes the folders that are not there yet."""
        if self.root.exists() and not self.root.is_dir():
            raise UserError(
                f"{self.root}: the home of the local Azure ML must be a folder; set AZUREML_LOCAL_HOME to one."
            )
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.blobs, self.uploads, self.jobs, self.deployments):
            folder.mkdir(exist_ok=True)

    def read_record(self) -> dict[str, Any] | None:
        """Returns what the last emulator wrote about itself, or None; it may be dead (see client.healthy)."""
        try:
            record = json.loads(self.record.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return (
            record if isinstance(record, dict) and record.keys() >= {"pid", "key", "proxy_port", "plain_port"} else None
        )


def locate() -> Home:
    """Returns the home: `AZUREML_LOCAL_HOME`, or `.local` in the repository."""
    return Home(Path(os.environ.get("AZUREML_LOCAL_HOME") or ROOT / ".local").absolute())


def credentials(home: Home) -> dict[str, str]:
    """Returns the service principal that may sign in here (made once a home): tenant, client, secret and object id."""
    if not home.credentials.exists():
        made = {
            "tenant_id": str(uuid.uuid4()),
            "client_id": str(uuid.uuid4()),
            "client_secret": secrets.token_urlsafe(24),
            "object_id": str(uuid.uuid4()),
            "sas_signature": secrets.token_hex(16),
        }
        write_private(home.credentials, json.dumps(made, indent=2) + "\n")
    return json.loads(home.credentials.read_text())
