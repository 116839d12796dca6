"""runs/<job>/metrics.html: how a job went; and compare.html beside it, with other jobs laid over it."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from scripts.metrics import job_runs, table
from scripts.metrics.job_runs import RUNNING, Run
from scripts.pages import charts, page
from scripts.pages.charts import Line, number

# Title of the chart -> metrics in it, under the names that Azure ML's component (transformers' Trainer) logs.
CHARTS = {
    "Loss": {"loss": "training", "eval_loss": "evaluation"},
    "Learning rate": {"learning_rate": "learning rate"},
    "Tokens a second": {"tokens_per_second": "tokens a second"},
    "Epoch": {"epoch": "epoch"},
    "Gradient norm": {"grad_norm": "gradient norm"},
}
# The same for several jobs: a chart a metric, a line a job.
COMPARED = {
    "Training loss": "loss", "Evaluation loss": "eval_loss", "Learning rate": "learning_rate",
    "Tokens a second": "tokens_per_second", "Gradient norm": "grad_norm",
}  # fmt: skip
SCRIPT = "pages/points.js"


def job_page(job: str, runs: Sequence[Run], refresh: int = 0, facts: Mapping[str, str] | None = None) -> str:
    """Returns the page; it loads itself anew every `refresh` seconds as long as the job runs.

    `facts` of a job are what it ran on and with, by name.
    """
    figures = []
    for title, metrics in CHARTS.items():
        lines = [Line(name, points(runs, metric)) for metric, name in metrics.items()]
        if any(line.points for line in lines):
            figures.append(charts.lines(title, lines))
    head, *steps = table.progress(runs)
    rest, rest_head = table.summary(runs), ["run", "metric", "last value"]
    if len({row[0] for row in rest}) == 1:  # which run it was says nothing then
        rest, rest_head = [row[1:] for row in rest], rest_head[1:]
    params = sorted(ChainMap(*(run.params for run in runs)).items())
    return page.document(
        "metrics/job_page.html.j2", script=SCRIPT, title=f"Job {job}", status=status(runs[0]), look=look(runs[0]),
        tiles=tiles(runs), capped=job_runs.capped(runs), figures=figures,
        facts=[(name, said) for name, said in (facts or {}).items() if said],
        rest=rest, rest_head=rest_head, head=head, steps=steps, params=params,
        refresh=refresh if runs[0].status in RUNNING else 0,
    )  # fmt: skip


def compare_page(jobs: Mapping[str, Sequence[Run]], compared: Mapping[str, Sequence[Sequence[str]]]) -> str:
    """Returns the page of several jobs, laid over each other; `compared` is what `table.compare` says of them."""
    figures = []
    for title, metric in COMPARED.items():
        lines = [Line(job, points(runs, metric), at) for at, (job, runs) in enumerate(jobs.items())]
        if any(line.points for line in lines):
            figures.append(charts.lines(title, lines))
    heads = [
        (job, at % charts.COLORS, look(runs[0]), status(runs[0]), tiles(runs), job_runs.capped(runs))
        for at, (job, runs) in enumerate(jobs.items())
    ]
    differing = [(f"{what.capitalize()} that differ", compared[what]) for what in ("facts", "parameters")
                 if compared.get(what)]  # fmt: skip
    return page.document(
        "metrics/compare_page.html.j2", script=SCRIPT, title=f"{len(jobs)} jobs compared", heads=heads,
        figures=figures, jobs=list(jobs), metrics=compared["metrics"], differing=differing,
    )  # fmt: skip


def tiles(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Returns the headline of a job: what is known of its losses, steps and time, each with its name."""
    found = [(name, from_to(points(runs, metric))) for name, metric in
             (("training loss", "loss"), ("evaluation loss", "eval_loss"))]  # fmt: skip
    found.append(("steps", f"{job_runs.steps(runs):,}" if job_runs.steps(runs) else ""))
    run = runs[0]
    if run.started and run.ended:
        found.append(("from start to end", duration((run.ended - run.started) / 1000)))
    return [(name, said) for name, said in found if said]


def from_to(values: Sequence[tuple[float, float]]) -> str:
    """Returns the first and the last value of a metric; of a single one that."""
    if not values:
        return ""
    first, last = number(values[0][1]), number(values[-1][1])
    return f"{first} → {last}" if len(values) > 1 else last


def points(runs: Sequence[Run], metric: str) -> list[tuple[float, float]]:
    """Returns (step, value) of a metric, from the first run that logged it."""
    history = next((run.metrics[metric] for run in runs if run.metrics.get(metric)), [])
    return [(float(step), value) for step, value, _ in history]


def status(run: Run) -> str:
    """Returns how the run stands, when it began (UTC), and how long it took."""
    parts = [run.status.capitalize()]
    if run.started:
        parts.append(f"started {datetime.fromtimestamp(run.started / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC")
        if run.ended:
            parts.append(f"took {duration((run.ended - run.started) / 1000)}")
    return ", ".join(parts)


def look(run: Run) -> str:
    """Returns the class of how a run stands: one that did not end well is seen at once."""
    return "state fail" if run.status in ("FAILED", "KILLED") else "soft"


def duration(seconds: float) -> str:
    """Returns a time as 1 h 05 min or 2 min 08 s or 9 s."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
