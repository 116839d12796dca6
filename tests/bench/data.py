"""Speed and memory of the data preparation beside `datasets`, polars and duckdb, from Parquet and from JSON Lines.

Every figure comes from a process of its own, so that its memory is its own; the tasks take turns, and the best of each
counts. On a machine that others use, compare the ratios, and the processor time more than the clock.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.errors import FAILED, UserError, main
from scripts.files import ROOT
from tests.bench.data_sets import ROW_BYTES, generate
from tests.bench.data_tasks import EXACT_ROWS, MUTATED, TASKS

FORMS = {"parquet": "Parquet", "jsonl": "JSON Lines"}
BESIDE = ("datasets_only", "prepare", "datasets_unique", "polars_unique", "duckdb_unique")  # for either form
MORE = 5  # times the rows, for the memory
MOST_MB = 300
Measured = dict[str, dict[str, Any]]


def bench(rows: int, folder: Path | None, row_bytes: int = ROW_BYTES, rounds: int = 2, form: str = "text") -> int:
    """Generates the data in `folder` (or a temporary one), measures, prints; 1 if a target is missed."""
    load = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        base = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-data-")))
        generate(rows, base / "once", 1, row_bytes)
        generate(rows, base / "more", MORE, row_bytes)
        best: Measured = {}
        tasks = [(task, kind) for kind in FORMS for task in BESIDE if _is_there(task)]
        for _ in range(rounds):
            for task, kind in (*tasks, ("tokens", "parquet"), ("five", "parquet")):
                result = measure(task, base / "once" / kind, base)
                best[f"{task} {kind}"] = _better(best.get(f"{task} {kind}", result), result)
        for kind in FORMS:
            for task in ("datasets_only", "prepare"):
                best[f"{task} {kind}, {MORE} times the rows"] = measure(task, base / "more" / kind, base)
        for task in ("exact", "mutated"):
            best[f"{task} parquet"] = measure(task, base / "once" / "parquet", base)
    figures = judge(best)
    if form == "json":
        print(json.dumps({"rows": rows, "load": [load, os.getloadavg()[0]], "measured": best, "targets": figures}))
    else:
        show(best, figures, rows, load)
    return int(not all(each["met"] for each in figures))


def judge(best: Measured) -> list[dict[str, Any]]:
    """Compares the measurements with what is asked of them."""
    figures = []
    for kind, name in FORMS.items():
        for size in (kind, f"{kind}, {MORE} times the rows"):
            ours, theirs = best[f"prepare {size}"], best[f"datasets_only {size}"]
            for key, what in (("seconds", "time"), ("cpu_seconds", "CPU")):
                told = f"{ours[key]:.2f} s against {theirs[key]:.2f} s"
                asked = f"{size.replace(kind, name)}: no more {what} than datasets alone"
                figures.append(_figure(asked, told, ours[key] <= theirs[key]))
        peak, once = ours["peak_mb"], best[f"prepare {kind}"]["peak_mb"]
        told = f"{peak:.0f} MB; {MORE} times the rows {100 * (peak / once - 1):+.0f} %"
        figures.append(_figure(f"{name}: under {MOST_MB} MB at any size", told, peak < MOST_MB))
    whole, part, counted = (best[f"{task} parquet"] for task in ("prepare", "five", "tokens"))
    slower = counted["seconds"] - whole["seconds"]
    exact, mutated = best["exact parquet"], best["mutated parquet"]
    return [
        *figures,
        _figure("5 % in a tenth of the time, and a second to start",
                f"{part['seconds']:.2f} s of {whole['seconds']:.2f} s", part["seconds"] <= whole["seconds"] / 10 + 1),
        _figure("token lengths within 20 %, or 5 s", f"{slower:+.1f} s, error ± {counted['error']:.2f} %; exactly "
                f"{EXACT_ROWS / exact['seconds']:,.0f} rows/s", slower <= max(5, whole["seconds"] / 5)),
        _figure(f"{MUTATED:,} mutated rows add up", f"{mutated['in']:,} in, {mutated['kept']:,} kept, "
                f"{mutated['dropped']:,} named", mutated["in"] == mutated["kept"] + mutated["dropped"] == MUTATED),
    ]  # fmt: skip


def show(best: Measured, figures: list[dict[str, Any]], rows: int, load: float) -> None:
    """Prints the measurements as a table beside `datasets`, and what was asked beside what was measured."""
    size = best["prepare jsonl"]["bytes"] / 1e6
    print(f"{rows:,} conversations, {size:,.0f} MB as JSON Lines; {os.cpu_count()} cores, load {load:.1f} at the start "
          f"and {os.getloadavg()[0]:.1f} at the end")  # fmt: skip
    for kind, name in FORMS.items():
        print(f"\n{name:<72}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}{'wall':>7}{'CPU':>7}")
        theirs = best[f"datasets_only {kind}"]
        for task, each in ((name, each) for name, each in best.items() if name.split()[1].rstrip(",") == kind):
            what = TASKS[task.split()[0]].__doc__ or ""
            if "times" in task:
                what = f"{what.partition(':')[0]}, {MORE} times the rows."
            wall, cpu = each["seconds"], each["cpu_seconds"]
            print(f"  {what:<70}{wall:8.2f}{cpu:8.2f}{each['peak_mb']:9.0f}"
                  f"{wall / theirs['seconds']:6.2f}x{cpu / theirs['cpu_seconds']:6.2f}x")  # fmt: skip
    for tool in ("polars", "duckdb"):
        if not _is_there(tool):
            print(f"\n{tool} is not installed: `make bench-data` brings it")
    print()
    for each in figures:
        print(f"{'ok  ' if each['met'] else 'MISS'} {each['asked']}: {each['measured']}")


def _is_there(task: str) -> bool:
    """Tells whether the package of a task is installed; without polars and duckdb the others are measured."""
    package = task.partition("_")[0]
    return package not in ("polars", "duckdb") or importlib.util.find_spec(package) is not None


def _better(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Returns a measurement with the lower times of two, and the higher memory."""
    times = {key: min(one[key], other[key]) for key in ("seconds", "cpu_seconds")}
    return {**other, **times, "peak_mb": max(one["peak_mb"], other["peak_mb"])}


def measure(task: str, source: Path, base: Path) -> dict[str, Any]:
    """Runs a task in a process of its own; returns its wall and processor seconds, and its report."""
    command = [sys.executable, "-m", "tests.bench.data_tasks", task, str(source), str(base)]
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT),
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment) as process:
        out = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise UserError(f"{' '.join(command)}: ended with exit code {process.returncode}; its message is above", FAILED)
    return {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime, **json.loads(out.splitlines()[-1])}


def _figure(asked: str, measured: str, met: bool) -> dict[str, Any]:
    return {"asked": asked, "measured": measured, "met": bool(met)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.data", description=__doc__)
    parser.add_argument(
        "--rows", type=int, default=50_000, help="conversations (default 50,000 of ultrachat's 207,865)"
    )
    parser.add_argument("--row-bytes", type=int, default=ROW_BYTES, help=f"of one, about (default {ROW_BYTES})")
    parser.add_argument("--rounds", type=int, default=2, help="measurements of each task, the best counts (default 2)")
    parser.add_argument("--folder", type=Path, help="where to generate (default: a temporary folder)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return parser.parse_args()


if __name__ == "__main__":
    options = _arguments()
    main(lambda: bench(options.rows, options.folder, options.row_bytes, options.rounds, options.output))
