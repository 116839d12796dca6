"""What git knows of a clone: its commit, what differs from that, who commits, and the files of any commit."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from scripts.errors import MISSING, UserError


def ask(root: Path, *words: str) -> str | None:
    """Returns what git prints; None where it is not installed, or refuses: no clone, another user's, no such name."""
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return None if done.returncode else done.stdout.decode(errors="replace")


def head(root: Path) -> str:
    """Returns the commit that is checked out, an empty text where that is not known."""
    return (ask(root, "rev-parse", "--verify", "--quiet", "HEAD") or "").strip()


def changed(root: Path, *paths: str) -> list[str]:
    """Returns the files that differ from the commit, those that it does not have included; of `paths` alone, if any."""
    status = ask(root, "status", "--porcelain", "-z", "--", *paths) or ""
    return [line[3:] for line in status.split("\0") if line[2:3] == " "]


def has(root: Path, commit: str) -> bool:
    """Tells whether a commit is in the clone."""
    return ask(root, "cat-file", "-e", f"{commit}^{{commit}}") is not None


def extract(of: str, folder: Path, root: Path) -> None:
    """Writes the files of a commit into a folder; a link out of it is left out."""
    done = subprocess.run(["git", "-C", str(root), "archive", of], capture_output=True, check=False)
    if done.returncode:
        raise UserError(f"git archive {of}: {done.stderr.decode(errors='replace').strip()}", MISSING)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as files:
        files.extractall(folder, filter=_inside)


def _inside(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    try:
        return tarfile.data_filter(member, folder)
    except tarfile.FilterError:
        return None
