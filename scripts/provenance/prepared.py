"""The data that a job was trained on: the assets' content, read and hashed; the committed facts; the source."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.azure import answers, sdk_private
from scripts.azure.component import SPLITS
from scripts.chain.data import IN_PIPELINE
from scripts.dataset import manifest
from scripts.errors import CouldNotAskError, UserError
from scripts.provenance.line import DIFFERS, MISSING, OK, UNVERIFIED, DataFile, Line
from scripts.provenance.tree import Tree
from scripts.targets import command
from scripts.values import data_facts

_ASSET = re.compile(r"(?:azureml:(?:.*/data/)?)([^/:]+)(?:/versions/|:)([^/:]+)")


def assets(plain: Any) -> dict[str, tuple[str, str]]:
    """Returns name and version of the data asset of each split that a job, as plain data, takes."""
    found = (_ASSET.fullmatch(text) for text in _texts(plain))
    named = {(match[1].rpartition("-")[2], match[1], match[2]) for match in found if match}
    return {split: (name, version) for split, name, version in sorted(named) if split in SPLITS}


def _texts(plain: Any) -> Iterator[str]:
    if isinstance(plain, str):
        yield plain
    for each in plain.values() if isinstance(plain, dict) else plain if isinstance(plain, list) else ():
        yield from _texts(each)


def version_of(taken: Mapping[str, tuple[str, str]]) -> str:
    """Returns the one version of all splits, an empty text where there is none."""
    versions = {version for _, version in taken.values()}
    return versions.pop() if len(versions) == 1 else ""


def look(line: Line, client: Any, taken: Mapping[str, tuple[str, str]], tree: Tree | None, told: str) -> None:
    """Adds the links of data, facts and source; `taken` are the job's assets, `told` is the version of its tag."""
    if not taken:
        why = f"a step of the pipeline prepared them; {command('data-report', line.environment)} shows what it wrote"
        why = why if told == IN_PIPELINE else "which ones it took the job does not say"
        line.add("data", UNVERIFIED, why)
        return
    hashes = {split: _look_at(line, client, split, *taken[split]) for split in SPLITS if split in taken}
    version = version_of(taken)
    if len({version for _, version in taken.values()}) > 1:
        line.add("data version", DIFFERS, "the job took splits of several", ", ".join(v for _, v in taken.values()))
    elif len(hashes) < len(SPLITS):
        without = ", ".join(split for split in SPLITS if split not in hashes)
        line.add("data version", UNVERIFIED, f"{version}: the job took no {without} data, whose content is hashed, too")
    elif all(hashes.get(split) for split in SPLITS):
        now = manifest.version({split: {"sha256": hashes[split]} for split in SPLITS})
        if now == version:
            line.add("data version", OK, f"{version}, which is the hash of their content")
        else:
            line.add("data version", DIFFERS, "is the hash of other content than there is", now, version)
    _look_at_facts(line, tree, version)


def _look_at(line: Line, client: Any, split: str, name: str, version: str) -> str:
    """Adds the link of an asset and returns the hash of its content, an empty text where nobody can tell."""
    what = f"data {name}:{version}"
    try:
        entity = answers.ask(what, client.data.get, name, version)
        if entity is None:
            line.add(
                what, MISSING, f"is not in the workspace any more; {command('data', line.environment)} registers it"
            )
            return ""
        stored = answers.ask(what, sdk_private.stored_files, client, str(entity.path or ""))
        if not stored or not stored.files:
            line.add(what, DIFFERS, "has no file", "no file", version)
            return ""
        digest, rows = answers.ask(what, _read, stored) or ("", 0)
    except CouldNotAskError as error:
        line.add(what, UNVERIFIED, str(error))
        return ""
    wanted = str((entity.tags or {}).get("sha256") or "")
    line.data.append(DataFile(split, name, version, rows, stored.files[0].size, digest))
    if wanted and wanted != digest:
        line.add(what, DIFFERS, "its file, or its tag sha256, was changed since it was registered", digest, wanted)
    else:
        line.add(what, OK, f"{rows:,} rows, sha256 {digest[:12]}{'' if wanted else ' (no tag says which it was)'}")
    return digest


def _read(stored: Any) -> tuple[str, int]:
    """Returns hash and rows of the one file of an asset."""
    told, rows = hashlib.sha256(), 0
    for piece in stored.content(stored.names[0]):
        told.update(piece)
        rows += piece.count(b"\n")
    return told.hexdigest(), rows


def _look_at_facts(line: Line, tree: Tree | None, version: str) -> None:
    """Adds the links of the committed facts, and of the source that they name."""
    name = data_facts.file_name(line.environment)
    if tree is None:
        why = "the commit that the job ran is not in this clone; git fetch, or git fetch --unshallow"
        line.add("data facts", UNVERIFIED, why)
        return
    try:
        facts = data_facts.read(line.environment, tree.root)
    except UserError as error:
        line.add("data facts", DIFFERS, str(error).replace(f"{tree.root}/", ""))
        return
    todo = f"{command('data render', line.environment)}, and commit both"
    if facts is None:
        line.add("data facts", MISSING, f"{tree.title} has no {name}; {todo}")
        return
    line.facts = facts
    rows = {each.split: each.rows for each in line.data}
    other = [split for split in SPLITS if split in rows and facts.splits[split].rows != rows[split]]
    if facts.version != version:
        line.add("data facts", DIFFERS, f"{name} of {tree.title} tells of other data", facts.version, version)
    elif other:
        split = other[0]
        line.add("data facts", DIFFERS, f"{name} of {tree.title} tells of other rows",
                 f"{split} {facts.splits[split].rows:,}", f"{split} {rows[split]:,}")  # fmt: skip
    else:
        said = ", ".join(f"{facts.splits[split].rows:,} {split}" for split in SPLITS)
        line.add("data facts", OK, f"{said} rows, in {name} of {tree.title}")
    _look_at_source(line, tree, facts, todo)


def _look_at_source(line: Line, tree: Tree, facts: data_facts.DataFacts, todo: str) -> None:
    dataset = tree.values.data["dataset"]
    said = facts.source + (f" at {facts.commit}" if facts.commit else "")
    asked, found = ((each["source"], each.get("revision")) for each in (dataset, vars(facts)))
    if asked != found:
        line.add("data source", DIFFERS, f"the facts name another one than the values of {tree.title}; {todo}",
                 " revision ".join(map(str, found)), " revision ".join(map(str, asked)))  # fmt: skip
    elif not facts.is_of(tree.values):
        line.add("data source", DIFFERS, f"the facts are of other settings than the values of {tree.title}; {todo}",
                 facts.settings, data_facts.settings(tree.values))  # fmt: skip
    elif facts.commit or (tree.root / facts.source).exists():  # a place of the tree is as the tree has it
        line.add("data source", OK, f"{said}, as the values name it")
    else:
        line.add("data source", UNVERIFIED, f"{said}: of which revision it was, nothing says")
