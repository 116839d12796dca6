"""`prepare`: from the values to data/<env>/{train,validation,test,heldout}.jsonl, manifest.json and report.html.

Read from top to bottom: find the source, plan what is read of it, survey it (read, convert, check, divide) into files,
and put manifest and report beside them.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from scripts.dataset import hub
from scripts.dataset.checks import FAIL, Tally
from scripts.dataset.data_report import report_page
from scripts.dataset.manifest import (
    MANIFEST,
    REPORT,
    as_text,
    inputs_of,
    is_intact,
    is_of,
    manifest_of,
    read_manifest,
)
from scripts.dataset.read_plan import work_of
from scripts.dataset.settings import HELDOUT, PARTS, TEST, TRAIN, VALIDATION, Settings
from scripts.dataset.source import Source, choose, is_hub_id, local
from scripts.dataset.survey import book_few_rows, survey
from scripts.dataset.writer import Writer
from scripts.errors import FAILED, UserError


class Prepared(NamedTuple):
    """The outcome of `prepare`: the exit code, the manifest, and whether there was anything to do."""

    code: int
    manifest: dict[str, Any]
    is_fresh: bool


def prepare(
    settings: Settings,
    folder: Path,
    fallback: str | None = None,
    force: bool = False,
    say: Callable[[str], None] = print,
    stream: TextIO | None = sys.stderr,
    foreign: bool = False,
) -> Prepared:
    """Prepares the data in `folder`.

    Nothing is done if `folder` already holds what these settings and this source give. Nothing is put in place if a
    check whose policy is `fail` found something, or if the run is interrupted. `foreign` says that the source is not
    the one that the values' splits were written for.
    """
    before = read_manifest(folder)
    try:
        source = find_source(settings)
    except hub.Unreachable as error:
        if before is not None and is_of(before, settings) and is_intact(before, folder):
            say(f"{error}; {folder} is kept as it was prepared from commit {before['source']['commit']}")
            return Prepared(0, before, False)
        source = _stand_in(settings, fallback, error)
        say(f"NOTE: {error}; {fallback} takes its place, all of it: a rehearsal, not your data")
    if (
        not force
        and before is not None
        and before["inputs"] == inputs_of(settings, source)
        and is_intact(before, folder)
    ):
        rows = ", ".join(f"{part} {file['rows']:,}" for part, file in before["files"].items())
        say(f"nothing to do: {folder} is up to date, version {before['version']} ({rows})")
        return Prepared(0, before, False)
    _spare(source, folder)
    writer = Writer(folder)
    try:
        manifest = _prepare(settings, source, writer, say, stream, foreign)
    except BaseException:
        writer.abandon()
        raise
    if manifest["status"] == FAIL:
        writer.abandon()
        return Prepared(FAILED, manifest, True)
    writer.place(MANIFEST)
    return Prepared(0, manifest, True)


def find_source(settings: Settings, source: str | None = None) -> Source:
    """Finds the rows that the settings (or `source`) name, on the hub or here."""
    asked = settings.source if source is None else source
    return hub.hub(asked, settings.revision, settings.subset) if is_hub_id(asked) else local(asked)


def _prepare(settings: Settings, source: Source, writer: Writer, say: Callable[[str], None], stream: TextIO | None,
             foreign: bool) -> dict[str, Any]:  # fmt: skip
    """Writes the files of a source, with manifest and report; returns the manifest."""
    bound = choose(source, settings.splits, foreign)
    for note in source.notes:
        say(note)
    work = work_of(settings, source, bound)
    result = survey(settings, work, writer.write, source.kind == "hub", stream)
    files = _close(writer, own_questions=bound[HELDOUT] is not None)
    _require_rows(result.tally, files)
    manifest = manifest_of(settings, source, bound, work, files, result)
    for name, text in ((REPORT, report_page(manifest, writer.partial, result.coder)), (MANIFEST, as_text(manifest))):
        (writer.partial / name).write_text(text, encoding="utf-8")  # the whole folder is moved into its place at once
    return manifest


def _stand_in(settings: Settings, fallback: str | None, error: hub.Unreachable) -> Source:
    """Returns the source that takes the place of a hub that does not answer."""
    if fallback is None:
        raise UserError(
            f"{error}; check the network, or take other data: a file or folder as dataset.source, or --fallback DIR",
            error.code,
        ) from None
    source = local(fallback)
    source.fallback = {"asked": settings.source, "took": fallback, "because": str(error)}
    return source


def _spare(source: Source, folder: Path) -> None:
    """Refuses to read from the files that would be replaced: what a check leaves out would be gone for good."""
    replaced = {(folder / f"{part}.jsonl").resolve() for part in PARTS}
    for file in (file for files in source.splits.values() for file in files if not file.remote):
        if Path(file.path).resolve() in replaced:
            raise UserError(
                f"dataset.source: {file.path} would be overwritten by what is prepared from it; copy it to another "
                "folder, and name the copy"
            )


def _close(writer: Writer, own_questions: bool) -> dict[str, dict[str, Any]]:
    """Ends the files, those without a row too; without questions of their own, the held-out rows are those of test."""
    for part in PARTS:
        if part != HELDOUT or own_questions:
            writer.open(part)
    files = writer.close()
    if HELDOUT not in files:
        shutil.copyfile(writer.path(TEST), writer.path(HELDOUT))
        files[HELDOUT] = files[TEST]
    return files


def _require_rows(tally: Tally, files: dict[str, dict[str, Any]]) -> None:
    """Books too few rows to train on, and refuses a split that has been left without any."""
    book_few_rows(tally, TRAIN, files[TRAIN]["rows"])
    failed = tally.verdict()["status"] == FAIL
    for part in (VALIDATION, TEST):
        if not files[part]["rows"] and not failed:
            raise UserError(
                f"dataset.splits.{part}: no row is left for {part}; raise dataset.percent or the fraction, because "
                "without it the component cuts a fifth off the training rows"
            )
