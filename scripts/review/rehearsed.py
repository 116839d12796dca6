"""What the last rehearsal of an environment on this machine showed, in a few lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scripts.chain.patience import duration
from scripts.rehearse import record, report
from scripts.rehearse.record import Rehearsal
from scripts.targets import command


def lines(environment: str, root: Path) -> list[str]:
    """Returns the lines; those of another YAML say so, and no more than how it ended. Nothing where there was none."""
    folder = root / ".runs" / environment / "rehearsal"
    told = record.read(folder, environment)
    if told is None:
        return []
    ended = f"{told.outcome} in {duration(told.seconds)}, {told.begun}"
    if not told.is_of(root):
        again = command("rehearse", environment)
        return [f"of other YAML than this: {ended}; {again} rehearses what lies here now"]
    return [ended, *_showed(told), f"more in .runs/{environment}/rehearsal/{report.FILE}"]


def _showed(told: Rehearsal) -> Iterator[str]:
    if failed := told.failed:
        yield f"{failed.target} failed ({failed.code}): {failed.reason}"
    yield from (f"stands in, and is not the real thing: {each}" for each in told.stand_ins)
    for name, points in told.losses.items():
        if len(points) > 1:
            yield f"{name} {points[0][1]:.4f} -> {points[-1][1]:.4f} in {points[-1][0]:g} steps"
    if told.figures:
        yield f"answers: {told.figures}"
    stuck = [each.fault for each in told.faults if not each.recovered]
    if told.faults:
        went_on = len(told.faults) - len(stuck)
        rest = f"; not from {', '.join(stuck)}" if stuck else ""
        yield f"from {went_on} of {len(told.faults)} faults the chain went on{rest}"
