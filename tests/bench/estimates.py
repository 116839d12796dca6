"""`python -m tests.bench.estimates`: the estimates beside the published measurements.

Two tables. The first is in-sample: the constants were fitted on these very rows. The second leaves each source out in
turn, fits the constants on the others and estimates the one left out: what a stack that nobody measured may expect.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import statistics
from collections.abc import Iterable
from typing import Any

from scripts.errors import FAILED, main
from scripts.estimate import time
from scripts.estimate.memory import GIB, Constants, estimate
from tests.bench import published

SMALL = 4.0  # GiB: below it the fixed share is as large as the job, and no card is too small

# The fit's choices for each constant: coarse on purpose, so that nothing is tuned to a single row.
GRID = {
    "context": (0.5, 1.0, 1.5),
    "margin": (0.02, 0.04, 0.06, 0.08, 0.10),
    "deepspeed": (1.0, 1.86, 2.5),
    "fsdp": (0.0, 0.5, 1.0),
    "quantised_copies": (6.0, 9.0, 12.0),
}
LOW_COSTS = 3.0  # a shortfall stops the job, a surplus is a larger card: how many times worse the fit takes it


def memory_rows() -> list[dict[str, Any]]:
    """Returns the published rows at or above `SMALL`."""
    return [row for row in published.rows("memory") if row["peak_gib"] >= SMALL]


def error(row: dict[str, Any], constants: Constants) -> float:
    """Returns the estimate's error of a memory row in per cent of the measurement; below 0 is too low."""
    return (estimate(published.step(row), constants).total / GIB / row["peak_gib"] - 1) * 100


def grid() -> list[Constants]:
    """Returns every combination of constants that the fit may choose."""
    return [Constants(**dict(zip(GRID, values, strict=True))) for values in itertools.product(*GRID.values())]


def fit(errors: dict[Constants, list[float]], indices: Iterable[int]) -> Constants:
    """Returns the constants with the smallest mean error on these rows; errors on the low side weigh threefold."""
    chosen = list(indices)
    return min(errors, key=lambda each: sum(_cost(errors[each][index]) for index in chosen))


def _cost(value: float) -> float:
    return value if value > 0 else -LOW_COSTS * value


def all_errors(rows: list[dict[str, Any]]) -> dict[Constants, list[float]]:
    """Returns the rows' errors under every combination of constants."""
    return {constants: [error(row, constants) for row in rows] for constants in grid()}


def left_out(rows: list[dict[str, Any]], errors: dict[Constants, list[float]]) -> dict[str, list[float]]:
    """Returns, for every source, the errors of its rows under constants fitted on all the other sources."""
    found = {}
    for source in dict.fromkeys(row["source"] for row in rows):
        others = [index for index, row in enumerate(rows) if row["source"] != source]
        constants = fit(errors, others)
        found[source] = [errors[constants][index] for index, row in enumerate(rows) if row["source"] == source]
    return found


def summary(errors: Iterable[float]) -> dict[str, float]:
    """Returns rows, mean and median of the absolute error, and how many are beyond 25 % and low by more than 10 %."""
    values = list(errors)
    sizes = [abs(value) for value in values]
    return {
        "rows": len(values),
        "mean": round(statistics.mean(sizes), 1),
        "median": round(statistics.median(sizes), 1),
        "beyond": sum(size > 25 for size in sizes),
        "low": sum(value < -10 for value in values),
    }


def _line(name: str, found: dict[str, float]) -> str:
    return (f"{name:<40} {found['rows']:>5} {found['mean']:>8.1f} {found['median']:>8.1f} "
            f"{found['beyond']:>12} {found['low']:>14}")  # fmt: skip


HEAD = f"{'':<40} {'rows':>5} {'mean %':>8} {'median %':>8} {'beyond 25 %':>12} {'low by > 10 %':>14}"


def memory_report(
    every_row: bool, rows: list[dict[str, Any]], errors: dict[Constants, list[float]], fitted: Constants
) -> list[str]:
    """Returns the lines about memory."""
    here = [error(row, fitted) for row in rows]
    one_set = [row["error_one_constant_set_pct"] for row in rows]
    apart = left_out(rows, errors)
    lines = [f"Memory: {len(rows)} published peaks of {SMALL:g} GiB and more", "", HEAD]
    lines.append(_line("one constant set (published with them)", summary(one_set)))
    lines.append(_line("this estimator", summary(here)))
    lines.append(_line("this estimator, source left out", summary(itertools.chain(*apart.values()))))
    lines += ["", "By source (in-sample | source left out)", HEAD]
    for source, outside in apart.items():
        inside = [value for value, row in zip(here, rows, strict=True) if row["source"] == source]
        lines += [_line(source, summary(inside)), _line("  left out", summary(outside))]
    if every_row:
        lines += ["", f"{'row':<52} {'published':>10} {'estimate':>9} {'error %':>8}"]
        for row, value in zip(rows, here, strict=True):
            peak = row["peak_gib"]
            lines.append(f"{row['id']:<52} {peak:>10.2f} {peak * (1 + value / 100):>9.2f} {value:>8.1f}")
    return lines


def throughput_report(every_row: bool) -> list[str]:
    """Returns the lines about tokens per second."""
    found: dict[str, list[tuple[str, float]]] = {}
    skipped = 0
    for row in published.rows("throughput"):
        predicted = published.rate_of(row)
        if predicted is None:
            skipped += 1
            continue
        found.setdefault(f"{row['source']} {row['gpu']} {row['method']}", []).append(
            (row["id"], (predicted / published.measured(row) - 1) * 100)
        )
    values = [value for group in found.values() for _, value in group]
    lines = [f"Throughput: {len(values)} published rates ({skipped} rows do not say enough to compute)", "", HEAD]
    lines.append(_line("all", summary(values)))
    lines += [_line(name, summary(value for _, value in group)) for name, group in sorted(found.items())]
    within = sum(1 / time.SLOWEST <= 1 + value / 100 <= 1 / time.FASTEST for value in values)
    lines += ["", f"{within} of {len(values)} rates lie in the range that preflight prints"]
    if every_row:
        lines += ["", *(f"{name:<52} {value:>8.1f} %" for group in found.values() for name, value in group)]
    return lines


def run(arguments: list[str] | None = None) -> int:
    """The command: prints both reports; exit 1 if the shipped constants are not what the fit chooses."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.estimates", description="Estimates beside measurements."
    )
    parser.add_argument("--rows", action="store_true", help="every row, not only the totals")
    options = parser.parse_args(arguments)
    shipped, rows = Constants(), memory_rows()
    errors = all_errors(rows)
    print("\n".join([*memory_report(options.rows, rows, errors, shipped), "", *throughput_report(options.rows)]))
    best = fit(errors, range(len(rows)))
    if best != shipped:
        print(f"error: the fit chooses {dataclasses.asdict(best)}, scripts/estimate/memory.py says otherwise")
        return FAILED
    return 0


if __name__ == "__main__":
    main(run)
