"""The files of the commit that a change starts from, in a folder of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from scripts import git
from scripts.azure import catalog
from scripts.errors import MISSING, UserError
from scripts.files import ROOT
from scripts.values.read import environments, load

DEFAULT = "origin/main"
# The shipped facts.
KNOWN_SOURCES = Path("scripts", "estimate", "known_sources.json")
CATALOG = catalog.FOLDER.relative_to(ROOT)


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
    """Writes the files of a commit into a folder, whose parent is the caller's, too."""
    git.extract(of, folder, root)
    for name in environments(folder):
        with contextlib.suppress(UserError):  # who looks at the environment says what is wrong with it
            _lend(load(name, root=folder, check=False).data.get("limits_from"), folder, root)


def _lend(name: object, folder: Path, root: Path) -> None:
    """Copies limits that no commit of this clone holds (of a submodule, or from beside the clone) as they lie here."""
    if not isinstance(name, str) or not (root / name).is_file() or (folder / name).exists():
        return
    target = Path(os.path.normpath(folder / name))
    if target.is_relative_to(folder.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((root / name).read_bytes())


def same_facts(one: Path, other: Path) -> bool:
    """Tells whether two trees ship the same catalog."""
    return _facts(one) == _facts(other)


def _facts(root: Path) -> dict[str, bytes]:
    paths = [*(root / CATALOG).glob("*.json"), root / KNOWN_SOURCES]
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def _git(root: Path, *words: str, todo: str, name: str = "") -> str:
    if not shutil.which("git"):
        raise UserError("git: is not installed, and a review compares two commits; install it", MISSING)
    found = git.ask(root, *words)
    if found is None:
        raise UserError(f"{f'BASE={name}' if name else root}: {todo}", MISSING)
    return found.strip()
