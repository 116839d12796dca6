"""Metrics for a terminal: one job's in a table, several jobs' side by side."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence

from scripts import terminal
from scripts.metrics.job_runs import Run, capped, steps
from scripts.pages.charts import number

ORDER = ("epoch", "loss", "eval_loss", "learning_rate", "tokens_per_second", "grad_norm")
SHORT = {"learning_rate": "learn. rate", "tokens_per_second": "tokens/s"}
NAME = 24  # most letters of a run's name


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


def headline(job: str, runs: Sequence[Run]) -> str:
    """Returns how a job stands: its status, how many steps it trained, and whether a cap made it shorter."""
    done = steps(runs)
    counted = f", {done} step{'s' * (done != 1)}" * bool(done)
    cap = capped(runs)
    return f"job {job}: {runs[0].status}{counted}" + f"; CAPPED: {cap}" * bool(cap)


def show(job: str, runs: Sequence[Run], most: int = 30) -> str:
    """Returns the job's metrics as text; a long run is thinned out to about `most` steps, evaluations always shown."""
    head, *lines = progress(runs)
    kept = lines if len(lines) <= most else thinned(head, lines, most)
    parts = [terminal.wrapped(headline(job, runs), "  ", "")]
    if lines:
        parts.append(terminal.table(kept, [SHORT.get(name, name) for name in head], stralign="right"))
    if len(kept) < len(lines):
        left = f"{len(lines) - len(kept)} of {len(lines)} steps left out; metrics.html and -o json have all of them"
        parts.append(terminal.wrapped(left))
    if rest := summary(runs):
        names = short_names([run.name for run in runs])
        if len(names) == 1:
            parts.append(terminal.table([row[1:] for row in rest], ["metric", "last value"]))
        else:
            parts.append(terminal.table([[names[name], *row] for name, *row in rest], ["run", "metric", "last value"]))
    if not lines and not rest:
        parts.append("nothing logged yet")
    return "\n\n".join(parts)


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Returns names that a column of a table takes; those that begin alike keep their end, which tells them apart."""
    every = list(dict.fromkeys(names))
    return {name: name if len(name) <= NAME else f"…{name[1 - NAME :]}" for name in every}


def thinned(head: Sequence[str], lines: Sequence[Sequence[str]], most: int) -> list[Sequence[str]]:
    """Returns the first and last line, those with an evaluation, and others evenly."""
    every = -(-len(lines) // most)
    evaluated = head.index("eval_loss") if "eval_loss" in head else None
    return [
        line
        for at, line in enumerate(lines)
        if at % every == 0 or at == len(lines) - 1 or (evaluated is not None and line[evaluated])
    ]


def compare(jobs: dict[str, Sequence[Run]], facts: Mapping[str, Mapping[str, str]]) -> dict[str, list[list[str]]]:
    """Returns `metrics` (last values), `facts` and `parameters` (those that differ): a row a name, a column a job.

    `facts` of a job are what it ran on and with; steps and caps come from its runs.
    """
    # The job's own run, which comes first, has the last word.
    last = {job: ChainMap(*(run.last for run in runs)) for job, runs in jobs.items()}
    params = {job: ChainMap(*(run.params for run in runs)) for job, runs in jobs.items()}
    known = {
        job: {**facts.get(job, {}), "steps": str(steps(runs) or ""), "CAPPED": capped(runs)}
        for job, runs in jobs.items()
    }
    logged = {name for metrics in last.values() for name in metrics}
    names = [*(name for name in ORDER if name in logged), *sorted(logged - set(ORDER))]
    return {
        "metrics": [[name, *(number(some[name]) if name in some else "" for some in last.values())] for name in names],
        "facts": _differing(known, dict.fromkeys(name for some in known.values() for name in some)),
        "parameters": _differing(params, sorted({name for some in params.values() for name in some})),
    }


def _differing(given: Mapping[str, Mapping[str, str]], names: Iterable[str]) -> list[list[str]]:
    return [
        [name, *(some.get(name, "") for some in given.values())]
        for name in names
        if len({some.get(name, "") for some in given.values()}) > 1
    ]
