"""The line as a person reads it, and as a program does."""

from __future__ import annotations

import dataclasses
import json

from scripts import terminal
from scripts.provenance.line import OK, STATUSES, Line, Link

_INDENT = max(map(len, STATUSES)) + 2


def text(line: Line) -> str:
    """Returns a line a link, no wider than a terminal, and what they come to."""
    head = f"From what answers back to the data: {line.environment} in workspace {line.workspace}"
    return "\n".join([terminal.wrapped(terminal.plain(head), "  ", ""), "", *map(_link, line.links), "", total(line)])


def total(line: Line) -> str:
    """Returns how many links there are of each status."""
    counts = line.counts
    more = [f"{counts[status]} {status}" for status in STATUSES if status != OK and counts[status]]
    return f"Provenance: {', '.join([f'{counts[OK]} of {len(line.links)} links hold', *more])}"


def _link(link: Link) -> str:
    said = f"{link.what}: {link.sentence}"
    if link.status != OK and (link.found or link.expected):
        said += f"; found {_short(link.found)}, expected {_short(link.expected) or 'what it was made with'}"
    return terminal.wrapped(f"{link.status:{_INDENT}}{said}", " " * _INDENT, "")


def _short(text: str) -> str:
    """Returns a hash as one tells it from others, and other texts at a length that a line bears."""
    return text[:60] + "…" * (len(text) > 60)


def as_json(line: Line) -> str:
    """Returns the line for a program."""
    found = {
        "environment": line.environment,
        "workspace": line.workspace,
        "endpoint": line.endpoint,
        "deployment": line.deployment,
        "model": f"{line.model.name}:{line.model.version}" if line.model else "",
        "job": line.job.name if line.job else "",
        "commit": line.commit,
        "links": [dataclasses.asdict(link) for link in line.links],
        "counts": line.counts,
    }
    return json.dumps(found, indent=2, ensure_ascii=False)
