"""`prepare`: from the values to data/<env>/{train,validation,test,heldout}.jsonl, manifest.json and report.html.

Read from top to bottom: find the source, plan what is read of it, survey it (read, convert, check, divide) into files,
and put manifest and report beside them.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from scripts.azure.component_rules import FEWEST_ROWS
from scripts.dataset import hub
from scripts.dataset.bind_splits import Bound, choose
from scripts.dataset.checks import FAIL
from scripts.dataset.cuts import moved
from scripts.dataset.data_report import Plan, report_page
from scripts.dataset.file import Unused
from scripts.dataset.manifest import (
    MANIFEST,
    NOT_READY,
    REPORT,
    Unusable,
    as_text,
    inputs_of,
    is_intact,
    is_of,
    left_out_of,
    manifest_of,
    read_manifest,
)
from scripts.dataset.read_plan import Work, work_of
from scripts.dataset.settings import HELDOUT, PARTS, TEST, TRAIN, VALIDATION, Settings
from scripts.dataset.source import Source, is_hub_id, local
from scripts.dataset.survey import Survey, book_few_rows, survey
from scripts.dataset.writer import Writer, alone, is_littered, recover, room
from scripts.errors import FAILED, UserError
from scripts.files import write


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
    plan: Plan | None = None,
) -> Prepared:
    """Prepares the data in `folder`.

    Nothing is done if `folder` already holds what these settings and this source give. Nothing is put in place if a
    check whose policy is `fail` found something, or if the run is interrupted; the report of such data lies beside
    what was there. `foreign` says that the source is not the one that the values' splits were written for; `plan` tells
    the report what the run on the prepared files takes.
    """
    try:
        before = read_manifest(folder)
    except Unusable as error:
        before = None
        say(f"NOTE: {folder / MANIFEST} is damaged, or of another version of this project: everything is prepared anew "
            f"({error})")  # fmt: skip
    try:
        source = find_source(settings)
    except hub.Unreachable as error:
        if before is not None and is_of(before, settings) and is_intact(before, folder):
            say(f"{error}; {folder} is kept as it was prepared from commit {before['source']['commit']}")
            return Prepared(0, before, False)
        source = _stand_in(settings, fallback, error, foreign)
        say(f"NOTE: {error}; {fallback} takes its place, all of it: a rehearsal, not your data")
    if settings.subset and source.kind != "hub" and not source.fallback and not foreign:
        raise UserError(
            f"dataset.subset: '{settings.subset}' is for data sets of the hub, and {source.asked} lies here; "
            "leave it out, and give the folder itself as dataset.source"
        )
    inputs = inputs_of(settings, source)
    if not force and not is_littered(folder) and (done := _up_to_date(inputs, folder, say)):
        return done
    _spare(source, folder)
    with room(folder), alone(folder, say):
        recover(folder, MANIFEST)
        if not force and (done := _up_to_date(inputs, folder, say)):  # another run has done it meanwhile
            return done
        manifest = _prepare(settings, source, folder, say, stream, foreign, plan)
    return Prepared(FAILED if manifest["status"] == FAIL else 0, manifest, True)


def _up_to_date(inputs: dict[str, Any], folder: Path, say: Callable[[str], None]) -> Prepared | None:
    """Returns what lies in `folder` if these inputs would give it again."""
    try:
        manifest = read_manifest(folder)
    except Unusable:
        return None
    if manifest is None or manifest["inputs"] != inputs or not is_intact(manifest, folder):
        return None
    rows = ", ".join(f"{part} {file['rows']:,}" for part, file in manifest["files"].items())
    say(f"nothing to do: {folder} is up to date, version {manifest['version']} ({rows})")
    return Prepared(0, manifest, False)


def find_source(settings: Settings, source: str | None = None) -> Source:
    """Finds the rows that the settings (or `source`) name, on the hub or here."""
    asked = settings.source if source is None else source
    return hub.hub(asked, settings.revision, settings.subset) if is_hub_id(asked) else local(asked)


def _prepare(settings: Settings, source: Source, folder: Path, say: Callable[[str], None], stream: TextIO | None,
             foreign: bool, plan: Plan | None) -> dict[str, Any]:  # fmt: skip
    """Writes the files of a source, with manifest and report, and puts them in place if nothing forbids it."""
    bound = choose(source, settings.splits, foreign)
    work = work_of(settings, source, bound)
    for note in source.notes:
        say(note)
    writer = Writer(folder)
    try:
        result = survey(settings, work, writer.write, source.kind == "hub", stream)
        if fuller := _without_empty_cuts(work, result):
            writer.abandon()
            writer, work = Writer(folder), fuller
            result = survey(settings, work, writer.write, source.kind == "hub", stream)
            source.notes.append("too few rows to cut by shares: the edges are moved, so that every part has rows")
            say(source.notes[-1])
        files = _close(writer, own_questions=bound[HELDOUT] is not None)
        _require_rows(settings, source, bound, work, result, files)
        source.unused += unused_keys(source)
        manifest = manifest_of(settings, source, bound, work, files, result)
        page = report_page(manifest, writer.partial, result.coder, plan)
        if manifest["status"] == FAIL:
            write(folder / NOT_READY, page)
        else:
            (writer.partial / REPORT).write_text(page, encoding="utf-8")
            writer.place(MANIFEST, as_text(manifest))
            (folder / NOT_READY).unlink(missing_ok=True)
    finally:
        writer.abandon()
    return manifest


def _without_empty_cuts(work: Work, result: Survey) -> Work | None:
    """Returns the work with cuts that give every part a row, and training enough, where there are rows for that."""
    train = next(task.split for task in work.tasks if task.part == TRAIN)
    trained = result.statistics[TRAIN].rows if TRAIN in result.statistics else 0
    is_enough = trained >= FEWEST_ROWS and all(part in result.statistics for part, _ in work.cuts)
    is_failed = result.tally.verdict()["status"] == FAIL or result.tally.kept[train] < FEWEST_ROWS
    if is_enough or is_failed:
        return None
    least = [(part, 0.0) for part, _ in work.cuts]  # a row each
    cuts = moved(least if trained < FEWEST_ROWS + len(least) else work.cuts, result.drawn)
    return replace(work, cuts=cuts) if cuts else None


def unused_keys(source: Source) -> list[Unused]:
    """Returns the keys that stood beside the rows, in files that hold an object with a list of them."""
    return [
        Unused(f"{file.label}: {', '.join(sorted(file.other_keys))}", "stands beside the list of rows")
        for files in source.splits.values() for file in files if file.other_keys
    ]  # fmt: skip


def _stand_in(settings: Settings, fallback: str | None, error: hub.Unreachable, foreign: bool) -> Source:
    """Returns the source that takes the place of a hub that does not answer; of the values' own source only."""
    if fallback is None or foreign:
        only = f"; {fallback} stands in for the values' own source only" if fallback else ", or --fallback DIR"
        raise UserError(
            f"{error}; check spelling and network, or take other data: a file or folder as dataset.source{only}",
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


def _require_rows(settings: Settings, source: Source, bound: Bound, work: Work, result: Survey,
                  files: dict[str, dict[str, Any]]) -> None:  # fmt: skip
    """Books too few rows to train on, and refuses a split that has been left without any."""
    tally = result.tally
    percent = 100.0 if source.fallback else settings.percent
    train = next(task.split for task in work.tasks if task.part == TRAIN)
    book_few_rows(tally, TRAIN, files[TRAIN]["rows"], tally.rows_in[train], percent)
    if tally.verdict()["status"] == FAIL or left_out_of(tally.verdict()["rows"], settings.max_left_out)["stops"]:
        return
    for part in (VALIDATION, TEST):
        if files[part]["rows"]:
            continue
        split = bound[part]
        if isinstance(split, str) and (read := tally.rows_in[split]):
            why = f"all {read:,} rows of '{split}' were left out, as the checks say"
        elif isinstance(split, str):
            why = f"'{split}' holds no row" if percent == 100 else f"{percent:g} % of '{split}' are none"
        else:
            why = f"{tally.kept[train]:,} rows, or as few different ones, cannot be cut"
        todo = "raise dataset.percent" if percent < 100 else "give it rows"
        if isinstance(split, str) and percent == 100:
            todo += f", or take it away and cut a fraction from train (dataset.splits.{part}=0.1)"
        raise UserError(
            f"dataset.splits.{part}: no row is left for {part}: {why}; {todo}, because without it the component cuts a "
            "fifth off the training rows"
        )
