"""Metrics for a terminal: one job's in a table, several jobs' side by side."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence

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
    if not lines and not rest:
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
    # The job's own run, which comes first, has the last word.
    last = {job: ChainMap(*(run.last for run in runs)) for job, runs in jobs.items()}
    params = {job: ChainMap(*(run.params for run in runs)) for job, runs in jobs.items()}
    logged = {name for metrics in last.values() for name in metrics}
    names = [*(name for name in ORDER if name in logged), *sorted(logged - set(ORDER))]
    given = sorted({name for some in params.values() for name in some})
    differing = [name for name in given if len({some.get(name) for some in params.values()}) > 1]
    return {
        "metrics": [[name, *(number(some[name]) if name in some else "" for some in last.values())] for name in names],
        "parameters": [[name, *(some.get(name, "") for some in params.values())] for name in differing],
    }
