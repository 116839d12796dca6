"""`check`: the checks of `prepare` on anything that can be read, as it stands; nothing is written, nothing is cut."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, TextIO

from scripts.dataset.file import File, stem_of
from scripts.dataset.lengths import SAMPLE_TRAIN
from scripts.dataset.prepare import find_source, unused_keys
from scripts.dataset.read_plan import Task, Work, plan_reading
from scripts.dataset.settings import Settings
from scripts.dataset.source import Source, is_there
from scripts.dataset.split_names import evidence
from scripts.dataset.survey import book_few_rows, survey
from scripts.errors import UserError

# Splits that may be small, and those that hold questions, by the first word of their names: dev_v2, but not developer.
_SMALL = re.compile(r"(?:test|val|valid|validation|dev|eval|evaluation|heldout)(?![a-zA-Z])")
_TEST = re.compile(r"test(?![a-zA-Z])")
SMALL_BYTES = 8 * 2**20  # the tokens of files up to this size are counted row by row, which takes some seconds
ALL_ROWS = 2**20


def check_files(settings: Settings, sources: list[str], stream: TextIO | None = sys.stderr) -> dict[str, Any]:
    """Checks all rows of the sources; returns the verdict: status, rows, checks, tokens.

    Every file name is a split of its own, and a conversation in two of them is a leak. A row that `prepare` would leave
    out as invalid is a failure here.
    """
    sources = [word for source in sources for word in _words(source)]
    found = [find_source(settings, source) for source in sources]
    splits = _merged(found)
    tasks = [
        Task(name, name, plan_reading(files, 100.0, "head", settings.seed), not _asks(name))
        for name, files in sorted(splits.items(), key=lambda item: item[0].startswith("train"))
    ]
    size = sum(file.size for files in splits.values() for file in files)
    work = Work(tasks, questions=frozenset(name for name in splits if _asks(name) or _TEST.match(name)),
                counted=ALL_ROWS if size <= SMALL_BYTES else SAMPLE_TRAIN)  # fmt: skip
    online = any(source.kind == "hub" for source in found)
    result = survey(settings, work, lambda part, lines: None, online, stream)
    for source in found:
        source.unused += unused_keys(source)
    large = [name for name in splits if not _SMALL.match(name) and not _asks(name)]
    together = [name for name in large if len(found) == 1 and not evidence(name)]  # as `prepare` takes them
    for some in [[name] for name in large if name not in together] + [together] * bool(together):
        kept, read = (sum(count[name] for name in some) for count in (result.tally.kept, result.tally.rows_in))
        book_few_rows(result.tally, some[0] if len(some) == 1 else "all files", kept, read)
    verdict = result.tally.verdict(strict=True)
    return {
        "status": verdict["status"], "sources": sources, "rows": verdict["rows"], "checks": verdict["checks"],
        "columns": {split: accounts.plain() for split, accounts in result.accounts.items()},
        "unused_files": [{"file": each.label, "reason": each.reason} for source in found for each in source.unused],
        "files": {task.split: task.plan.files for task in tasks},
        "tokens": {"counted_with": result.counted_with, "is_own": result.is_own, "max_seq_length": result.limit,
                   "splits": result.tokens},
    }  # fmt: skip


def _words(source: str) -> list[str]:
    """Returns the files that one word names, as FILE="a.jsonl b.jsonl" does; a name may have blanks itself."""
    words = source.split()
    return words if not is_there(source) and all(map(is_there, words)) else [source]


def _asks(name: str) -> bool:
    """Tells held-out questions, which need no answer, by the name of their split."""
    return name.startswith("heldout") or name.endswith("_gen")


def _merged(sources: list[Source]) -> dict[str, list[File]]:
    """Makes the splits of one source out of several; files of the same split name in several places stay apart."""
    splits: dict[str, list[File]] = {}
    seen: set[str] = set()
    for source in sources:
        mine = {_place(source, file) for files in source.splits.values() for file in files}
        if mine & seen:
            raise UserError(f"{source.asked}: given twice; name every file once")
        seen |= mine
        for name, files in source.splits.items():
            own = stem_of(files[0].label) if len(sources) > 1 and len(files) == 1 else name
            label = own if own not in splits else f"{Path(source.asked).parent.name}/{own}"
            if label in splits:
                label = f"{source.asked}: {name}"
            splits[label] = files
    return splits


def _place(source: Source, file: File) -> str:
    """Returns where a file lies, whatever it was called by: on the hub, names are those of a repository."""
    return f"{source.asked} {file.path}" if file.remote else str(Path(file.path).resolve())
