"""The files of the commit that a change starts from, in a folder of their own."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from scripts.azure import catalog
from scripts.errors import MISSING, UserError
from scripts.files import ROOT

DEFAULT = "origin/main"
# What values, rendering and checks read of a tree: the authored files, the rendered ones, and the shipped facts.
KNOWN_SOURCES = Path("scripts", "estimate", "known_sources.json")
CATALOG = catalog.FOLDER.relative_to(ROOT)
NEEDED = (
    "values.yaml", "values.schema.json", "pyproject.toml", "environments/", "templates/", "pipelines/", "endpoints/",
    f"{CATALOG.as_posix()}/", KNOWN_SOURCES.as_posix(),
)  # fmt: skip


def commit(name: str, root: Path = ROOT) -> str:
    """Returns the commit where the change that lies here left `name`; a `UserError` where git does not know it."""
    _git(root, "rev-parse", "--git-dir", todo="make review compares a clone of git with one of its commits")
    remote, _, branch = name.rpartition("/")
    fetch = f"git fetch {remote or 'origin'} {branch} gets it"
    tip = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}",
               todo=f"there is no such commit here; {fetch}, or name another, such as BASE=main",
               name=name)  # fmt: skip
    whole = "git fetch --unshallow gets the whole history"
    return _git(root, "merge-base", tip, "HEAD", name=name,
                todo=f"what it has in common with HEAD is not here (a shallow clone?); {whole}")  # fmt: skip


def extract(of: str, folder: Path, root: Path = ROOT) -> None:
    """Writes the files of a commit that a review needs into a folder."""
    done = subprocess.run(["git", "-C", str(root), "archive", of], capture_output=True, check=False)
    if done.returncode:
        raise UserError(f"git archive {of}: {done.stderr.decode(errors='replace').strip()}", MISSING)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as files:
        files.extractall(folder, [each for each in files if each.name.startswith(NEEDED)], filter="data")


def same_facts(one: Path, other: Path) -> bool:
    """Tells whether two trees ship the same catalog."""
    return _facts(one) == _facts(other)


def _facts(root: Path) -> dict[str, bytes]:
    paths = [*(root / CATALOG).glob("*.json"), root / KNOWN_SOURCES]
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def _git(root: Path, *words: str, todo: str, name: str = "") -> str:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError("git: is not installed, and a review compares two commits; install it", MISSING) from None
    if done.returncode:
        raise UserError(f"{f'BASE={name}' if name else root}: {todo}", MISSING)
    return done.stdout.strip()
