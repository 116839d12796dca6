"""Metrics for a terminal: one job's in a table, several jobs' side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scripts.metrics.job_runs import Run
from scripts.pages.charts import number

ORDER = ("epoch", "loss", "eval_loss", "learning_rate", "tokens_per_second", "grad_norm")


def progress(runs: Sequence[Run]) -> list[list[str]]:
    """Returns a row a step in which something of ORDER was logged, over all runs of a job, with a heading first."""
    names = [name for name in ORDER if any(name in run.metrics for run in runs)]
    steps: dict[int, dict[str, float]] = {}
    for run in runs:
        for name in names:
            for step, value, _ in run.metrics.get(name, ()):
                steps.setdefault(step, {})[name] = value
    lines = [
        [str(step), *(number(at[name]) if name in at else "" for name in names)] for step, at in sorted(steps.items())
    ]
    return [["step", *names], *lines]


def summary(runs: Sequence[Run]) -> list[list[str]]:
    """Returns the last value of every metric that `progress` does not show, with the run that logged it."""
    return [[run.name, name, number(value)] for run in runs for name, value in run.last.items() if name not in ORDER]


def show(job: str, runs: Sequence[Run], most: int = 30) -> str:
    """Returns the job's metrics as text; a long run is thinned out to about `most` steps, evaluations always shown."""
    from tabulate import tabulate

    head, *lines = progress(runs)
    kept = lines if len(lines) <= most else thinned(head, lines, most)
    parts = [f"job {job}: {runs[0].status}"]
    if lines:
        parts.append(tabulate(kept, headers=head, disable_numparse=True, stralign="right"))
    if len(kept) < len(lines):
        parts.append(
            f"{len(lines) - len(kept)} of {len(lines)} steps left out; metrics.html and -o json have all of them"
        )
    if rest := summary(runs):
        parts.append(tabulate(rest, headers=["run", "metric", "last value"], disable_numparse=True))
    if not lines and not summary(runs):
        parts.append("nothing logged yet")
    return "\n\n".join(parts)


def thinned(head: Sequence[str], lines: Sequence[Sequence[str]], most: int) -> list[Sequence[str]]:
    """Returns the first and last line, those with an evaluation, and others evenly."""
    every = -(-len(lines) // most)
    evaluated = head.index("eval_loss") if "eval_loss" in head else None
    return [
        line
        for at, line in enumerate(lines)
        if at % every == 0 or at == len(lines) - 1 or (evaluated is not None and line[evaluated])
    ]


def compare(jobs: dict[str, Sequence[Run]]) -> dict[str, list[list[str]]]:
    """Returns `metrics` (last values) and `parameters` (those that differ): a row a name, a column a job."""
    merged = {job: _merged(runs) for job, runs in jobs.items()}
    metrics = dict.fromkeys(name for job in merged.values() for name in job["metrics"])
    known = [name for name in ORDER if name in metrics]
    names = [*known, *sorted(set(metrics) - set(known))]
    params = sorted({name for job in merged.values() for name in job["params"]})
    differing = [name for name in params if len({job["params"].get(name) for job in merged.values()}) > 1]
    return {
        "metrics": [[name, *(_shown(job["metrics"].get(name)) for job in merged.values())] for name in names],
        "parameters": [[name, *(job["params"].get(name, "") for job in merged.values())] for name in differing],
    }


def _merged(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    together: dict[str, dict[str, Any]] = {"metrics": {}, "params": {}}
    for run in reversed(runs):  # the job's own run has the last word
        together["metrics"] |= run.last
        together["params"] |= run.params
    return together


def _shown(value: float | None) -> str:
    return "" if value is None else number(value)
