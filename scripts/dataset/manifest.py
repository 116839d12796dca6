"""manifest.json: what was prepared, from what, with which result; the data's version; whether it still holds."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.dataset import manifest_shape
from scripts.dataset.checks import FAIL
from scripts.dataset.settings import HELDOUT, PARTS, TEST, TRAIN, VALIDATION, Settings
from scripts.errors import UserError
from scripts.files import read_json

if TYPE_CHECKING:  # who only reads a manifest needs no NumPy
    from scripts.dataset.read_plan import Work
    from scripts.dataset.source import Source
    from scripts.dataset.survey import Survey

MANIFEST = "manifest.json"
REPORT = "report.html"
NOT_READY = "not-ready.html"  # the report of a preparation that put nothing in place
FORMAT = 5  # of the manifest and of the rows: raised when the same input would give other output


def inputs_of(settings: Settings, source: Source) -> dict[str, Any]:
    """Returns what decides the output, as it stands in a manifest: the settings and the identity of the source."""
    inputs = {"format": FORMAT, "settings": settings.plain(), "source": source.identity, "fallback": source.fallback}
    return _as_json(inputs)


def manifest_of(
    settings: Settings,
    source: Source,
    bound: dict[str, Any],
    work: Work,
    files: dict[str, dict[str, Any]],
    result: Survey,
) -> dict[str, Any]:
    """Returns the manifest of a preparation; `files` are rows, bytes and hash of every output file."""
    verdict = result.tally.verdict()
    left_out = left_out_of(verdict["rows"], settings.max_left_out)
    manifest = {
        "format": FORMAT,
        "version": version(files),
        "status": FAIL if left_out["stops"] else verdict["status"],
        "name": settings.name,
        "source": {"asked": settings.source, "kind": source.kind, "revision": settings.revision,
                   "commit": source.identity.get("commit"), "subset": settings.subset},
        "fallback": source.fallback,
        "percent": 100.0 if source.fallback else settings.percent,
        "sample": settings.sample,
        "seed": settings.seed,
        "columns": {split: accounts.plain() for split, accounts in result.accounts.items()},
        "splits": bound,
        "read": {task.split: {"part": task.part, "how": task.plan.how, "files": task.plan.files,
                              **verdict["rows"][task.split]}
                 for task in work.tasks},
        "left_out": left_out,
        "unused_files": [{"file": each.label, "reason": each.reason} for each in source.unused],
        "files": {part: _file(part, files, result) for part in PARTS},
        "max_seq_length": result.limit,
        "tokens": {"counted_with": result.counted_with, "is_own": result.is_own},
        "policies": result.tally.policies,
        "checks": verdict["checks"],
        "shown_rows": result.shown.plain(),
        "notes": source.notes,
        "inputs": inputs_of(settings, source),
    }  # fmt: skip
    return {**manifest, "digest": digest(_as_json(manifest))}


def left_out_of(rows: dict[str, dict[str, Any]], most: float) -> dict[str, Any]:
    """Returns how many of the rows read are left out, in per cent too, the most that may be, and why, largest first."""
    reasons = sum((Counter(split["dropped"]) for split in rows.values()), Counter[str]())
    read = sum(split["in"] for split in rows.values())
    share = 100 * reasons.total() / max(read, 1)
    return {"rows": reasons.total(), "in": read, "share": round(share, 2), "most": most, "stops": share > most,
            "reasons": dict(reasons.most_common())}  # fmt: skip


def version(files: dict[str, dict[str, Any]]) -> str:
    """Returns the version of the data assets: 12 hex digits that only the content of the three files decides."""
    hashes = "".join(files[part]["sha256"] for part in (TRAIN, VALIDATION, TEST))
    return hashlib.sha256(hashes.encode()).hexdigest()[:12]


def as_text(outcome: dict[str, Any]) -> str:
    """Returns a manifest, or what a check found, as the text of a JSON file."""
    return json.dumps(outcome, indent=2, ensure_ascii=False) + "\n"


class Unusable(Exception):
    """A manifest that nobody may rely on: damaged, edited, or of other code; the message says which."""


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Returns the manifest of an earlier run, None where there is none; `Unusable` where it is not as it was written.

    Every reader comes through here, and finds every key and type of `manifest_shape`.
    """
    try:
        manifest: dict[str, Any] | None = read_json(folder / MANIFEST, "", dict, "it") if folder.is_dir() else None
        json.dumps(manifest, allow_nan=False)
    except ValueError as error:
        raise Unusable(f"is not JSON ({error})") from None
    except UserError as error:
        raise Unusable(str(error).removeprefix("it: ").removesuffix("; ")) from None
    if manifest is None:
        return None
    if manifest.get("format") != FORMAT:
        raise Unusable("it is of another version of this project")
    if manifest.get("digest") != digest(manifest):
        raise Unusable("it was changed after it was written")
    if fault := manifest_shape.fault(manifest):
        raise Unusable(fault)
    return manifest


def is_of(manifest: dict[str, Any], settings: Settings) -> bool:
    """Tells whether a manifest is of these very settings and of the source that they name."""
    return manifest["inputs"]["settings"] == _as_json(settings.plain()) and manifest["fallback"] is None


def is_intact(manifest: dict[str, Any], folder: Path, with_report: bool = True) -> bool:
    """Tells whether the files are still those that the manifest describes, and the report is there."""
    for file in manifest["files"].values():
        path = folder / file["path"]
        if not path.is_file() or path.stat().st_size != file["bytes"]:
            return False
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != file["sha256"]:
                return False
    page = folder / REPORT
    return not with_report or (page.is_file() and page.stat().st_size > 0)


def _file(part: str, files: dict[str, dict[str, Any]], result: Survey) -> dict[str, Any]:
    name = TEST if part == HELDOUT and HELDOUT not in result.statistics else part
    books = result.statistics.get(name)
    out: dict[str, Any] = {"path": f"{part}.jsonl", **files[part]}
    if books is not None:
        out["characters"] = books.characters
        out["turns"] = {str(turns): count for turns, count in sorted(books.turns.items())}
        out["roles"] = dict(books.roles.most_common())
        out["tokens"] = result.tokens[name]
    return out


def digest(manifest: dict[str, Any]) -> str:
    """Returns the hash of a manifest, by which `read_manifest` knows that nothing in it has changed."""
    body = {name: value for name, value in manifest.items() if name != "digest"}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _as_json(data: dict[str, Any]) -> dict[str, Any]:
    """Returns data as it comes back from a JSON file: tuples are lists, and keys are text."""
    return json.loads(json.dumps(data))
