"""runs/<job>/metrics.html: how a job went, as one page of its own."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence
from datetime import UTC, datetime

from scripts.metrics import table
from scripts.metrics.job_runs import RUNNING, Run
from scripts.pages import charts, page
from scripts.pages.charts import Line

# Title of the chart -> metrics in it, under the names that Azure ML's component (transformers' Trainer) logs.
CHARTS = {
    "Loss": {"loss": "training", "eval_loss": "evaluation"},
    "Learning rate": {"learning_rate": "learning rate"},
    "Tokens a second": {"tokens_per_second": "tokens a second"},
    "Epoch": {"epoch": "epoch"},
    "Gradient norm": {"grad_norm": "gradient norm"},
}


def job_page(job: str, runs: Sequence[Run], refresh: int = 0) -> str:
    """Returns the page; it loads itself anew every `refresh` seconds as long as the job runs."""
    figures = []
    for title, metrics in CHARTS.items():
        lines = [Line(name, points(runs, metric)) for metric, name in metrics.items()]
        if any(line.points for line in lines):
            figures.append(charts.lines(title, lines))
    head, *steps = table.progress(runs)
    params = sorted(ChainMap(*(run.params for run in runs)).items())
    return page.document(
        "metrics/job_page.html.j2", title=f"Job {job}", status=status(runs[0]), figures=figures,
        rest=table.summary(runs), head=head, steps=steps, params=params,
        refresh=refresh if runs[0].status in RUNNING else 0,
    )  # fmt: skip


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


def duration(seconds: float) -> str:
    """Returns a time as 1 h 05 min or 2 min 08 s or 9 s."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"
