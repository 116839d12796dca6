"""Which code an emulator runs: after a `git pull` the one that was started before it still runs the old code."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

from scripts.files import ROOT

FOLDERS = ("azure", "local")  # of scripts/: what Azure is, and the emulator itself
KINDS = (".py", ".yaml", ".json")


@functools.cache
def digest() -> str:
    """Returns a hash of the emulator's code as it is on the disk; one that serves asks when it starts."""
    found = hashlib.sha256()
    for top in FOLDERS:
        for folder, _, names in sorted(os.walk(ROOT / "scripts" / top)):
            for name in sorted(names):
                if name.endswith(KINDS):
                    found.update(name.encode() + Path(folder, name).read_bytes())
    return found.hexdigest()
