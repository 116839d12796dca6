"""`prepare`: from the values to data/<env>/{train,validation,test,heldout}.jsonl, manifest.json and report.html."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from scripts.dataset import hub, tokenizer
from scripts.dataset.data_report import report_page
from scripts.dataset.output import Outputs
from scripts.dataset.progress import Progress
from scripts.dataset.run import Result, Task, enough, run, tasks_of
from scripts.dataset.settings import Settings, is_cut
from scripts.dataset.source import Source, choose, is_hub_id, local
from scripts.dataset.stream import HELDOUT, TEST, TRAIN, VALIDATION
from scripts.errors import FAILED, UserError

MANIFEST = "manifest.json"
REPORT = "report.html"
PARTS = (TRAIN, VALIDATION, TEST, HELDOUT)
FORMAT = 2  # of the manifest and of the rows: raised when the same input would give other output


def prepare(
    settings: Settings,
    folder: Path,
    fallback: str | None = None,
    force: bool = False,
    say: Callable[[str], None] = print,
    stream: TextIO | None = sys.stderr,
    foreign: bool = False,
) -> tuple[int, dict[str, Any], bool]:
    """Prepares the data in `folder`; returns the exit code, the manifest, and whether there was anything to do.

    Nothing is done if `folder` already holds what these settings and this source give. Nothing is put in place if a check
    whose policy is `fail` found something, or if the run is interrupted. `foreign` says that the source is not the one
    that the values' splits were written for.
    """
    before = read_manifest(folder)
    source = _source(settings, fallback, before, folder, say)
    if source is None:
        return 0, before or {}, False
    inputs = {"format": FORMAT, "settings": settings.plain(), "source": source.identity, "fallback": source.fallback}
    inputs = json.loads(json.dumps(inputs))
    if not force and before is not None and before["inputs"] == inputs and _intact(folder, before):
        say(f"nothing to do: {folder} is up to date, version {before['version']} ({_rows(before)})")
        return 0, before, False
    _spare(source, folder)
    outputs = Outputs(folder)
    try:
        bound = choose(source, settings.splits, foreign)
        for note in source.notes:
            say(note)
        coder = partial(tokenizer.find, settings.tokenizer, settings.model, source.kind == "hub")
        tasks = tasks_of(settings, source, bound)
        cuts = [(part, float(bound[part])) for part in (VALIDATION, TEST, HELDOUT) if is_cut(bound[part])]
        questions = frozenset(str(bound[part]) for part in (TEST, HELDOUT) if isinstance(bound[part], str))
        progress = Progress(sum(each.plan.bytes for each in tasks), stream)
        result = run(
            settings, tasks, cuts, questions, lambda lines: outputs.write(lines.part, lines.lines), progress, coder
        )
        manifest = _finish(settings, source, bound, tasks, inputs, outputs, result)
    except BaseException:
        outputs.abandon()
        raise
    if manifest["status"] == "fail":
        outputs.abandon()
        return FAILED, manifest, True
    outputs.place(MANIFEST)
    return 0, manifest, True


def find_source(settings: Settings) -> Source:
    """Finds the rows that the settings name, on the hub or here."""
    if is_hub_id(settings.source):
        return hub.hub(settings.source, settings.revision, settings.subset)
    return local(settings.source)


def _source(settings: Settings, fallback: str | None, before: dict[str, Any] | None, folder: Path,
            say: Callable[[str], None]) -> Source | None:  # fmt: skip
    try:
        return find_source(settings)
    except hub.Unreachable as error:
        kept = before is not None and before["inputs"]["settings"] == json.loads(json.dumps(settings.plain()))
        if kept and before["fallback"] is None and _intact(folder, before):
            say(f"{error}; {folder} is kept as it was prepared from commit {before['source']['commit']}")
            return None
        if fallback is None:
            raise UserError(
                f"{error}; check the network, or take other data: a file or folder as dataset.source, or --fallback DIR",
                error.code,
            ) from None
        source = local(fallback)
        source.fallback = {"asked": settings.source, "took": fallback, "because": str(error)}
        say(f"NOTE: {error}; {fallback} takes its place, all of it: a rehearsal, not your data")
        return source


def _spare(source: Source, folder: Path) -> None:
    """Refuses to read from the files that would be replaced: what a check leaves out would be gone for good."""
    replaced = {(folder / f"{part}.jsonl").resolve() for part in PARTS}
    for each in (each for files in source.splits.values() for each in files if not each.remote):
        if Path(each.path).resolve() in replaced:
            raise UserError(
                f"dataset.source: {each.path} would be overwritten by what is prepared from it; copy it to another folder, "
                "and name the copy"
            )


def _finish(settings: Settings, source: Source, bound: dict[str, Any], tasks: list[Task], inputs: dict[str, Any],
            outputs: Outputs, result: Result) -> dict[str, Any]:  # fmt: skip
    for part in PARTS:
        if part != HELDOUT or bound[HELDOUT] is not None:
            outputs.open(part)
    files = outputs.close()
    if HELDOUT not in files:  # the rows to ask with are then those of test
        shutil.copyfile(outputs.path(TEST), outputs.path(HELDOUT))
        files[HELDOUT] = files[TEST]
    enough(result.tally, TRAIN, files[TRAIN]["rows"])
    verdict = result.tally.verdict()
    for part in (VALIDATION, TEST):
        if not files[part]["rows"] and verdict["status"] != "fail":
            raise UserError(
                f"dataset.splits.{part}: no row is left for {part}; raise dataset.percent or the fraction, because without "
                "it the component cuts a fifth off the training rows"
            )
    manifest = {
        "format": FORMAT,
        "version": version(files),
        "status": verdict["status"],
        "name": settings.name,
        "source": {"asked": settings.source, "kind": source.kind, "revision": settings.revision, "commit": source.commit,
                   "subset": settings.subset},
        "fallback": source.fallback,
        "percent": 100.0 if source.fallback else settings.percent,
        "sample": settings.sample,
        "seed": settings.seed,
        "layout": result.layout,
        "splits": bound,
        "read": {
            each.split: {"part": each.part, "how": each.plan.how, **verdict["rows"][each.split]} for each in tasks
        },
        "files": {part: _file(part, files, result) for part in PARTS},
        "max_seq_length": result.limit,
        "tokens": {"counted_with": result.counted_with},
        "policies": result.tally.policies,
        "checks": verdict["checks"],
        "notes": source.notes,
        "inputs": inputs,
    }  # fmt: skip
    text = report_page(manifest, outputs.partial, result.coder)
    (outputs.partial / REPORT).write_text(text, encoding="utf-8")
    (outputs.partial / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return manifest


def _file(part: str, files: dict[str, dict[str, Any]], result: Result) -> dict[str, Any]:
    name = TEST if part == HELDOUT and HELDOUT not in result.statistics else part
    books = result.statistics.get(name)
    out: dict[str, Any] = {"path": f"{part}.jsonl", **files[part]}
    if books is not None:
        out["characters"] = books.characters
        out["turns"] = {str(turns): count for turns, count in sorted(books.turns.items())}
        out["roles"] = dict(books.roles.most_common())
        out["tokens"] = result.tokens[name]
    return out


def version(files: dict[str, dict[str, Any]]) -> str:
    """Returns the version of the data assets: 12 hex digits that only the content of the three files decides."""
    hashes = "".join(files[part]["sha256"] for part in (TRAIN, VALIDATION, TEST))
    return hashlib.sha256(hashes.encode()).hexdigest()[:12]


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Returns the manifest of an earlier run, or None if there is none that can be used."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(manifest, dict) and {"version", "files", "inputs"} <= manifest.keys()
    return manifest if whole and manifest.get("format") == FORMAT else None


def _intact(folder: Path, manifest: dict[str, Any]) -> bool:
    """Tells whether the files are still those that the manifest describes."""
    for part in manifest["files"].values():
        path = folder / part["path"]
        if not path.is_file() or path.stat().st_size != part["bytes"]:
            return False
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != part["sha256"]:
                return False
    page = folder / REPORT
    return page.is_file() and page.stat().st_size > 0


def _rows(manifest: dict[str, Any]) -> str:
    return ", ".join(f"{name} {part['rows']:,}" for name, part in manifest["files"].items())
