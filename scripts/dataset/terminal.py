"""What a person reads when `prepare` or `check` is done: one block of at most 80 columns, the verdict last.

What was read, what was left out of it, what stops the run, what was kept all the same, what was not used, what was
written.
"""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import Any

from scripts.dataset.checks import EVERY_ROW, FAIL, KEEP, OF_THE_SET
from scripts.dataset.manifest import NOT_READY, REPORT
from scripts.dataset.verdict import books, verdict_of
from scripts.targets import brief

COLUMNS = 80
SHOWN = 2  # examples of a check
NAMED = 8  # files for one reason, columns
_LABEL = 10  # columns that a block's name takes


def outcome(result: dict[str, Any], folder: Path | None = None) -> None:
    """Prints what `prepare` put into `folder`, or without one what `check` found."""
    lines = [*_read(result), *_found(result), *_unused(result), *_looked_at(result)]
    if folder is not None and brief() and result["status"] != FAIL:
        lines = _written(result, folder)[:1]
    elif folder is None:
        lines += _told("tokens", [f"{split}: {tokens}" for split, tokens in _lengths(result)])
    else:
        lines += _written(result, folder)
    print("\n".join([*lines, verdict_line(result)]))


def wrapped(text: str, label: str = "", indent: int = 0) -> list[str]:
    """Returns a text as lines of at most 80 columns, the first behind a label; a path that is longer stays whole."""
    first = f"{label:<{_LABEL}}" if label or indent else ""
    rest = " " * (len(first) + indent)
    return textwrap.wrap(text, COLUMNS, initial_indent=first + " " * indent, subsequent_indent=rest,
                         break_on_hyphens=False, break_long_words=False) or [first.rstrip()]  # fmt: skip


def verdict_line(result: dict[str, Any]) -> str:
    """Returns the verdict with as many of its reasons as a line takes."""
    verdict = verdict_of(result)
    line, more = f"{'verdict':<{_LABEL}}{verdict.word}", ": "
    for reason in verdict.reasons:
        if len(line + more + reason) > COLUMNS - 3:
            return line + ("" if more == ": " else ", …")
        line, more = line + more + reason, ", "
    return line


def _told(label: str, texts: list[str], indent: int = 0) -> list[str]:
    """Returns texts as a block whose first line has the label."""
    lines = []
    for at, text in enumerate(texts):
        lines += wrapped(text, label if at == 0 else " ", indent)
    return lines


def _read(result: dict[str, Any]) -> list[str]:
    texts = []
    for split, rows in books(result).items():
        files = rows["files"] if "files" in rows else result["files"][split]
        names = f" ({', '.join(files['first'][:NAMED])}{', …' if files['count'] > NAMED else ''})"
        how = f", {rows['how']}" if "how" in rows else ""
        texts.append(
            f"{split}: {rows['in']:,} rows of {files['count']:,} file{'s' * (files['count'] != 1)}{names}{how}"
        )
        columns = result["columns"].get(split, {})
        for kind, title in (("layouts", "layout"), ("used", "columns used"), ("changed", "changed")):
            if columns.get(kind):
                texts.append(f"  {title}: {_counted(columns[kind])}")
    return _told("read", texts)


def _found(result: dict[str, Any]) -> list[str]:
    """Returns what the checks found: what stops the run, the rows left out, and what was kept all the same."""
    rows = books(result)
    read = sum(split["in"] for split in rows.values())
    dropped: dict[str, int] = {}
    for split in rows.values():
        for name, count in split["dropped"].items():
            dropped[name] = dropped.get(name, 0) + count
    left = sum(dropped.values())
    checks = sorted((each for each in result["checks"] if each["count"]), key=lambda each: -each["count"])
    failing = [each for each in checks if each["status"] == FAIL]
    kept = [each for each in checks if each not in failing and each["policy"] == KEEP]
    others = [each for each in checks if each not in failing and each not in kept]
    lines = _told("left out", [f"{left:,} of {read:,} rows ({_percent(left, read)})"])
    for label, some in (("", others), ("stops", failing), ("kept", kept)):
        for at, check in enumerate(some):
            lines += _check(label if at == 0 else "", check, dropped.get(check["name"], 0), read)
    return lines


def _check(label: str, check: dict[str, Any], left: int, read: int) -> list[str]:
    about = "about " if check["estimated"] else ""
    found = f"{about}{check['count']:,}"
    if left:
        found = f"{left:,} ({_percent(left, read)})" + (f", found in {found}" if left != check["count"] else "")
    elif check["policy"] != KEEP:
        found = f"found in {found}, which other checks left out" if check["status"] != FAIL else found
    title = "" if check["title"] == check["name"] else f": {check['title']}"
    number = "" if check["name"] in OF_THE_SET else f" {found}"
    lines = wrapped(f"{check['name']}{number}{title}", label or " ")
    for example in check["examples"][:SHOWN]:
        path = f" {example['path']}" if example["path"] else ""
        place = f"{example['file']} {example['row']}{path}"
        lines += wrapped(f"{place}: found {example['found']}, expected {example['expected']}", " ", 2)
    return lines + wrapped(f"to fix: {check['examples'][0]['fix']}", " ", 2)


def _unused(result: dict[str, Any]) -> list[str]:
    """Returns what was there and not used: files by reason, and columns with the rows that had a value there."""
    reasons: dict[str, list[str]] = {}
    for each in result["unused_files"]:
        reasons.setdefault(each["reason"], []).append(each["file"])
    texts = []
    for reason, names in reasons.items():
        more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
        texts.append(f"{', '.join(names[:NAMED])}{more}: {reason}")
    texts += [
        f"columns of {split}: {_counted(columns['ignored'])}"
        for split, columns in result["columns"].items() if columns["ignored"]
    ]  # fmt: skip
    return _told("not used", texts)


def _looked_at(result: dict[str, Any]) -> list[str]:
    partly: dict[str, list[str]] = {}
    for check in result["checks"]:
        if check["looked_at"] != EVERY_ROW:
            partly.setdefault(check["looked_at"], []).append(check["name"])
    return _told("note", [f"{', '.join(names)}: looked at {what}" for what, names in partly.items()])


def _lengths(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns the tokens of each output file, or split, and what they were told with."""
    tokens = result["tokens"]
    if "splits" in tokens:
        some = tokens["splits"]
    else:
        some = {part: file["tokens"] for part, file in result["files"].items() if "tokens" in file}
    lines = [(name, _tokens(each, tokens["is_own"])) for name, each in some.items()]
    guessed = all(each["how"] == "characters" for each in some.values())
    how = "guessed at 4.2 bytes each" if guessed else "counted" if tokens["is_own"] else "estimated"
    return [*lines, (how, tokens["counted_with"])] if some and tokens["counted_with"] else lines


def _written(result: dict[str, Any], folder: Path) -> list[str]:
    if result["status"] == FAIL:
        lines = _told("written", [f"nothing to {folder}; what was there is whole"])
        left = result["left_out"]
        if left["stops"]:
            lines += _told("stops", [_left_out(left)])
        return lines + _told("report", [str(folder / NOT_READY)])
    lengths = dict(_lengths(result))
    texts = []
    for part, file in result["files"].items():
        told = lengths.pop(part, "")
        texts.append(f"{part}: {file['rows']:,} rows, {file['bytes'] / 1e6:,.1f} MB{', ' if told else ''}{told}")
    texts += [f"tokens {how}: {what}" for how, what in lengths.items()]
    return [
        *_told("written", texts),
        *_told("version", [result["version"]]),
        *_told("report", [str(folder / REPORT)]),
    ]


def _left_out(left: dict[str, Any]) -> str:
    reasons = ", ".join(f"{name} {count:,}" for name, count in left["reasons"].items())
    return (
        f"{left['rows']:,} of {left['in']:,} rows ({left['share']:.1f} %) are left out, more than dataset.max_left_out "
        f"({left['most']:g} %): {reasons}; put them right as said above, or allow it with "
        f"SET=dataset.max_left_out={math.ceil(left['share'])}"
    )


def _counted(counts: dict[str, int]) -> str:
    more = f" and {len(counts) - NAMED:,} more" if len(counts) > NAMED else ""
    return ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:NAMED]) + more


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.1f} %"


def _tokens(tokens: dict[str, Any], is_own: bool) -> str:
    about = "about " if tokens["how"] != "exact" or not is_own else ""
    error = "" if tokens["how"] == "exact" else f" ± {tokens['error']:,}"
    text = f"{about}{tokens['tokens']:,}{error} tokens, {tokens['trained']:,} trained"
    cut = tokens.get("cut")
    if cut and cut["too_long"]["rows"]:
        text += f"; {about}{cut['too_long']['rows']:,} rows over {cut['max_seq_length']:,}"
        text += f", {cut['trained_lost']:,} trained tokens cut"
    return text
