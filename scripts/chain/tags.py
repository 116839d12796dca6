"""The tags that say where a job, a model, an endpoint or a deployment comes from, bound when it is made.

commit   of the clone, `none` where there is none        tree   clean, dirty (no commit has what ran), or none
values   fingerprint of the resolved values              lock   of the lock file, `none` where there is none
yaml     fingerprint of the rendered YAML                by     who made it: GitHub's actor, git's e-mail, the login
data     version of the data       job   the job         files  of a model: see azure/stored_files.py
seal     a checksum of each of these: one that was changed alone is known by its name. It is no signature: who may
         write tags can write a new one.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts import git, state, terminal
from scripts.azure import lock_file
from scripts.chain.run import Run
from scripts.files import ROOT
from scripts.values.read import Values

NONE = "none"
CLEAN, DIRTY = "clean", "dirty"
OF_TREE = ("yaml", "values", "lock")  # what a commit has, or has otherwise
NAMES = ("commit", "tree", *OF_TREE, "data", "job", "by")  # of everything; a model has `files`, too
FILES, SEAL = "files", "seal"
_SEALED = re.compile(r"([a-z]+):([0-9a-f]{6})")
LONGEST = 256  # characters of a tag's text: Azure Resource Manager


def of(run: Run, **known: str) -> dict[str, str]:
    """Returns the tags for what a run makes; `known` are those that it does not tell by itself: data, job, files.

    Data and job stand there in any case, so that an update leaves no older ones.
    """
    commit = git.head(run.root) or NONE
    found = {
        "commit": commit,
        "tree": NONE if commit == NONE else DIRTY if run.values.sets or _changed(run) else CLEAN,
        **of_tree(run.values, run.rendered.fingerprint(), run.root),
        "by": who(run.root),
        "data": NONE,
        state.JOB_TAG: NONE,
        **{name: text for name, text in known.items() if text},
    }
    found = {name: terminal.plain(text)[:LONGEST] for name, text in found.items()}
    return {**found, SEAL: seal(found)}


def words(tags: Mapping[str, str]) -> tuple[str, ...]:
    """Returns tags as words for az, --set and what it binds; none where there are none."""
    return ("--set", *(f"tags.{name}={text}" for name, text in tags.items())) if tags else ()


def sealed(tags: Mapping[str, str]) -> dict[str, str]:
    """Returns of a resource's tags those that are bound here, for another one that comes from the same."""
    return {name: tags[name] for name in (*NAMES, SEAL) if name in tags}


def of_served(run: Run, reference: str) -> tuple[str, ...]:
    """Returns the words for what serves a model (`name:version`): its job and data are those of the model's tags."""
    name, _, version = reference.rpartition(":")
    found = run.az.ask(f"model {reference}", "model", "show", "-n", name, "-v", version)
    return words(of(run, **passed_on((found or {}).get("tags"))))


def of_job(run: Run, job: str) -> dict[str, str]:
    """Returns what the tags of a job say of its data, for the tags of its model; the job is known, tagged or not."""
    found = run.az.ask(f"job {job}", "job", "show", "-n", job)
    return {**passed_on((found or {}).get("tags")), state.JOB_TAG: job}


def passed_on(tags: Mapping[str, Any] | None) -> dict[str, str]:
    """Returns the tags that what is made of a thing has from it: its data and its job."""
    return {name: str(tags[name]) for name in ("data", state.JOB_TAG) if tags and tags.get(name)}


def of_tree(values: Values, yaml: str, root: Path = ROOT) -> dict[str, str]:
    """Returns the tags that a tree decides, of values as they are resolved and the fingerprint of its YAML."""
    lock = lock_file.lock_path(values.environment, root)
    resolved = json.dumps(values.data, sort_keys=True, ensure_ascii=False).encode()
    return {"yaml": yaml, "values": _short(resolved), "lock": _short(lock.read_bytes()) if lock.is_file() else NONE}


def seal(tags: Mapping[str, str]) -> str:
    """Returns the checksums of the tags that are sealed."""
    return " ".join(f"{name}:{_digits(name, tags[name])}" for name in (*NAMES, FILES) if name in tags)


def broken(tags: Mapping[str, str]) -> list[str]:
    """Returns the names of tags that are not as they were sealed: changed, added or deleted; SEAL if that is none."""
    parts = [_SEALED.fullmatch(part) for part in tags.get(SEAL, "").split(" ")]
    sealed = {part[1]: part[2] for part in parts if part}
    if len(sealed) < len(parts):
        return [SEAL]
    now = {name: _digits(name, tags[name]) for name in (*NAMES, FILES) if name in tags}
    return [name for name in (*NAMES, FILES) if sealed.get(name) != now.get(name)]


def who(root: Path = ROOT) -> str:
    """Returns who works here: in a workflow of GitHub who began it, else the e-mail that git has, else the login."""
    if os.environ.get("GITHUB_ACTIONS") == "true" and os.environ.get("GITHUB_ACTOR"):
        return os.environ["GITHUB_ACTOR"]
    if email := (git.ask(root, "config", "user.email") or "").strip():
        return email
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return NONE


def _changed(run: Run) -> list[str]:
    """Returns the files that differ from the commit among those that a run reads, the code included."""
    environment = run.environment
    kept = (f"environments/{environment}{end}.yaml" for end in ("", ".lock", ".data"))
    rendered = (f"{kind}/{environment}" for kind in ("pipelines", "endpoints"))
    return git.changed(run.root, "values.yaml", "values.schema.json", "templates", "scripts", *kept, *rendered)


def _short(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()[:16]}"


def _digits(name: str, text: str) -> str:
    return hashlib.sha256(f"{name}={text}".encode()).hexdigest()[:6]
